"""``cimi-gateway user``, ``project`` and ``token`` beside a gateway that runs: by its socket, without a password."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway import config
from gateway.app import Gateway
from gateway.cli import main
from tests.api.client import ApiClient

pytestmark = pytest.mark.slow

Command = Callable[..., Awaitable[str]]


@pytest.fixture
def settings(settings: config.Settings, tmp_path: Path) -> config.Settings:
    return replace(settings, server=replace(settings.server, socket=str(tmp_path / "socket")))


@pytest.fixture
def command(gateway: Gateway, tmp_path: Path) -> Command:
    """``await command("user", "list")`` is what it prints; one that fails raises."""
    file = tmp_path / "gateway.toml"

    async def run(*arguments: str, text: str = "secret\n") -> str:
        call = asyncio.to_thread(CliRunner().invoke, main, [*arguments, "--config", str(file)], input=text)
        result = await call
        if result.exit_code:
            raise RuntimeError(result.output)
        return str(result.output)

    file.write_text(
        f'[server]\nsocket = "socket"\n[store]\npath = "{gateway.settings.store.path}"\n[auth]\nusers_file = "users"\n'
        '[[hypervisor]]\nname = "local"\nuri = "memory"\npool = "default"\nnetwork = "default"\n'
    )
    return run


async def test_users_are_added_changed_and_removed(command: Command, client: Callable[..., ApiClient]) -> None:
    await command("user", "add", "ann", "--role", "viewer")
    ann = client("ann")
    assert (await ann.put("", {"name": "x"})).status == 403
    await command("user", "role", "ann", "admin")
    assert (await ann.put("", {"name": "x"})).status == 200
    await command("user", "passwd", "ann", text="another\n")
    assert (await ann.get("")).status == 401
    assert (await replace(ann, password="another").get("")).status == 200
    await command("user", "remove", "ann")
    assert "ann" not in await command("user", "list")
    assert (await replace(ann, password="another").get("")).status == 401


async def test_a_user_inherits_when_that_is_said(command: Command, client: Callable[..., ApiClient]) -> None:
    made = await client("operator").post("credentials", {"credentialTemplate": {"key": "ssh-ed25519 AAAA me@here"}})
    await command("user", "remove", "operator")
    await command("user", "add", "operator", "--role", "operator", "--inherit")
    assert (await client("operator").get(made.location)).status == 200


async def test_projects_are_shared(command: Command, client: Callable[..., ApiClient]) -> None:
    guest = replace(client("viewer"), project="team")
    await command("project", "add", "team")
    assert (await guest.get("machines")).status == 403
    await command("project", "grant", "team", "viewer", "--role", "viewer")
    await command("project", "grant", "team", "viewer", "--role", "operator")
    assert (await guest.get("machines")).status == 200
    assert "team\tviewer (operator)\n" in await command("project", "list")
    await command("project", "revoke", "team", "viewer")
    assert (await guest.get("machines")).status == 403
    await command("project", "remove", "team")


async def test_tokens_are_added_listed_and_revoked(command: Command, client: Callable[..., ApiClient]) -> None:
    limits = ("--read-only", "--role", "viewer", "--project", "operator", "--expires", "30d", "--name", "scraper")
    # The gateway of this process logs to the same output.
    printed = (await command("token", "add", "operator", *limits)).splitlines()
    [token] = [line for line in printed if line.startswith("cimi_")]
    bearer = replace(client("operator"), token=token)
    assert (await bearer.get("machines")).status == 200
    identity = token.split("_")[1]
    [line] = [line for line in (await command("token", "list")).splitlines() if line.startswith(identity)]
    assert line.startswith(f"{identity}\toperator\tscraper\tat most viewer, read-only, in operator, until 20")
    await command("token", "revoke", identity)
    assert (await bearer.get("machines")).status == 401


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("user", "add", "operator", "--role", "viewer"), "operator exists already"),
        (("user", "passwd", "nobody"), "there is no user nobody"),
        (("user", "remove", "nobody"), "there is no user nobody"),
        (("user", "remove", "admin"), "last admin"),
        (("project", "add", "operator"), "there is a project operator already"),
        (("project", "remove", "operator"), "operator's own"),
        (("project", "grant", "none", "operator", "--role", "viewer"), "there is no project none"),
        (("token", "add", "nobody"), "there is no user 'nobody'"),
        (("token", "revoke", "none"), "there is no Token"),
    ],
)
async def test_what_cannot_be_is_said(command: Command, arguments: tuple[str, ...], words: str) -> None:
    with pytest.raises(RuntimeError, match=words):
        await command(*arguments)

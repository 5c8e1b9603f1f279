"""``cimi-gateway user``, ``project`` and ``token`` on a store that no gateway has open, and before the first start."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway import users
from gateway.cli import main
from gateway.orchestration.access.first_users import import_users
from gateway.store.schema import lock
from gateway.store.store import Store
from tests.unit.configurations import HYPERVISOR


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    path = tmp_path / "gateway.toml"
    path.write_text('[auth]\nusers_file = "users"\n[store]\npath = "gateway.db"\n' + HYPERVISOR)
    return path


@pytest.fixture
def started(configuration: Path) -> Path:
    """A gateway that has run once, with the admin ``root``."""

    async def start() -> None:
        store = await Store.open(configuration.parent / "gateway.db")
        await import_users(store, {"root": users.User("root", "admin", "x")})
        await store.close()

    asyncio.run(start())
    return configuration


def run(configuration: Path, *arguments: str, text: str = "secret\n") -> Result:
    return CliRunner().invoke(main, [*arguments, "--config", str(configuration)], input=text)


def done(configuration: Path, *arguments: str) -> str:
    result = run(configuration, *arguments)
    assert result.exit_code == 0, result.output
    return result.output


def test_users_are_in_the_store_from_the_first_start_on(started: Path) -> None:
    assert done(started, "user", "add", "ann", "--role", "viewer") == "added ann (viewer)\n"
    done(started, "user", "role", "ann", "operator")
    done(started, "user", "passwd", "ann")
    assert done(started, "user", "list") == "root\tadmin\nann\toperator\n"
    assert not (started.parent / "users").exists()
    done(started, "user", "remove", "ann")
    assert done(started, "user", "list") == "root\tadmin\n"


def test_projects_are_shared(started: Path) -> None:
    done(started, "user", "add", "ann", "--role", "viewer")
    done(started, "project", "add", "team")
    done(started, "project", "grant", "team", "ann", "--role", "viewer")
    done(started, "project", "grant", "team", "ann", "--role", "operator")
    assert done(started, "project", "list") == "root\nann\nteam\tann (operator)\n"
    done(started, "project", "revoke", "team", "ann")
    done(started, "project", "remove", "team")
    assert done(started, "project", "list") == "root\nann\n"


def test_tokens_are_printed_once_and_listed_with_their_limits(started: Path) -> None:
    done(started, "project", "add", "team")
    limits = ("--read-only", "--project", "team", "--expires", "2100-01-31", "--name", "scraper", "--role", "viewer")
    text = done(started, "token", "add", "root", *limits).strip()
    _, identity, secret = text.split("_", 2)
    listed = done(started, "token", "list")
    words = "at most viewer, read-only, in team, until 2100-01-31T00:00:00.000Z, never used"
    assert listed == f"{identity}\troot\tscraper\t{words}\n"
    assert secret not in listed
    assert done(started, "token", "revoke", identity) == f"revoked {identity}\n"
    assert done(started, "token", "list") == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("user", "add", "root", "--role", "admin"), "root exists already"),
        (("user", "passwd", "ann"), "there is no user ann"),
        (("user", "remove", "root"), "last admin"),
        (("user", "role", "root", "viewer"), "last admin"),
        (("project", "add", "root"), "there is a project root already"),
        (("project", "add", "a b"), "no user name"),
        (("project", "grant", "none", "root", "--role", "viewer"), "there is no project none"),
        (("project", "grant", "root", "ann", "--role", "viewer"), "no user 'ann'"),
        (("project", "remove", "root"), "root's own"),
        (("project", "revoke", "root", "ann"), "there is no member ann"),
        (("token", "add", "ann"), "there is no user ann"),
        (("token", "revoke", "none"), "there is no token none"),
    ],
)
def test_what_cannot_be_is_said(started: Path, arguments: tuple[str, ...], words: str) -> None:
    result = run(started, *arguments)
    assert (result.exit_code, words in result.output) == (1, True), result.output


@pytest.mark.parametrize("text", ["soon", "30", "-1d", "2027-13-01"])
def test_what_is_no_time_is_said(started: Path, text: str) -> None:
    result = run(started, "token", "add", "root", f"--expires={text}")
    assert (result.exit_code, "is no time" in result.output) == (2, True)


@pytest.mark.parametrize("arguments", [("project", "list"), ("token", "list")])
def test_before_the_first_start_there_are_users_alone(configuration: Path, arguments: tuple[str, ...]) -> None:
    done(configuration, "user", "add", "root", "--role", "admin")
    assert list(users.read(configuration.parent / "users")) == ["root"]
    result = run(configuration, *arguments)
    assert (result.exit_code, "start the gateway once" in result.output) == (1, True)


@pytest.mark.parametrize("arguments", [("user", "list"), ("project", "list"), ("token", "list")])
def test_a_gateway_that_runs_without_a_socket_is_said(started: Path, arguments: tuple[str, ...]) -> None:
    with lock(started.parent / "gateway.db"):
        result = run(started, *arguments)
    assert (result.exit_code, "[server] socket" in result.output) == (1, True)

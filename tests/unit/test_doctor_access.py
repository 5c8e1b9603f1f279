"""What ``doctor`` says of who may come in."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gateway import clock, config, users
from gateway.doctor import access
from gateway.doctor.finding import Finding
from gateway.orchestration.access.changes import Limits, add_token
from gateway.orchestration.access.first_users import import_users
from gateway.store.store import Store


@pytest.fixture
def settings(tmp_path: Path) -> config.Settings:
    return config.Settings(
        path=tmp_path / "gateway.toml",
        server=config.ServerSettings(socket=str(tmp_path / "socket")),
        store=config.StoreSettings(str(tmp_path / "gateway.db")),
        auth=config.AuthSettings(str(tmp_path / "users")),
        images=config.ImageSettings(),
        jobs=config.JobSettings(),
        hypervisors=(),
    )


async def fill(path: Path, *limits: Limits) -> None:
    """A store with the admin ``root``, who has these tokens."""
    store = await Store.open(path)
    await import_users(store, {"root": users.User("root", "admin", "x")})
    async with store.transaction() as transaction:
        [root] = await transaction.find("User", "name", "root")
        for limit in limits:
            await add_token(transaction, root, limit)
    await store.close()


def found(settings: config.Settings) -> list[Finding]:
    return list(access.users(settings))


def test_before_the_first_start_the_users_file_needs_an_admin(settings: config.Settings) -> None:
    [finding] = found(settings)
    assert (finding.level, finding.advice) == ("error", "cimi-gateway user add NAME --role admin")
    users.write(Path(settings.auth.users_file), {"root": users.User("root", "admin", "x")})
    assert [finding.level for finding in found(settings)] == ["ok"]


def test_afterwards_users_are_counted_in_the_store(settings: config.Settings) -> None:
    asyncio.run(fill(Path(settings.store.path)))
    [finding] = found(settings)
    assert (finding.level, finding.message) == ("ok", f"1 in {settings.store.path}")


def test_tokens_that_are_over_or_forgotten_are_named(
    settings: config.Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    soon = clock.now() + timedelta(hours=1)
    asyncio.run(fill(Path(settings.store.path), Limits(), Limits(expires=soon)))
    assert [finding.subject for finding in found(settings)] == ["users"]
    monkeypatch.setattr(access, "now", lambda: soon + timedelta(days=91))
    words = sorted(finding.message.partition(" of root ")[2][:8] for finding in found(settings)[1:])
    assert words == ["has no e", "is over"]


def test_a_store_that_is_none_is_said(settings: config.Settings) -> None:
    Path(settings.store.path).write_bytes(b"no database, and long enough to be looked at" * 10)
    assert [finding.level for finding in found(settings)] == ["warning"]


def test_the_socket_is_said_with_those_who_are_admins(settings: config.Settings) -> None:
    assert access.socket(settings).level == "ok"
    Path(settings.server.socket).write_text("")
    assert access.socket(settings).level == "error"


@pytest.mark.parametrize(("group", "path", "level"), [("nosuch", "socket", "error"), ("", "none/socket", "warning")])
def test_a_socket_that_cannot_be_is_said(
    settings: config.Settings, tmp_path: Path, group: str, path: str, level: str
) -> None:
    server = replace(settings.server, socket=str(tmp_path / path), socket_group=group)
    assert access.socket(replace(settings, server=server)).level == level


@pytest.mark.parametrize(("network", "levels"), [("10.0.0.0/8", ["warning"]), ("192.0.2.1/32", [])])
def test_networks_of_proxies_are_small_where_proxies_name_users(
    settings: config.Settings, network: str, levels: list[str]
) -> None:
    trusting = replace(settings, server=replace(settings.server, trusted_proxies=[network]))
    assert [finding.level for finding in access.proxies(trusting)] == levels

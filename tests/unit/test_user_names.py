"""A new user does not get in silence what an earlier one of the same name left."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from gateway.orchestration.common.resource_service import new_resource
from gateway.orchestration.monitoring.recorder import Recorder
from gateway.store.events import NewEvent
from gateway.store.store import Store
from tests.unit.configurations import HYPERVISOR


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    path = tmp_path / "gateway.toml"
    path.write_text('[auth]\nusers_file = "users"\n[store]\npath = "gateway.db"\n' + HYPERVISOR)
    return path


def run(*arguments: str, configuration: Path) -> Result:
    return CliRunner().invoke(main, ["user", *arguments, "--config", str(configuration)], input="secret\n")


async def leave(path: Path, *, resource: bool, event: bool) -> None:
    """What ann left in the store."""
    store = await Store.open(path)
    await Recorder("monthly", "yearly").prepare(store)
    async with store.transaction() as transaction:
        if resource:
            await transaction.insert(new_resource("Credential", "ann", {"name": "hers"}))
        if event:
            told = NewEvent("eventLogs/everything", datetime.now(UTC), "ann", {"type": "access", "content": {}})
            await transaction.append_events([told])
    await store.close()


@pytest.mark.parametrize(("resource", "event"), [(True, False), (False, True)], ids=["a resource", "an event"])
def test_a_name_that_left_something_is_refused_and_says_what(configuration: Path, resource: bool, event: bool) -> None:
    asyncio.run(leave(configuration.parent / "gateway.db", resource=resource, event=event))
    result = run("add", "ann", "--role", "operator", configuration=configuration)
    assert result.exit_code == 1
    assert "of an earlier user ann" in result.output
    assert "--inherit" in result.output
    assert run("list", configuration=configuration).output == ""


def test_who_is_to_inherit_does(configuration: Path) -> None:
    asyncio.run(leave(configuration.parent / "gateway.db", resource=True, event=True))
    assert run("add", "ann", "--role", "operator", "--inherit", configuration=configuration).exit_code == 0
    assert run("list", configuration=configuration).output == "ann\toperator\n"


def test_another_name_is_added_beside_it(configuration: Path) -> None:
    asyncio.run(leave(configuration.parent / "gateway.db", resource=True, event=True))
    assert run("add", "bob", "--role", "operator", configuration=configuration).exit_code == 0


def test_a_user_who_left_nothing_is_added_again(configuration: Path) -> None:
    asyncio.run(leave(configuration.parent / "gateway.db", resource=False, event=False))
    for arguments in (("add", "ann", "--role", "viewer"), ("remove", "ann"), ("add", "ann", "--role", "operator")):
        assert run(*arguments, configuration=configuration).exit_code == 0


def test_a_store_that_cannot_be_looked_at_is_named(configuration: Path) -> None:
    (configuration.parent / "gateway.db").write_bytes(b"no database, and long enough to be looked at" * 10)
    result = run("add", "ann", "--role", "operator", configuration=configuration)
    assert result.exit_code == 1
    assert str(configuration.parent / "gateway.db") in result.output

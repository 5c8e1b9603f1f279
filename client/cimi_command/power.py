"""``cimi start``, ``stop``, ``restart``, ``pause``, ``suspend`` and ``delete``: Machines, several at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cimi_client
import click

from cimi_command.acting import each, on
from cimi_command.kinds import names
from cimi_command.options import Verb, verb, waiting
from cimi_command.session import Session, run

if TYPE_CHECKING:
    from cimi_client import Json, Resource

FORCE = click.option("--force", is_flag=True, help="Power off at once, without asking the guest.")
TIMEOUT = click.option("--timeout", type=int, metavar="SECONDS", help="How long the guest may take.")


def _plain(name: str, words: str) -> Verb:
    @verb(name, help=words)
    @names("machines")
    @waiting
    def command(names: tuple[str, ...], wait: bool) -> None:
        run(lambda session: _act(session, name, names, {}, wait))

    return command


def _orderly(name: str, words: str) -> Verb:
    @verb(name, help=words)
    @names("machines")
    @FORCE
    @TIMEOUT
    @waiting
    def command(names: tuple[str, ...], force: bool, timeout: int | None, wait: bool) -> None:
        parameters: dict[str, Json] = {"force": True} if force else {}
        if timeout is not None:
            parameters["properties"] = {"timeout": str(timeout)}
        run(lambda session: _act(session, name, names, parameters, wait))

    return command


start = _plain("start", "Start Machines, or let paused and suspended ones go on.")
pause = _plain("pause", "Hold the CPUs of Machines, and keep their state in memory.")
suspend = _plain("suspend", "Keep the state of Machines on disk, and power them off.")
stop = _orderly("stop", "Stop Machines: their guests are asked to power off.")
restart = _orderly("restart", "Stop Machines and start them again.")


async def _act(session: Session, verb: str, names: tuple[str, ...], parameters: dict[str, Json], wait: bool) -> None:
    client = session.client
    await each(
        session,
        verb,
        names,
        on(lambda name: client.find("machines", name), lambda machine: client.act(machine, verb, parameters)),
        wait,
    )


@verb()
@names("machines")
@waiting
def delete(names: tuple[str, ...], wait: bool) -> None:
    """Delete Machines; or anything by its path, such as volumes/ID."""
    run(lambda session: _delete(session, names, wait))


async def _delete(session: Session, names: tuple[str, ...], wait: bool) -> None:
    await each(session, "delete", names, on(lambda name: _by_name_or_path(session, name), session.client.delete), wait)


async def _by_name_or_path(session: Session, name: str) -> Resource:
    """Return a Machine by its name, or any resource by its path. Raises NotFound."""
    try:
        return await session.client.find("machines", name)
    except cimi_client.NotFound:
        if "/" not in name:
            raise
        return await session.client.get(name)

"""``cimi snapshot``: snapshots of a Machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cimi_client
import click

from cimi_command.acting import each, on
from cimi_command.kinds import ID, NAME, STATE, name_of
from cimi_command.making import made
from cimi_command.options import Family, output, waiting
from cimi_command.session import Session, run
from cimi_command.tables import Column, rows_of, show

if TYPE_CHECKING:
    from cimi_client import Resource

COLUMNS = (
    NAME,
    STATE,
    Column("TYPE", lambda one: one.text("type")),
    Column("CREATED", lambda one: one.text("created")),
    ID,
)


@click.group(cls=Family)
def snapshot() -> None:
    """Snapshots of a Machine."""


@snapshot.command()
@name_of("machines")
@click.argument("snapshot", required=False)
@click.option("--disks-only", is_flag=True, help="Leave out the memory of a guest that runs.")
@waiting
def create(name: str, snapshot: str | None, disks_only: bool, wait: bool) -> None:
    """Keep the Machine NAME as it is now, as SNAPSHOT."""
    kind = "PARTIAL_SNAPSHOT" if disks_only else "SNAPSHOT"
    run(lambda session: _create(session, name, snapshot, kind, wait))


async def _create(session: Session, name: str, snapshot: str | None, kind: str, wait: bool) -> None:
    machine = await session.client.find("machines", name)
    document = {"type": kind, "imageLocation": machine.id, **({"name": snapshot} if snapshot else {})}
    what = f"snapshot {name}"
    creation = await session.ask(what, session.client.create_by(machine, "snapshot", "MachineImage", document))
    await made(session, what, creation, wait=wait)


@snapshot.command("list")
@name_of("machines")
@output
def list_(name: str, output: str) -> None:
    """List the snapshots of the Machine NAME."""
    run(lambda session: _list(session, name, output))


async def _list(session: Session, name: str, form: str) -> None:
    snapshots = await _snapshots(session, name)
    show(COLUMNS, rows_of(COLUMNS, snapshots), form)


async def _snapshots(session: Session, name: str) -> list[Resource]:
    """Return the images of the snapshots of a Machine. Raises NotOffered."""
    machine = await session.client.find("machines", name)
    href = machine.href("snapshots")
    if href is None:
        raise cimi_client.NotOffered(f"{machine.id} has no snapshots")
    query = cimi_client.Query(expand=("snapshot",))
    entries = [entry async for entry in session.client.items(href, query)]
    expanded = [entry.part("snapshot") for entry in entries]
    return [one if one.state else await session.client.get(one.id) for one in expanded]


async def _snapshot(session: Session, name: str, snapshot: str) -> Resource:
    """Return a snapshot of a Machine by its name or id. Raises NotFound or Ambiguous."""
    snapshots = await _snapshots(session, name)
    matching = [one for one in snapshots if snapshot in (one.name, one.key, one.id)]
    if not matching:
        raise cimi_client.NotFound(f"{name} has no snapshot {snapshot!r}", 404, name)
    if len(matching) > 1:
        ids = [one.id for one in matching]
        raise cimi_client.Ambiguous(f"several snapshots of {name} are called {snapshot!r}: {', '.join(ids)}", ids)
    return matching[0]


@snapshot.command()
@name_of("machines")
@click.argument("snapshot")
@waiting
def restore(name: str, snapshot: str, wait: bool) -> None:
    """Bring the Machine NAME back to SNAPSHOT."""
    run(lambda session: _restore(session, name, snapshot, wait))


async def _restore(session: Session, name: str, snapshot: str, wait: bool) -> None:
    image = await _snapshot(session, name, snapshot)
    client = session.client
    parameters = {"image": {"href": image.id}}
    await each(
        session,
        "restore",
        (name,),
        on(lambda one: client.find("machines", one), lambda machine: client.act(machine, "restore", parameters)),
        wait,
    )


@snapshot.command()
@name_of("machines")
@click.argument("snapshots", nargs=-1, required=True)
@waiting
def delete(name: str, snapshots: tuple[str, ...], wait: bool) -> None:
    """Delete SNAPSHOTS of the Machine NAME."""
    run(lambda session: _delete(session, name, snapshots, wait))


async def _delete(session: Session, name: str, snapshots: tuple[str, ...], wait: bool) -> None:
    client = session.client
    await each(session, "delete", snapshots, on(lambda one: _snapshot(session, name, one), client.delete), wait)

"""``cimi volume``: Volumes, and the Machines that have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cimi_client
import click

from cimi_command import units
from cimi_command.completing import names_of
from cimi_command.kinds import ID, NAME, STATE, Kind, standard_verbs
from cimi_command.making import make
from cimi_command.options import Family, waiting
from cimi_command.session import Session, run
from cimi_command.tables import Column

if TYPE_CHECKING:
    from cimi_client import Document, Json, Resource

CAPACITY = Column("CAPACITY", lambda one: units.decimal(one.number("capacity"), 1000), right=True)
KIND = Kind("volumes", "Volume", (NAME, STATE, CAPACITY, ID))


@click.group(cls=Family)
def volume() -> None:
    """Volumes: disks with a life of their own."""


standard_verbs(volume, KIND)


@volume.command()
@click.argument("name")
@click.option("--size", type=units.capacity, required=True, metavar="AMOUNT", help="Such as 40GB.")
@click.option("--format", "file_system", help="A file system to make: ext4, xfs, vfat; or how it is kept: raw, qcow2.")
@click.option("--type", "storage", help="The storage class, as a URI.")
@waiting
def create(name: str, size: int, file_system: str | None, storage: str | None, wait: bool) -> None:
    """Make an empty Volume called NAME."""
    config: dict[str, Json] = {"capacity": size}
    config |= {key: value for key, value in (("format", file_system), ("type", storage)) if value}
    document: Document = {"name": name, "volumeTemplate": {"volumeConfig": config}}
    run(lambda session: make(session, "volumes", document, wait=wait))


@volume.command()
@click.argument("volume", shell_complete=names_of("volumes"))
@click.argument("machine", shell_complete=names_of("machines"))
@click.option("--device", help="Where it is to show up first, such as vdb.")
@waiting
def attach(volume: str, machine: str, device: str | None, wait: bool) -> None:
    """Connect VOLUME with MACHINE."""
    run(lambda session: _attach(session, volume, machine, device, wait))


async def _attach(session: Session, volume: str, machine: str, device: str | None, wait: bool) -> None:
    resource = await session.client.find("volumes", volume)
    document: dict[str, Json] = {"volume": {"href": resource.id}}
    if device:
        document["initialLocation"] = device
    await make(session, await part_of(session, machine, "volumes"), document, wait=wait)


@volume.command()
@click.argument("volume", shell_complete=names_of("volumes"))
@click.argument("machine", shell_complete=names_of("machines"))
@waiting
def detach(volume: str, machine: str, wait: bool) -> None:
    """Take VOLUME from MACHINE; it stays as it is."""
    run(lambda session: _detach(session, volume, machine, wait))


async def _detach(session: Session, volume: str, machine: str, wait: bool) -> None:
    resource = await session.client.find("volumes", volume)
    await disconnect(session, machine, "volumes", ("volume", resource), wait)


async def part_of(session: Session, machine: str, attribute: str) -> str:
    """Return the URL of a collection of a Machine. Raises NotOffered."""
    owner = await session.client.find("machines", machine)
    href = owner.href(attribute)
    if href is None:
        raise cimi_client.NotOffered(f"{owner.id} has no {attribute}")
    return href


async def disconnect(session: Session, machine: str, attribute: str, wanted: tuple[str, Resource], wait: bool) -> None:
    """Delete the entry of a Machine's collection that refers to a resource. Raises NotFound."""
    reference, resource = wanted
    collection = await part_of(session, machine, attribute)
    items = [item async for item in session.client.items(collection)]
    entries = [item for item in items if item.href(reference) == resource.id]
    if not entries:
        raise cimi_client.NotFound(f"{machine} has no {reference} {resource.name or resource.id}", 404, collection)
    for entry in entries:
        what = f"take {resource.name or resource.key} from {machine}"
        change = await session.ask(what, session.client.delete(entry))
        if wait:
            await session.finish(what, change)
        else:
            session.leave(what, change)

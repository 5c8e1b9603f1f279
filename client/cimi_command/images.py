"""``cimi image``: images come in by URL or upload, and go out by download."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import cimi_client
import click

from cimi_command import units
from cimi_command.catalog import CATALOG
from cimi_command.completing import names_of
from cimi_command.kinds import ID, MOST, NAME, STATE, Kind, Listing, list_kind, name_of, standard_verbs
from cimi_command.making import made, make
from cimi_command.options import Family, output, waiting
from cimi_command.progress import bar
from cimi_command.session import Session, run
from cimi_command.tables import Column
from cimi_command.words import say

if TYPE_CHECKING:
    from cimi_client import Document, Json, Resource

TYPE = Column("TYPE", lambda one: one.text("type"))
SIZE = Column("SIZE", lambda one: units.decimal(one.number("size"), 1), right=True)
KIND = Kind("machineImages", "MachineImage", (NAME, STATE, TYPE, SIZE, ID))


@click.group(cls=Family)
def image() -> None:
    """Images that Machines are made of."""


standard_verbs(image, KIND)


@image.command("import")
@click.argument("location")
@click.option("--name", help="What to call it; else the last part of the location.")
@click.option("--sha256", help="The sum that its bytes must have.")
@waiting
def import_(location: str, name: str | None, sha256: str | None, wait: bool) -> None:
    """Let the provider fetch an image from LOCATION: https://, or file:/// on its host."""
    document: dict[str, Json] = {"name": name or location.rstrip("/").rpartition("/")[2], "imageLocation": location}
    if sha256:
        document["sha256"] = sha256
    run(lambda session: make(session, "machineImages", document, wait=wait))


@image.command()
@output
def catalog(output: str) -> None:
    """List the well-known images, which `cimi launch` takes by their names and the provider fetches when it must."""
    run(lambda session: list_kind(session, CATALOG, Listing((), "name", MOST, output)))


@image.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--name", help="What to call it; else as the file.")
@click.option(
    "--to", help="An image that waits for these bytes: go on with an upload.", shell_complete=names_of("machineImages")
)
def upload(file: Path, name: str | None, to: str | None) -> None:
    """Send an image from this host. What breaks off is gone on with."""
    size = file.stat().st_size
    run(lambda session: _upload(session, file, (name or file.stem, size), to))


async def _upload(session: Session, file: Path, announced: tuple[str, int], to: str | None) -> None:
    name, size = announced
    client = session.client
    if to is not None:
        waiting_image = await client.find("machineImages", to)
    else:
        document: Document = {"name": name, "size": size}
        waiting_image = await (await client.create("machineImages", document))
    what = f"upload {file.name}"
    try:
        with bar(what, quiet=session.options.quiet, of_bytes=True) as tell:
            creation = await cimi_client.upload(client, waiting_image, file, tell)
    except BaseException:
        say(f"to go on: cimi image upload {file} --to {waiting_image.key}")
        raise
    await made(session, what, creation)


@image.command()
@name_of("machineImages")
@click.argument("file", type=click.Path(path_type=Path))
def download(name: str, file: Path) -> None:
    """Write the bytes of the image NAME to FILE. What breaks off is gone on with when it is asked for again."""
    run(lambda session: _download(session, name, file))


async def _download(session: Session, name: str, file: Path) -> None:
    resource = await session.client.find("machineImages", name)
    await save(session, resource, file, "download")


async def save(session: Session, resource: Resource, file: Path, verb: str) -> None:
    """Write the bytes that a resource gives into a file."""
    with bar(f"{verb} {file.name}", quiet=session.options.quiet, of_bytes=True) as tell:
        await cimi_client.download(session.client, resource, file, tell, verb)
    say(f"{file} is written")

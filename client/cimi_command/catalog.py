"""The catalogue of images of a gateway: well-known ones, which it fetches when somebody wants them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cimi_client

from cimi_command import units
from cimi_command.kinds import NAME, Kind
from cimi_command.session import Session
from cimi_command.tables import Column
from cimi_command.words import say

if TYPE_CHECKING:
    from cimi_client import Resource

COLLECTION = "imageCatalog"
AVAILABLE = "AVAILABLE"
CATALOG = Kind(
    COLLECTION,
    "CatalogImage",
    (
        NAME,
        Column("DESCRIPTION", lambda one: one.text("description")),
        Column("USER", lambda one: one.text("userName")),
        Column("LEAST DISK", lambda one: units.decimal(one.number("leastDisk"), 1000), right=True),
        Column("LEAST MEMORY", lambda one: units.binary(one.number("leastMemory"), 1024), right=True),
        Column("HERE", lambda one: "yes" if one.href("image") else ""),
    ),
)


async def image_called(session: Session, name: str) -> Resource:
    """Return the image of this name: of those that are there, or else of the catalogue, once the provider has it.

    Raises NotFound for a name that stands in neither, and JobFailed when the image cannot be fetched.
    """
    try:
        image = await session.client.find("machineImages", name)
    except cimi_client.NotFound:
        return await _fetched(session, name)
    if image.state in ("", AVAILABLE) or "fetch" not in await _offered(session, name):
        return image
    return await _fetched(session, name)


async def _offered(session: Session, name: str) -> tuple[str, ...]:
    """Return what may be done with an entry of the catalogue; nothing where there is none."""
    try:
        return tuple((await session.client.find(COLLECTION, name)).operations)
    except (cimi_client.NotFound, cimi_client.NotOffered):
        return ()


async def _fetched(session: Session, name: str) -> Resource:
    client = session.client
    try:
        entry = await client.find(COLLECTION, name)
    except (cimi_client.NotFound, cimi_client.NotOffered):
        words = f"there is no image called {name!r}; cimi image list and cimi image catalog name those that there are"
        raise cimi_client.NotFound(words, 404, name) from None
    what = f"fetch {name}"
    fetch = await session.ask(what, client.act(entry, "fetch"))
    await session.finish(what, fetch)
    say(f"{what}: done")
    if fetch.location is None:
        raise cimi_client.ProtocolError(f"{entry.id}: the provider does not say where the image is")
    return await client.get(fetch.location)

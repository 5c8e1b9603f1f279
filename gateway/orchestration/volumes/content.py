"""What a new Volume begins with: nothing, a VolumeImage, or an image by value, fetched into it (DSP0263 5.16.3)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from gateway.errors import Conflict, Invalid, NotImplementedHere
from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.resolving import resolve
from gateway.orchestration.common.resource_service import Room
from gateway.orchestration.images.available import demand_still_available
from gateway.orchestration.images.importing import Found, ImageImport, Place
from gateway.orchestration.images.promises import demand_staging
from gateway.orchestration.images.source import WHERE
from gateway.orchestration.volumes.pools import KILOBYTE, Chosen
from gateway.store.model import Document, Resource
from gateway.store.transaction import Transaction

TOLD = ("size", "sha256")


@dataclass(frozen=True, slots=True)
class Content:
    """``image`` for one by reference, ``found`` for one by value. ``virtual_size`` in bytes, where it is known."""

    where: str
    bootable: bool
    virtual_size: int | None
    image: Resource | None = None
    found: Found | None = None

    @property
    def host(self) -> str | None:
        """The only one that can have it."""
        return self.image.internal["host"] if self.image is not None else None

    async def facts(self, room: Room, chosen: Chosen, size: int) -> Document:
        """What the steps need to know; ``size`` is the Volume's, in bytes."""
        if self.image is not None:
            return _copied(room, chosen, self.image)
        assert self.found is not None
        if self.virtual_size is not None and size > self.virtual_size:
            self._demand_growing(room, chosen)
        place = Place(chosen.host, chosen.facts, (chosen.format,))
        with within(self.where):
            return await ImageImport(room).way(self.found, place)

    def _demand_growing(self, room: Room, chosen: Chosen) -> None:
        if not room.drivers[chosen.host].can_grow(chosen.facts):
            raise NotImplementedHere(
                f"{self.where}: volumes of a pool of kind {chosen.facts.kind} do not grow beyond the image that is put "
                "into them; leave the capacity out, or make a VolumeImage first"
            )

    async def demand(self, room: Room, transaction: Transaction) -> None:
        """Once more, inside the transaction that writes the Volume."""
        if self.image is not None:
            await demand_still_available(transaction, self.image.path, self.where)


async def demand_staged(room: Room, volume: Resource) -> None:
    """Raises NoSpace when what comes by the staging directory has no room there beside what was promised."""
    if volume.internal.get("way") == "staged":
        await demand_staging(room, volume.internal["source"]["size"] or 0)


async def content_of(room: Room, caller: Caller, given: Document | None, where: str) -> Content | None:
    """Looks at everything, and writes nothing."""
    if given is None:
        return None
    if "href" in given:
        return await _by_reference(room, caller, given, where)
    if WHERE not in given:
        raise Invalid("is missing; or give the href of a VolumeImage", f"{where}.{WHERE}")
    with within(where):
        found = await ImageImport(room).look(caller, given)
    told = {name: given[name] for name in TOLD if name in given}
    found = Found({**found.source, "told": told}, found.facts)
    size = found.facts.virtual_size if found.facts is not None else None
    return Content(where, bool(given.get("bootable")), size, found=found)


async def _by_reference(room: Room, caller: Caller, given: Document, where: str) -> Content:
    other = next((name for name in (WHERE, *TOLD) if given.get(name) is not None), None)
    if other is not None:
        raise Invalid("stands beside an href, whose image has its own", f"{where}.{other}")
    image = await resolve(room.store, caller, given["href"], ("VolumeImage",), where)
    if image.state != "AVAILABLE":
        raise Conflict(f"{where}: the image is {image.state}, not AVAILABLE")
    bootable = given.get("bootable", image.document.get("bootable", False))
    return Content(where, bool(bootable), image.internal["virtual_size"], image=image)


def needed(content: Content | None) -> int:
    """Bytes that the Volume must have at least, as far as it is known."""
    return (content.virtual_size or 0) if content is not None else 0


def too_small(size: int) -> str:
    return f"the image needs {-(-size // KILOBYTE)} kilobytes"


def _copied(room: Room, chosen: Chosen, image: Resource) -> Document:
    """An overlay of the image where the pool can, else a full copy."""
    known = image.internal
    same = known["pool"] == chosen.settings.name and chosen.format == "qcow2" and not chosen.settings.shareable
    return {
        "image": image.path,
        "image_pool": known["pool"],
        "image_volume": known["volume"],
        "image_format": known["format"],
        "overlay": same and room.drivers[chosen.host].can_overlay(chosen.facts),
    }


@contextmanager
def within(where: str) -> Iterator[None]:
    """What is invalid in here is named from the request's top."""
    try:
        yield
    except Invalid as error:
        if error.attribute is None:
            raise
        message = error.message.removeprefix(f"{error.attribute}: ")
        raise Invalid(message, f"{where}.{error.attribute}") from error

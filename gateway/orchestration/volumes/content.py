"""The content of a new Volume: nothing, a VolumeImage, or an image by value, fetched into it (DSP0263 5.16.3)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from gateway.errors import Conflict, Invalid, NotImplementedHere
from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.references import resolve
from gateway.orchestration.common.room import Room
from gateway.orchestration.images.facts import FileSource, KeptImage, Route, Stated, UrlSource
from gateway.orchestration.images.importing import ImageImport, Inspected, Place
from gateway.orchestration.images.records import demand_still_available
from gateway.orchestration.images.source import WHERE
from gateway.orchestration.volumes.facts import KeptVolume
from gateway.orchestration.volumes.pools import KILOBYTE, Chosen, whole
from gateway.store.model import Document, Resource
from gateway.store.transaction import Transaction

STATED = ("size", "sha256")


@dataclass(frozen=True)
class Content(ABC):
    """An image that a new Volume begins with. ``virtual_size`` is in bytes; 0 where it is not known yet."""

    where: str
    """The way to the image in the request."""
    bootable: bool
    virtual_size: int

    @property
    def host(self) -> str | None:
        """The only host that can have the Volume; None where any can."""
        return None

    @abstractmethod
    def fits(self, size: int) -> bool:
        """Return whether a Volume of this size, in bytes, takes the image."""

    @abstractmethod
    async def put_into(self, room: Room, chosen: Chosen, kept: KeptVolume, size: int) -> KeptVolume:
        """Return the facts of the new Volume with what the steps need to know of the image.

        ``size`` is the Volume's in bytes, as it was asked for. Raise what the request deserves.
        """

    @abstractmethod
    async def demand(self, transaction: Transaction) -> None:
        """Raise Conflict when the image is not there any more, inside the transaction that writes the Volume."""


@dataclass(frozen=True)
class StoredContent(Content):
    """A VolumeImage: the Volume becomes an overlay of it where the pool can, else a full copy."""

    image: Resource

    @property
    def host(self) -> str | None:
        """The host of the image, on which the Volume has to be."""
        return KeptImage.of(self.image).host

    def fits(self, size: int) -> bool:
        """Return whether a Volume of this size, in bytes, takes the image: a copy is made as large as the Volume is."""
        # A copy is made as large as the Volume is.
        return whole(size) >= self.virtual_size

    async def put_into(self, room: Room, chosen: Chosen, kept: KeptVolume, size: int) -> KeptVolume:
        """Return the facts of the new Volume with the image that it becomes an overlay or a copy of."""
        image, settings = KeptImage.of(self.image), chosen.settings
        same = image.pool == settings.name and chosen.format == "qcow2" and not settings.shareable
        return replace(
            kept,
            image=self.image.path,
            image_pool=image.pool,
            image_volume=image.volume,
            image_format=image.format,
            overlay=same and room.drivers[chosen.host].storage.can_overlay(chosen.facts),
        )

    async def demand(self, transaction: Transaction) -> None:
        """Raise Conflict when the image is not available any more."""
        await demand_still_available(transaction, self.image.path, self.where)


@dataclass(frozen=True)
class NewContent(Content):
    """An image by value, whose bytes are fetched into the Volume."""

    inspected: Inspected

    def fits(self, size: int) -> bool:
        """Return whether a Volume of this size, in bytes, takes the image: the bytes that come in have their size."""
        # The bytes that come in have their size.
        return size >= self.virtual_size

    async def put_into(self, room: Room, chosen: Chosen, kept: KeptVolume, size: int) -> KeptVolume:
        """Return the facts of the new Volume with the source of the image, and how its bytes come.

        Raises NotImplementedHere where the Volume could not grow beyond the image, and NoSpace.
        """
        if self.virtual_size and size > self.virtual_size:
            self._demand_growing(room, chosen)
        place = Place(chosen.host, chosen.facts, (chosen.format,))
        with within(self.where):
            filling = await ImageImport(room).way(self.inspected, place)
        return replace(
            kept,
            formats=filling.formats,
            virtual_size=filling.virtual_size,
            uefi=filling.uefi,
            source=filling.source,
            source_format=filling.source_format,
            way=filling.way,
            unpacks=filling.unpacks,
        )

    async def demand(self, transaction: Transaction) -> None:
        """Demand nothing: bytes from elsewhere are looked at once more while they come."""
        # Bytes from elsewhere are looked at once more while they come.
        return

    def _demand_growing(self, room: Room, chosen: Chosen) -> None:
        if not room.drivers[chosen.host].storage.can_grow(chosen.facts):
            raise NotImplementedHere(
                f"{self.where}: volumes of a pool of kind {chosen.facts.kind} do not grow beyond the image that is put "
                "into them; leave the capacity out, or make a VolumeImage first"
            )


def staged_bytes(kept: KeptVolume) -> int | None:
    """Return how many bytes of a new Volume come by the staging directory, as far as that is known; None for none."""
    if kept.way is not Route.STAGED:
        return None
    return (kept.source.size or 0) if kept.source is not None else 0


async def content_of(room: Room, caller: Caller, given: Document | None, where: str) -> Content | None:
    """Return the image that a Volume is to begin with. Everything is looked at, and nothing written."""
    if given is None:
        return None
    if "href" in given:
        return await _by_reference(room, caller, given, where)
    if WHERE not in given:
        raise Invalid("is missing; or give the href of a VolumeImage", f"{where}.{WHERE}")
    with within(where):
        inspected = await ImageImport(room).look(caller, given)
    source = inspected.source
    assert isinstance(source, (FileSource, UrlSource))
    inspected = replace(inspected, source=replace(source, stated=Stated(given.get("size"), given.get("sha256"))))
    size = inspected.facts.virtual_size if inspected.facts is not None else 0
    return NewContent(where, bool(given.get("bootable")), size, inspected)


async def _by_reference(room: Room, caller: Caller, given: Document, where: str) -> Content:
    other = next((name for name in (WHERE, *STATED) if given.get(name) is not None), None)
    if other is not None:
        raise Invalid("stands beside an href, whose image has its own", f"{where}.{other}")
    image = await resolve(room.store, caller, given["href"], ("VolumeImage",), where)
    if image.state != "AVAILABLE":
        raise Conflict(f"{where}: the image is {image.state}, not AVAILABLE")
    bootable = given.get("bootable", image.document.get("bootable", False))
    return StoredContent(where, bool(bootable), KeptImage.of(image).virtual_size, image)


def too_small(size: int) -> str:
    """Return the words for a Volume that is smaller than its image, of so many bytes."""
    return f"the image needs {-(-size // KILOBYTE)} kilobytes"


@contextmanager
def within(where: str) -> Iterator[None]:
    """Give what is invalid in this block its way from the request's top."""
    try:
        yield
    except Invalid as error:
        if error.attribute is None:
            raise
        message = error.message.removeprefix(f"{error.attribute}: ")
        raise Invalid(message, f"{where}.{error.attribute}") from error

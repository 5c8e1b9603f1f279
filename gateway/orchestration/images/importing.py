"""The source of a new image, and how it is taken: everything is looked at, nothing is written (DSP0263 5.14.7)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from drivers.base import Driver, DriverBusy, DriverInvalid, DriverUnreachable, FilePart, ImageFacts, PoolFacts
from drivers.images.window import HEAD, TAIL
from gateway.errors import BadGateway, Invalid, NoSpace, NotImplementedHere, TooLarge
from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.hosts import demand_up, translated, translating
from gateway.orchestration.common.room import Room
from gateway.orchestration.images.facts import (
    FileSource,
    Filling,
    Location,
    PackageSource,
    Route,
    Source,
    UploadSource,
    UrlSource,
    kept_format,
)
from gateway.orchestration.images.promises import demand_staging
from gateway.orchestration.images.source import WHERE, is_url, local_file
from gateway.store.model import Document

OURS = frozenset({"machines", "machineImages", "volumes", "volumeImages"})
"""First parts of references that mean this gateway's own resources."""


@contextmanager
def looking(where: str | None = None) -> Iterator[None]:
    """Raise Invalid, naming ``where``, for what a reader refuses, and say 503 when no reader is free."""
    try:
        yield
    except DriverInvalid as error:
        raise Invalid(str(error), where) from error
    except DriverBusy as error:
        raise translated(error) from error


@dataclass(frozen=True, slots=True)
class Place:
    """The place where the image will live. ``formats`` are those that the pool takes."""

    host: str
    pool: PoolFacts
    formats: tuple[str, ...]

    def filling(self) -> Filling:
        """Return what is kept of an image that will live there, as far as the place tells."""
        return Filling(self.host, self.pool.name, formats=self.formats)


@dataclass(frozen=True, slots=True)
class Inspected:
    """The place of the bytes, and what they are as far as that can be told before they are here."""

    source: Source
    facts: ImageFacts | None


class ImageImport:
    """The checks and decisions of one create; their result is what is kept of the image."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._tools = room.images

    async def decide(self, caller: Caller, document: Document) -> Filling:
        """Return what the image will be made from and how. Raise what the request deserves, naming the attribute."""
        if document.get(WHERE) is None and "size" not in document:
            raise Invalid("is missing; or give size, and then upload so many bytes", WHERE)
        if document.get(WHERE) is None:
            return await self._upload(document["size"], await self.place())
        inspected = await self.look(caller, document)
        return await self.way(inspected, await self.place())

    async def look(self, caller: Caller, document: Document) -> Inspected:
        """Return what there is at imageLocation. Raise Invalid or TooLarge."""
        location: str = document[WHERE]
        if location.partition("/")[0] in OURS:
            raise Invalid("is one of this gateway's own; give an image's href where images are used", WHERE)
        inspected = await (self._url(location) if is_url(location) else self._file(caller, location))
        size = inspected.source.size
        if size is not None:
            self._check_size(size, WHERE)
            if document.get("size", size) != size:
                raise Invalid(f"the file has {size} bytes, not {document['size']}", "size")
        return inspected

    async def of_package(self, place: Path | FilePart, parents: Sequence[Path | FilePart] = ()) -> Filling:
        """Return how an image is made of a file of a package, in the staging directory already or in an archive.

        ``parents`` are what it stands on, the nearest first.
        """
        with looking():
            facts = await self._tools.reader.inspect(place, delta=bool(parents))
        self._check_size(facts.file_size, "source")
        source = replace(PackageSource.of(place), parents=tuple(Location.of(parent) for parent in parents))
        if source.size is None:
            source = replace(source, size=facts.file_size)
        filling = await self.way(Inspected(source, facts), await self.place())
        if parents and not filling.unpacks:
            raise NotImplementedHere("a disk that stands on another one needs a pool of files; flatten it first")
        return filling

    async def place(self) -> Place:
        """Return where new images live: in the first pool of the first hypervisor. Raise Unavailable."""
        host, settings = next(iter(self._room.hypervisors.items()))
        driver: Driver = self._room.drivers[host]
        demand_up(driver)
        with translating():
            pool = await driver.storage.read_pool(settings.pool)
        return Place(host, pool, ("raw", "qcow2") if driver.storage.can_overlay(pool) else ("raw",))

    async def _upload(self, size: int, place: Place) -> Filling:
        self._check_size(size, "size")
        await demand_staging(self._room, size)
        return replace(place.filling(), source=UploadSource(size), way=Route.STAGED)

    async def _file(self, caller: Caller, location: str) -> Inspected:
        path = await asyncio.to_thread(local_file, self._tools, caller, location)
        with looking(WHERE):
            facts = await self._tools.reader.inspect(path)
        return Inspected(FileSource(str(path), size=facts.file_size), facts)

    async def _url(self, location: str) -> Inspected:
        try:
            with looking(WHERE):
                remote = await self._tools.fetcher.look(location, HEAD, TAIL)
        except DriverUnreachable as error:
            raise BadGateway(f"{WHERE}: {error}") from error
        facts = None
        if remote.ranges and remote.size:
            with looking(WHERE):
                facts = await self._tools.reader.recognise(remote.size, remote.head, remote.tail)
        return Inspected(UrlSource(location, remote.size, remote.ranges, remote.validator), facts)

    async def way(self, inspected: Inspected, place: Place) -> Filling:
        """Return how the bytes come into the pool. Raise NoSpace.

        The bytes go straight into the pool when format and size are known and stay as they are; else by the staging
        directory.
        """
        source, facts, filling = inspected.source, inspected.facts, replace(place.filling(), source=inspected.source)
        if facts is None:
            await demand_staging(self._room, source.size or 0)
            return replace(filling, way=Route.STAGED)
        kept = kept_format(facts.format, place.formats)
        unpacks = facts.unpacks and kept == "qcow2" and isinstance(source, PackageSource)
        direct = kept == facts.format or unpacks
        if direct:
            self._check_pool(source.size or 0, place.pool)
        else:
            await demand_staging(self._room, source.size or 0)
        return replace(
            filling,
            format=kept,
            virtual_size=facts.virtual_size,
            uefi=facts.uefi,
            unpacks=unpacks,
            source_format=facts.format if unpacks else "",
            way=Route.DIRECT if direct else Route.STAGED,
        )

    def _check_size(self, size: int, attribute: str) -> None:
        if size > self._tools.largest_file:
            raise TooLarge(f"{attribute}: {size} bytes; image files have at most {self._tools.largest_file}")

    def _check_pool(self, size: int, pool: PoolFacts) -> None:
        if size > pool.available:
            raise NoSpace(f"the pool {pool.name} has {pool.available} bytes free; the image needs {size}")

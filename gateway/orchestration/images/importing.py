"""What a new image will be made from and how: everything is looked at, nothing is written (DSP0263 5.14.7)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drivers.base import Driver, DriverBusy, DriverInvalid, DriverUnreachable, FilePart, ImageFacts, PoolFacts
from drivers.images.window import HEAD, TAIL
from gateway.errors import BadGateway, Invalid, NoSpace, NotImplementedHere, TooLarge
from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.driver_errors import translated, translating
from gateway.orchestration.common.resource_service import Room
from gateway.orchestration.common.unconfigured import demand_up
from gateway.orchestration.images.promises import demand_staging
from gateway.orchestration.images.source import WHERE, is_url, local_file, place_facts
from gateway.orchestration.images.steps import kept_format
from gateway.store.model import Document

DIRECT_STEPS = ("copy image",)
STAGED_STEPS = ("stage image", "convert image", "copy image")
OURS = frozenset({"machines", "machineImages", "volumes", "volumeImages"})
WEIGHTS = {"stage image": 2, "convert image": 1, "copy image": 2}


@contextmanager
def looking(where: str | None = None) -> Iterator[None]:
    """Refuse what a reader refuses as the request's own fault, naming ``where``, and say 503 when no reader is free."""
    try:
        yield
    except DriverInvalid as error:
        raise Invalid(str(error), where) from error
    except DriverBusy as error:
        raise translated(error) from error


@dataclass(frozen=True, slots=True)
class Place:
    """Where the image will live. ``formats`` are those that the pool takes."""

    host: str
    pool: PoolFacts
    formats: tuple[str, ...]

    def facts(self) -> Document:
        return {"host": self.host, "pool": self.pool.name, "formats": list(self.formats)}


@dataclass(frozen=True, slots=True)
class Found:
    """Where the bytes are, and what they are as far as that can be told before they are here."""

    source: Document
    facts: ImageFacts | None


class ImageImport:
    """The checks and decisions of one create; the result are the image's internal facts."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._tools = room.images

    async def decide(self, caller: Caller, document: Document) -> Document:
        """Raises what the request deserves, naming the attribute."""
        if document.get(WHERE) is None and "size" not in document:
            raise Invalid("is missing; or give size, and then upload so many bytes", WHERE)
        if document.get(WHERE) is None:
            return await self._upload(document["size"], await self.place())
        found = await self.look(caller, document)
        return await self.way(found, await self.place())

    async def look(self, caller: Caller, document: Document) -> Found:
        """What there is at imageLocation."""
        location: str = document[WHERE]
        if location.partition("/")[0] in OURS:
            raise Invalid("is one of this gateway's own; give an image's href where images are used", WHERE)
        found = await (self._url(location) if is_url(location) else self._file(caller, location))
        size = found.source["size"]
        if size is not None:
            self._check_size(size, WHERE)
            if document.get("size", size) != size:
                raise Invalid(f"the file has {size} bytes, not {document['size']}", "size")
        return found

    async def of_package(self, place: Path | FilePart, parents: Sequence[Path | FilePart] = ()) -> Document:
        """The way of a part of a package, which lies in the staging directory already, or in an archive.

        ``parents`` are what it stands on, the nearest first.
        """
        with looking():
            facts = await self._tools.reader.inspect(place, delta=bool(parents))
        self._check_size(facts.file_size, "source")
        below = {"parents": [place_facts(parent) for parent in parents]} if parents else {}
        source = {"kind": "package", "size": facts.file_size, **place_facts(place), **below}
        way = await self.way(Found(source, facts), await self.place())
        if parents and not way.get("unpacks"):
            raise NotImplementedHere("a disk that stands on another one needs a pool of files; flatten it first")
        return way

    async def place(self) -> Place:
        host, settings = next(iter(self._room.hypervisors.items()))
        driver: Driver = self._room.drivers[host]
        demand_up(driver)
        with translating():
            pool = await driver.pool(settings.pool)
        return Place(host, pool, ("raw", "qcow2") if driver.can_overlay(pool) else ("raw",))

    async def _upload(self, size: int, place: Place) -> Document:
        self._check_size(size, "size")
        await demand_staging(self._room, size)
        source = {"kind": "upload", "size": size}
        return {**place.facts(), "source": source, "way": "staged"}

    async def _file(self, caller: Caller, location: str) -> Found:
        path = await asyncio.to_thread(local_file, self._tools, caller, location)
        with looking(WHERE):
            facts = await self._tools.reader.inspect(path)
        return Found({"kind": "file", "path": str(path), "size": facts.file_size}, facts)

    async def _url(self, location: str) -> Found:
        try:
            with looking(WHERE):
                remote = await self._tools.fetcher.look(location, HEAD, TAIL)
        except DriverUnreachable as error:
            raise BadGateway(f"{WHERE}: {error}") from error
        size, facts = remote.size, None
        if remote.ranges and size:
            with looking(WHERE):
                facts = await self._tools.reader.recognise(size, remote.head, remote.tail)
        source = {
            "kind": "url",
            "url": location,
            "size": size,
            "ranges": remote.ranges,
            "validator": remote.validator,
        }
        return Found(source, facts)

    async def way(self, found: Found, place: Place) -> Document:
        """Straight into the pool when format and size are known and stay as they are; else by the staging directory."""
        size, facts = found.source["size"], found.facts
        kept = kept_format(facts.format, list(place.formats)) if facts is not None else None
        unpacks = facts is not None and facts.unpacks and kept == "qcow2" and found.source["kind"] == "package"
        direct = facts is not None and (kept == facts.format or unpacks)
        if direct:
            self._check_pool(size, place.pool)
        else:
            await demand_staging(self._room, size or 0)
        known: dict[str, Any] = {}
        if facts is not None:
            known = {"format": kept, "virtual_size": facts.virtual_size, "uefi": facts.uefi or None}
        if unpacks and facts is not None:
            known |= {"unpacks": True, "source_format": facts.format}
        return {**place.facts(), **known, "source": found.source, "way": "direct" if direct else "staged"}

    def _check_size(self, size: int, attribute: str) -> None:
        if size > self._tools.largest_file:
            raise TooLarge(f"{attribute}: {size} bytes; image files have at most {self._tools.largest_file}")

    def _check_pool(self, size: int, pool: PoolFacts) -> None:
        if size > pool.available:
            raise NoSpace(f"the pool {pool.name} has {pool.available} bytes free; the image needs {size}")

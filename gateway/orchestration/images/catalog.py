"""The catalogue of images: shipped into the store from its file, and each fetched once, when it is first wanted."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from gateway import clock
from gateway.config.catalog import CatalogEntry
from gateway.errors import BadGateway, Conflict, MethodNotAllowed
from gateway.jobs.plan import StepContext
from gateway.orchestration.common.contract import Caller, Outcome, Role
from gateway.orchestration.common.permissions import demand, granted
from gateway.orchestration.common.resource_service import ResourceService
from gateway.orchestration.common.room import ImageTools, Room
from gateway.orchestration.common.step import At, ResourceStep, unless_stopped
from gateway.orchestration.images.facts import Filling, UrlSource
from gateway.orchestration.images.service import ImageService
from gateway.orchestration.images.sums import LARGEST, sum_of
from gateway.store.durable import Kept
from gateway.store.model import Document, Page, Query, Resource
from gateway.store.store import Store

SSH_USER = "sshUser"
"""Property of a MachineImage: who may log in by a Credential."""


@dataclass(frozen=True)
class KeptEntry(Kept):
    """The facts of a CatalogImage."""

    location: str = ""
    """The URL, or the absolute path, of the image."""


async def ship_catalog(store: Store, entries: Iterable[CatalogEntry], directories: Iterable[str]) -> None:
    """Bring the CatalogImages of the store to what the file of the catalogue says now.

    What is a file of this host is there as long as the file is.
    """
    places = [Path(directory) for directory in directories]
    wanted = {f"imageCatalog/{entry.key}": entry for entry in entries}
    located = {path: await asyncio.to_thread(_location, entry, places) for path, entry in wanted.items()}
    present = {entry.path: entry for entry in (await store.page(Query("CatalogImage"))).items}
    async with store.transaction() as transaction:
        for path in present.keys() - {path for path, location in located.items() if location}:
            await transaction.delete(path)
        for path, entry in wanted.items():
            shipped = _resource(path, entry, located[path])
            current = present.get(path)
            if not located[path]:
                continue
            if current is None:
                await transaction.insert(shipped)
            elif not _is_as(current, shipped):
                kept = {"image": current.document.get("image")}
                await transaction.update(replace(shipped.with_document(**kept), created=current.created))


def _location(entry: CatalogEntry, directories: list[Path]) -> str:
    """Return where the image of an entry is; empty for a file that is not there."""
    if not entry.is_file:
        return entry.location
    return next((str(place / entry.location) for place in directories if (place / entry.location).is_file()), "")


def _resource(path: str, entry: CatalogEntry, location: str) -> Resource:
    now = clock.now()
    document: Document = {
        "name": entry.name,
        "description": entry.description,
        "imageLocation": "" if entry.is_file else entry.location,
        "checksums": entry.checksums,
        "userName": entry.user,
        "firmware": entry.firmware,
        "cpuArch": entry.arch,
        "leastDisk": entry.least_disk,
        "leastMemory": entry.least_memory,
    }
    whole = {name: value for name, value in document.items() if value}
    return KeptEntry(location).on(Resource(path, "CatalogImage", None, whole, now, now))


def _is_as(current: Resource, shipped: Resource) -> bool:
    return current.with_document(image=None).document == shipped.document and current.internal == shipped.internal


class CatalogImageService(ResourceService):
    """The service of CatalogImages: everybody reads them, and whoever may add images has them fetched."""

    kind = "CatalogImage"
    computed = True

    async def read(self, caller: Caller, path: str) -> Resource:
        """Return the entry, with the image that was made of it while that is there."""
        return await self._true(await super().read(caller, path))

    async def list(self, caller: Caller, query: Query) -> Page:
        """Return the page of the entries."""
        page = await super().list(caller, query)
        return Page(tuple([await self._true(entry) for entry in page.items]), page.count)

    async def _true(self, entry: Resource) -> Resource:
        """Return the entry without an image that is gone."""
        image = await self._image_of(entry)
        return entry if image is not None or "image" not in entry.document else entry.with_document(image=None)

    async def _image_of(self, entry: Resource) -> Resource | None:
        """Return the image that was made, or is being made, of an entry; None where it is gone or is of no use."""
        image = await self.store.get(entry.document.get("image", {}).get("href", ""))
        return image if image is not None and image.state in ("CREATING", "AVAILABLE") else None

    def operations(self, caller: Caller, resource: Resource) -> tuple[str, ...]:
        """Return ``fetch`` for whoever may do it."""
        return ("fetch",) if granted(caller.role, self.kind, "fetch") else ()

    async def act(self, caller: Caller, path: str, action: str, document: Document) -> Outcome:
        """Fetch the image, unless it is there or on its way: then the Job waits for that.

        Raises MethodNotAllowed for another action, and what speaks against the image's bytes.
        """
        if action != "fetch":
            raise MethodNotAllowed(f"a CatalogImage has no action {action[:60]}", ("GET", "HEAD"))
        entry = await self.read(caller, path)
        demand(caller.role, self.kind, "fetch")
        new = None if "image" in entry.document else await self._new(entry)
        async with self.store.transaction() as transaction:
            entry = await self.current(transaction, path)
            image = await self._image_of(entry)
            if image is not None and image.state == "AVAILABLE":
                plan = self.plan(caller, "fetch", path, affected=(image.path,))
                job = await self.room.runner.completed(transaction, plan, "the image is here already")
                return Outcome(None, job, finished=True, location=image.path)
            if image is not None:
                steps = (AwaitImage(image.path),)
                plan = self.plan(caller, "fetch", path, steps=steps, locks=(image.path,), affected=(image.path,))
                return Outcome(None, await self.room.runner.submit(transaction, plan), False, location=image.path)
            if new is None:
                raise Conflict("the image went away meanwhile; try again")
            checksums = entry.document.get("checksums", "")
            first = (ReadSums(new.path, checksums, KeptEntry.of(entry).location),) if checksums else ()
            job = await self._images().begin_fetch(transaction, caller, new, path, first)
            await transaction.update(entry.with_document(image={"href": new.path}))
            return Outcome(None, job, finished=False, location=new.path)

    def _images(self) -> ImageService:
        service = self.room.services["MachineImage"]
        assert isinstance(service, ImageService)
        return service

    async def _new(self, entry: Resource) -> Resource:
        """Return the image that is to be made of an entry, whose bytes were looked at."""
        said = entry.document
        properties = {
            SSH_USER: said.get("userName", ""),
            "firmware": said.get("firmware", ""),
            "leastMemory": str(said.get("leastMemory", "")),
        }
        document: Document = {
            "name": said["name"],
            "description": said.get("description"),
            "imageLocation": KeptEntry.of(entry).location,
            "properties": {name: value for name, value in properties.items() if value},
        }
        # The admin has chosen the place; whoever wants the image has not.
        admin = Caller("", Role.ADMIN, "")
        return await self._images().of_catalogue(admin, document)


@dataclass(frozen=True)
class ReadSums(ResourceStep):
    """The step that reads which sum the bytes of an image must have, by whoever gives it."""

    name = "read checksums"
    checksums: str
    location: str

    async def run(self, at: At) -> None:
        """Keep the sum for the steps that bring the bytes. Raises BadGateway where there is none."""
        text = await unless_stopped(at.job, _text(at.room.images, self.checksums))
        name = unquote(urlsplit(self.location).path.rpartition("/")[2])
        expected = sum_of(text, name, alone=self.checksums.startswith(self.location))
        if expected is None:
            raise BadGateway(f"{self.checksums} has no SHA-256 or SHA-512 of {name}")
        async with at.room.store.transaction() as transaction:
            image = await transaction.get(at.resource.path)
            source = Filling.of(image).source if image is not None else None
            if image is not None and isinstance(source, UrlSource):
                stated = replace(source.stated, checksum=expected)
                await transaction.update(Filling.changed(image, source=replace(source, stated=stated)))
        await at.job.log(f"{name} must have the sum {expected}")


async def _text(tools: ImageTools, url: str) -> str:
    """Return a text at a URL. Raises BadGateway for one that is no file of checksums by its size."""
    data, remote = bytearray(), await tools.fetcher.look(url, 1, 1)
    async with aclosing(tools.fetcher.fetch(url, remote)) as pieces:
        async for piece in pieces:
            data += piece
            if len(data) > LARGEST:
                raise BadGateway(f"{url} is no file of checksums: it has more than {LARGEST} bytes")
    return data.decode(errors="replace")


@dataclass(frozen=True)
class AwaitImage(ResourceStep):
    """The step of a Job that had to wait for the lock of an image which another Job was fetching."""

    name = "await image"

    async def run_in(self, room: Room, job: StepContext) -> None:
        """Raise Conflict when the image did not come."""
        image = await room.store.get(self.resource)
        if image is None or image.state != "AVAILABLE":
            raise Conflict("the image did not come: the Job that fetched it has failed; fetch it again")


CATALOG_STEPS: tuple[type[ResourceStep], ...] = (ReadSums, AwaitImage)

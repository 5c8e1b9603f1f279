"""MachineImages: imported from files and URLs, uploaded, downloaded, deleted (DSP0263 5.14.7)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from drivers.base import FilePart
from gateway.errors import Conflict, Invalid, NotFound
from gateway.jobs.plan import Plan
from gateway.orchestration.common.contract import Caller, IncomingPart, Outcome, Part, Readable, Role, Writable
from gateway.orchestration.common.first_answers import Request, Write, answer_once
from gateway.orchestration.common.hosts import translating
from gateway.orchestration.common.interrupting import interrupt
from gateway.orchestration.common.permissions import changeable, demand, granted
from gateway.orchestration.common.resource_service import ResourceService, new_resource
from gateway.orchestration.common.room import Room
from gateway.orchestration.common.step import ResourceStep
from gateway.orchestration.images.facts import Filling, KeptImage, Route, UploadSource
from gateway.orchestration.images.importing import ImageImport
from gateway.orchestration.images.promises import demand_few_waiting, demand_staging
from gateway.orchestration.images.source import without_query
from gateway.orchestration.images.steps import DeleteImage, SettleImage, filling_steps
from gateway.orchestration.images.uploading import Receiver, Uploads, must_wait, waits
from gateway.store.model import Document, Resource
from gateway.store.transaction import Transaction


@dataclass(frozen=True, slots=True)
class StoredBytes:
    """The ``size`` bytes that a download gives of an image."""

    image: Resource
    size: int
    service: ImageService

    @property
    def name(self) -> str:
        """Return the name that the file has in its pool."""
        return KeptImage.of(self.image).volume

    @property
    def tag(self) -> str:
        """Return what stands for these bytes: those of an image never change."""
        return f"{self.image.path.rpartition('/')[2]}-{self.size}"

    def pieces(self, offset: int, length: int) -> AsyncGenerator[bytes, None]:
        """Yield so many bytes from ``offset`` on."""
        kept, driver = KeptImage.of(self.image), self.service.room.driver(self.image)
        return driver.storage.download_volume(kept.pool, kept.volume, offset, length)


@dataclass(frozen=True, slots=True)
class AwaitedBytes:
    """An image that waits for its bytes, ``received`` of which are here, and who sends the others."""

    resource: Resource
    received: int
    caller: Caller
    service: ImageService

    @asynccontextmanager
    async def receive(self, part: Part) -> AsyncIterator[IncomingPart]:
        """Take a part of the bytes."""
        async with self.service.receive(self.caller, self.resource.path, part) as receiver:
            yield ArrivingBytes(receiver, self)


@dataclass(frozen=True, slots=True)
class ArrivingBytes:
    """A part of an image's bytes that is being received."""

    receiver: Receiver
    awaited: AwaitedBytes

    @property
    def offset(self) -> int:
        """Return how many bytes of the image are here."""
        return self.receiver.offset

    async def write(self, piece: bytes) -> None:
        """Put the next bytes down."""
        await self.receiver.write(piece)

    async def done(self) -> Outcome | None:
        """Return the Job that makes an image of the bytes, once all of them are here."""
        await self.receiver.done()
        if not self.receiver.complete:
            return None
        return await self.awaited.service.uploaded(self.awaited.caller, self.awaited.resource.path)


class ImageService(ResourceService):
    """The common part of MachineImages and VolumeImages."""

    catalogue = True

    def __init__(self, room: Room, kind: str | None = None) -> None:
        super().__init__(room, kind)
        self._uploads = Uploads(room.images.staging)

    def operations(self, caller: Caller, resource: Resource) -> tuple[str, ...]:
        """Return the operations that the caller may do now, ``upload`` and ``download`` by the image's state."""
        verbs = super().operations(caller, resource)
        if waits(resource) and changeable(caller, resource) and granted(caller.role, self.kind, "upload"):
            verbs = (*verbs, "upload")
        if _can_be_downloaded(resource) and granted(caller.role, self.kind, "download"):
            verbs = (*verbs, "download")
        return verbs

    # Create

    async def prepare(self, caller: Caller, collection: str, document: Document) -> Write:
        """Check a create, and return what writes the image and begins its Job."""
        return partial(self._accept, caller, collection, await self.make(caller, document))

    async def add_of_package(
        self, caller: Caller, document: Document, place: Path | FilePart, parents: Sequence[Path | FilePart] = ()
    ) -> Outcome:
        """Make an image of a file of a package, the caller's alone; the caller's key makes it one, however often asked.

        ``parents`` are the files that it stands on, the nearest first.
        """
        demand(caller.role, self.kind, "add")
        collection = self.type.segment

        async def prepare() -> Write:
            image = self._image(caller, document, await ImageImport(self.room).of_package(place, parents))
            return partial(self._accept, caller, collection, replace(image, shared=False))

        return await answer_once(self.store, caller, self.of_package(document), prepare)

    def of_package(self, document: Document) -> Request:
        """Return the request that ``add_of_package`` is by its document."""
        return Request(self.kind, self.type.segment, document)

    async def _accept(self, caller: Caller, collection: str, image: Resource, transaction: Transaction) -> Outcome:
        await self._demand_promises(caller, image)
        await transaction.insert(image)
        kept = Filling.of(image)
        if isinstance(kept.source, UploadSource):
            plan = self.plan(caller, "add", collection, affected=(image.path,))
            job = await self.room.runner.completed(transaction, plan, "the image waits for its bytes")
            return Outcome(image, job, finished=True)
        plan = self._plan(caller, "add", collection, image, filling_steps(image.path, kept.way))
        return await self.begun(transaction, image, plan)

    async def _demand_promises(self, caller: Caller, image: Resource) -> None:
        """Raise Conflict or NoSpace for what was promised to another meanwhile: nobody else writes now."""
        kept = Filling.of(image)
        if isinstance(kept.source, UploadSource):
            await demand_few_waiting(self.room, caller.project)
        if kept.way is Route.STAGED:
            size = kept.source.size if kept.source is not None else None
            await demand_staging(self.room, size or 0)

    async def make(self, caller: Caller, document: Document) -> Resource:
        """Return a new image of the bytes that the document names. Raises what speaks against them."""
        if document.get("type", "IMAGE") != "IMAGE":
            raise Invalid("only what is taken from a Machine can be a snapshot; bytes make an IMAGE", "type")
        return self._image(caller, document, await ImageImport(self.room).decide(caller, document))

    async def of_catalogue(self, caller: Caller, document: Document) -> Resource:
        """Return a new image of a catalogue, everybody's and nobody's. Raises what speaks against its bytes."""
        image = self._image(caller, document, await ImageImport(self.room).decide(caller, document))
        return replace(image, project=None, shared=True)

    async def begin_fetch(
        self, transaction: Transaction, caller: Caller, image: Resource, entry: str, first: tuple[ResourceStep, ...]
    ) -> str:
        """Write the image of an entry of the catalogue, begin its Job with these steps, and return the Job's path."""
        await self._demand_promises(caller, image)
        await transaction.insert(image)
        steps = (*first, *filling_steps(image.path, Filling.of(image).way))
        plan = replace(self._plan(caller, "add", entry, image, steps), action="fetch")
        return (await self.begun(transaction, image, plan)).job

    def _image(self, caller: Caller, document: Document, filling: Filling) -> Resource:
        image = new_resource(self.kind, caller.project, {**document, "state": "CREATING"})
        name = f"cimi-image-{image.path.rpartition('/')[2]}.{filling.format or 'img'}"
        location = document.get("imageLocation")
        image = image.with_document(**self.given(document), imageLocation=without_query(location) if location else None)
        return replace(replace(filling, volume=name).on(image), shared=caller.role is Role.ADMIN)

    def given(self, document: Document) -> Document:
        """Return the attributes that the type adds to a new image."""
        return {}

    def _plan(self, caller: Caller, action: str, target: str, image: Resource, steps: tuple[ResourceStep, ...]) -> Plan:
        return self.plan(
            caller,
            action,
            target,
            steps=steps,
            locks=(image.path,),
            affected=(image.path,),
            drop_on_success=(image.path,) if action == "delete" else (),
            drop_on_failure=(image.path,) if action == "add" else (),
            settle=SettleImage(image.path, action),
        )

    # Bytes

    async def readable(self, caller: Caller, path: str, action: str, parameters: Mapping[str, str]) -> Readable:
        """Return the image's bytes for a download. Raises Conflict while there are none."""
        return await self.stored(caller, path)

    async def writable(self, caller: Caller, path: str, action: str) -> Writable:
        """Return the image that takes an upload. Raises NotFound or Conflict for one that does not wait for bytes."""
        image, received = await self.received(caller, path)
        return AwaitedBytes(image, received, caller, self)

    async def received(self, caller: Caller, path: str) -> tuple[Resource, int]:
        """Return the waiting image, and how many of its bytes are here."""
        image = await self.to_change(caller, path, "upload")
        must_wait(image)
        return image, await self._uploads.received(image)

    @asynccontextmanager
    async def receive(self, caller: Caller, path: str, part: Part) -> AsyncIterator[Receiver]:
        """Give what takes the bytes of a part; when they are complete, call ``uploaded`` before leaving."""
        await self.to_change(caller, path, "upload")
        with self._uploads.claim(path):
            # Read again under the claim: another request may have completed the upload meanwhile.
            image = await self.to_change(caller, path, "upload")
            must_wait(image)
            async with await self._uploads.receiver(image, part) as receiver:
                yield receiver

    async def uploaded(self, caller: Caller, path: str) -> Outcome:
        """Begin the job that makes an image of the bytes, which are all here."""
        async with self.store.transaction() as transaction:
            image = await transaction.get(path)
            if image is None:
                raise NotFound(f"{path} is gone")
            must_wait(image)
            plan = self._plan(caller, "upload", path, image, filling_steps(path, Route.STAGED))
            job = await self.room.runner.submit(transaction, plan)
            image = await transaction.update(image.with_document(state="CREATING").held(job))
        return Outcome(image, job, finished=False)

    async def stored(self, caller: Caller, path: str) -> StoredBytes:
        """Return what may be downloaded. Raise Conflict while there is nothing yet."""
        image = await self.read(caller, path)
        demand(caller.role, self.kind, "download")
        if image.state != "AVAILABLE":
            raise Conflict(f"the image is {image.state}, not AVAILABLE")
        kept = KeptImage.of(image)
        if not kept.has_bytes:
            raise Conflict("a snapshot lies in the disks of its Machine and has no bytes of its own")
        with translating():
            facts = await self.room.driver(image).storage.read_volume(kept.pool, kept.volume)
        return StoredBytes(image, facts.physical, self)

    # Delete

    async def delete(self, caller: Caller, path: str, version: int | None) -> Outcome:
        """Begin the removal of the image; one that is being made is stopped first."""
        image = await self.to_change(caller, path, "delete", version)
        if image.state == "DELETING":
            raise Conflict("the image is being deleted already")
        await self.may_go(image)
        if image.state == "CREATING" and image.held_by is not None:
            await interrupt(self.room.runner, image, f"delete was asked by {caller.user}")
            # What the stopped Job has made of it is no change of somebody else's.
            version = None
            if await self.store.get(path) is None:
                return await self.drop(caller, path)
        async with self.store.transaction() as transaction:
            current = await self.current(transaction, path, version)
            if current.state == "DELETING" or current.held_by not in (None, image.held_by):
                raise Conflict(f"the image is {current.state}: another request came first")
            # Once more: nobody else writes now, so that nobody begins to use it meanwhile.
            await self.may_go(current)
            plan = self._plan(caller, "delete", path, current, (DeleteImage(path),))
            job = await self.room.runner.submit(transaction, plan)
            taken = await transaction.update(current.with_document(state="DELETING").held(job))
        return Outcome(taken, job, finished=False)


def _can_be_downloaded(image: Resource) -> bool:
    return image.state == "AVAILABLE" and KeptImage.of(image).has_bytes

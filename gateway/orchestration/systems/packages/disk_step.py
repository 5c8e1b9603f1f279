"""The bytes of a package become images. Each begins as soon as its own bytes can be read, before the rest is here."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from drivers.base import DriverInvalid, FilePart
from drivers.images.window import stamp_at
from gateway.errors import Invalid
from gateway.orchestration.common.contract import Caller, Outcome, Role
from gateway.orchestration.common.first_answers import first_answer
from gateway.orchestration.common.step import unless_stopped
from gateway.orchestration.common.tries import Tries
from gateway.orchestration.images.promises import promised
from gateway.orchestration.images.service import ImageService
from gateway.orchestration.systems.nested import demand_success, service_of, shares_done, together
from gateway.orchestration.systems.packages.asking import once, take_back
from gateway.orchestration.systems.packages.composing import needed_bytes
from gateway.orchestration.systems.packages.composing_machines import Bytes, kilobytes
from gateway.orchestration.systems.packages.folder import CHANGED, DESCRIPTOR, Archive, Arrivals, Folder, FolderSink
from gateway.orchestration.systems.packages.import_step import ImportStep
from gateway.orchestration.systems.packages.notes import ARRIVED, IMAGES, Arrived
from gateway.orchestration.systems.packages.sources import WHERE, Sources
from gateway.orchestration.systems.packages.step import PackageAt
from gateway.orchestration.systems.packages.wishes import certified, look_over, put_aside
from gateway.orchestration.volumes.pools import KILOBYTE, whole
from gateway.ovf.model import Envelope
from gateway.ovf.names import disk_format
from gateway.ovf.package import Package

COMING_SHARE = 0.4
"""Share of the work until a package is here and summed; the rest is that of its images."""


@dataclass(slots=True)
class Import:
    """A run of the step. ``images`` and ``jobs`` are paths, by what of the package they are of."""

    at: PackageAt
    caller: Caller
    folder: Folder
    arrivals: Arrivals = field(default_factory=Arrivals)
    wanted: tuple[Bytes, ...] = ()
    images: dict[str, str] = field(default_factory=dict)
    jobs: dict[str, str] = field(default_factory=dict)
    come: float = 0.0
    """The share of the package that is here."""


@dataclass(frozen=True)
class ImportDisks(ImportStep):
    """The step that makes a MachineImage of each disk that is booted from, a VolumeImage of each other file.

    Meanwhile each file is compared with what descriptor and manifest say of it: where one lies, no image stays.
    """

    name = "import disks"
    weight: ClassVar[int] = 10

    async def run(self, at: PackageAt) -> None:
        """Make the images, or go on with it."""
        folder = at.folder()
        if await folder.noted(IMAGES) is not None:
            return
        await folder.prepare()
        work = Import(at, self.caller.caller(at.job.job), folder)
        importing = asyncio.create_task(self._import_all(work))
        fetching = asyncio.create_task(self._fetch(work))
        try:
            await asyncio.wait({importing, fetching}, return_when=asyncio.FIRST_COMPLETED)
            if importing.done():
                await importing
            await fetching
            async with at.job.resting():
                await together(at.job, [_end_of(importing)], lambda: self._progress(work))
        finally:
            importing.cancel()
            fetching.cancel()
            await asyncio.gather(importing, fetching, return_exceptions=True)
        await self._share(work)
        await folder.note(IMAGES, work.images)
        envelope = await work.arrivals.envelope
        for part in work.wanted:
            await asyncio.to_thread(folder.file(envelope, part.file).unlink, missing_ok=True)

    async def _share(self, work: Import) -> None:
        """Share with every user what an admin adds to the catalogue, now that its sums are known to be right."""
        if not self.of_template or work.caller.role is not Role.ADMIN:
            return
        async with work.at.room.store.transaction() as transaction:
            for path in work.images.values():
                image = await transaction.get(path)
                if image is not None:
                    await transaction.update(replace(image, shared=True))

    def _progress(self, work: Import) -> None:
        made = shares_done(work.at.room, work.jobs) / max(1, len(work.wanted))
        work.at.job.progress(round(1000 * (COMING_SHARE * work.come + (1 - COMING_SHARE) * made)), 1000)

    # What comes

    async def _fetch(self, work: Import) -> None:
        """Bring everything into the folder, or find it in the archive, and tell those who wait for it."""
        folder, at = work.folder, work.at
        if await folder.noted(ARRIVED) is not None:
            await folder.recall(work.arrivals, at.reader())
            work.come = 1.0
            return
        archive = Archive(self.source.archive, await _stamp(self.source.archive))
        async with promised(at.room, f"{at.job.job}/{self.name}", 0) as coming:

            def moved(done: int, total: int) -> None:
                coming.came(sink.put_down - coming.come)
                work.come = done / max(1, total)
                self._progress(work)

            async def check(envelope: Envelope) -> None:
                await coming.demand(await self._checked(archive, envelope))

            sink = FolderSink(folder, archive, work.arrivals, check, moved)
            sources = Sources(at.room.images, work.caller, at.reader())
            package = await unless_stopped(at.job, sources.read(self.source, sink))
            await sink.end()
        if await _stamp(archive.path) != archive.stamp:
            raise Invalid(CHANGED, WHERE)
        await self._tell(at, package)
        await folder.write(DESCRIPTOR, package.descriptor)
        path = str(archive.path) if archive.path is not None else None
        arrived = Arrived(package.verified, package.certificate, path, archive.stamp, sink.parts)
        await folder.note(ARRIVED, arrived)

    async def _checked(self, archive: Archive, envelope: Envelope) -> int:
        """Return how many bytes are to be put down. Raise what the package deserves: only the descriptor has come."""
        await asyncio.to_thread(look_over, envelope, self.wishes)
        coming = [file for file in envelope.files if archive.path is None or file.gzip or file.chunk_size is not None]
        return sum(file.size or 0 for file in coming)

    async def _tell(self, at: PackageAt, package: Package) -> None:
        words = "its manifest was verified" if package.verified else "it has no manifest"
        await at.job.log(f"the package is here: {len(package.envelope.files)} files; {words}")
        if package.certificate is not None:
            words = certified(package.certificate)
            await at.job.log(f"certificate: {words}", "info" if package.certificate.signs else "warning")
        deployed = await asyncio.to_thread(self.wishes.deploy, package.envelope)
        for aside in put_aside(package.envelope, deployed):
            await at.job.log(f"not obeyed: {aside}", "warning")

    # What becomes of it

    async def _import_all(self, work: Import) -> None:
        envelope = await work.arrivals.envelope
        deployed = await asyncio.to_thread(self.wishes.deploy, envelope)
        work.wanted = await asyncio.to_thread(needed_bytes, envelope, deployed)
        works: list[Coroutine[Any, Any, None]] = [self._import(work, part) for part in work.wanted]
        await together(work.at.job, works, lambda: None)

    async def _import(self, work: Import, part: Bytes) -> None:
        place = await work.arrivals.place(part.file)
        parents = [await work.arrivals.place(parent) for parent in part.parents]
        outcome = await self._ask(work, part, place, parents)
        work.jobs[part.key] = outcome.job
        await demand_success(work.at.room, outcome.job, f"{part.kind} {part.name!r}")
        assert outcome.resource is not None
        work.images[part.key] = outcome.resource.path
        await work.at.job.log(f"{part.name!r} is {outcome.resource.path}")

    async def _ask(self, work: Import, part: Bytes, place: Path | FilePart, parents: list[Path | FilePart]) -> Outcome:
        room = work.at.room
        service = service_of(room, part.kind)
        assert isinstance(service, ImageService)
        asking = once(work.caller, work.at.job.job, part.key)
        document = {"name": part.name}
        async with room.store.transaction() as transaction:
            before = await first_answer(transaction, asking, service.of_package(document))
        if before is not None:
            return before
        await self._demand_honest(work, part, place)
        return await service.add_of_package(asking, document, place, parents)

    async def _demand_honest(self, work: Import, part: Bytes, place: Path | FilePart) -> None:
        """Raise Invalid for a file of another format than the descriptor says, or larger than the disk made for it."""
        room = work.at.room
        try:
            reader, delta = room.images.reader, bool(part.parents)
            tries = Tries(room.store, work.at.job.job)
            facts = await tries.of(f"looking at {part.name!r}", lambda: reader.inspect(place, delta=delta))
        except DriverInvalid as error:
            raise Invalid(f"{part.name}: {error}", WHERE) from error
        said = disk_format(part.format) if part.format else None
        if said is not None and facts.format != said:
            raise Invalid(f"{part.name}: the descriptor says {said}, but its file is {facts.format}", WHERE)
        if part.capacity is not None and facts.virtual_size > whole(kilobytes(part.capacity) * KILOBYTE):
            raise Invalid(
                f"{part.name}: the descriptor says {part.capacity} bytes, but its file is a disk of "
                f"{facts.virtual_size}",
                WHERE,
            )

    async def undo(self, at: PackageAt) -> None:
        """Delete the images that were made."""
        async with at.job.resting():
            await take_back(at.room, at.job, self.caller.caller(at.job.job), frozenset({"MachineImage", "VolumeImage"}))


async def _stamp(archive: Path | None) -> str:
    """Return what is another one after every change of a local archive."""
    try:
        return await asyncio.to_thread(stamp_at, archive) if archive is not None else ""
    except DriverInvalid as error:
        raise Invalid(str(error), WHERE) from error


async def _end_of(task: asyncio.Task[None]) -> None:
    await task

"""The bytes of a package become images. Each begins as soon as its own bytes can be read, before the rest is here."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from drivers.base import DriverInvalid, FilePart
from drivers.images.window import stamp_at
from gateway.errors import Invalid
from gateway.jobs.plan import StepContext
from gateway.orchestration.common.contract import Caller, Outcome
from gateway.orchestration.common.first_answers import first_answer
from gateway.orchestration.common.permissions import Role
from gateway.orchestration.common.steps import unless_stopped
from gateway.orchestration.common.tries import Tries
from gateway.orchestration.images.promises import demand_staging
from gateway.orchestration.images.service import ImageService
from gateway.orchestration.systems.nested import caller_of, service_of, shares_done, together
from gateway.orchestration.systems.packages.asking import once, succeeded, take_back
from gateway.orchestration.systems.packages.composing import needed_bytes
from gateway.orchestration.systems.packages.composing_machines import Bytes, kilobytes
from gateway.orchestration.systems.packages.folder import CHANGED, DESCRIPTOR, PACKAGE, Arrivals, Folder, FolderSink
from gateway.orchestration.systems.packages.importing import Wishes, certified, look_over, told_aside
from gateway.orchestration.systems.packages.sources import WHERE, Sources
from gateway.orchestration.systems.packages.step import IMAGES, Arguments, PackageStep
from gateway.orchestration.volumes.pools import KILOBYTE, whole
from gateway.ovf.model import Envelope
from gateway.ovf.names import disk_format
from gateway.ovf.package import Package

COMING_SHARE = 0.4
"""Of the work, until a package is here and summed; the rest is that of its images."""


@dataclass(slots=True)
class Import:
    """One run of the step. ``images`` and ``jobs`` are paths, by what of the package they are of."""

    context: StepContext
    arguments: Arguments
    folder: Folder
    wishes: Wishes
    arrivals: Arrivals = field(default_factory=Arrivals)
    wanted: tuple[Bytes, ...] = ()
    images: dict[str, str] = field(default_factory=dict)
    jobs: dict[str, str] = field(default_factory=dict)
    come: float = 0.0
    """The share of the package that is here."""


class ImportDisks(PackageStep):
    """A MachineImage of each disk that is booted from, a VolumeImage of each other file, by their own Jobs.

    Meanwhile each file is compared with what descriptor and manifest say of it: where one lies, no image stays.
    """

    name = "import disks"

    async def run(self, context: StepContext, arguments: Arguments) -> None:
        folder = self.folder(context)
        if await folder.noted(IMAGES) is not None:
            return
        await folder.prepare()
        work = Import(context, arguments, folder, Wishes(**arguments["wishes"]))
        importing = asyncio.create_task(self._import_all(work))
        fetching = asyncio.create_task(self._fetch(work))
        try:
            await asyncio.wait({importing, fetching}, return_when=asyncio.FIRST_COMPLETED)
            if importing.done():
                await importing
            await fetching
            async with context.resting():
                await together(context, [_end_of(importing)], lambda: self._progress(work))
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
        """With every user, what an admin adds to the catalogue: only now that its sums are known to be right."""
        caller = caller_of(work.arguments, work.context.job)
        if work.arguments["kind"] != "SystemTemplate" or caller.role is not Role.ADMIN:
            return
        async with self.room.store.transaction() as transaction:
            for path in work.images.values():
                image = await transaction.get(path)
                if image is not None:
                    await transaction.update(replace(image, shared=True))

    def _progress(self, work: Import) -> None:
        made = shares_done(self.room, work.jobs) / max(1, len(work.wanted))
        work.context.progress(round(1000 * (COMING_SHARE * work.come + (1 - COMING_SHARE) * made)), 1000)

    # What comes

    async def _fetch(self, work: Import) -> None:
        """Everything into the folder, or found in the archive; told to those who wait for it."""
        folder, context = work.folder, work.context
        if await folder.noted(PACKAGE) is not None:
            await folder.recall(work.arrivals, self.reader(context))
            work.come = 1.0
            return
        archive = Sources.archive(work.arguments["source"])
        stamp = await _stamp(archive)

        def moved(done: int, total: int) -> None:
            work.come = done / max(1, total)
            self._progress(work)

        async def check(envelope: Envelope) -> None:
            await self._check(work.wishes, archive, envelope)

        sink = FolderSink(folder, check, moved, work.arrivals, archive, stamp)
        sources = Sources(self.room.images, caller_of(work.arguments, context.job), self.reader(context))
        package = await unless_stopped(context, sources.read(work.arguments["source"], sink))
        await sink.end()
        if await _stamp(archive) != stamp:
            raise Invalid(CHANGED, WHERE)
        await self._tell(context, package, work.wishes)
        await folder.write(DESCRIPTOR, package.descriptor)
        certificate = asdict(package.certificate) if package.certificate is not None else None
        known = {"verified": package.verified, "certificate": certificate}
        await folder.note(PACKAGE, {**known, "archive": str(archive), "stamp": stamp, "parts": sink.parts})

    async def _check(self, wishes: Wishes, archive: Path | None, envelope: Envelope) -> None:
        """Before anything but the descriptor has come."""
        await asyncio.to_thread(look_over, envelope, wishes)
        coming = [file for file in envelope.files if archive is None or file.gzip or file.chunk_size is not None]
        await demand_staging(self.room, sum(file.size or 0 for file in coming))

    async def _tell(self, context: StepContext, package: Package, wishes: Wishes) -> None:
        words = "its manifest was verified" if package.verified else "it has no manifest"
        await context.log(f"the package is here: {len(package.envelope.files)} files; {words}")
        if package.certificate is not None:
            words = certified(package.certificate)
            await context.log(f"certificate: {words}", "info" if package.certificate.signs else "warning")
        deployed = await asyncio.to_thread(wishes.deploy, package.envelope)
        for aside in told_aside(package.envelope, deployed):
            await context.log(f"not obeyed: {aside}", "warning")

    # What becomes of it

    async def _import_all(self, work: Import) -> None:
        envelope = await work.arrivals.envelope
        deployed = await asyncio.to_thread(work.wishes.deploy, envelope)
        work.wanted = await asyncio.to_thread(needed_bytes, envelope, deployed)
        works: list[Coroutine[Any, Any, None]] = [self._import(work, part) for part in work.wanted]
        await together(work.context, works, lambda: None)

    async def _import(self, work: Import, part: Bytes) -> None:
        place = await work.arrivals.place(part.file)
        parents = [await work.arrivals.place(parent) for parent in part.parents]
        outcome = await self._ask(work, part, place, parents)
        work.jobs[part.key] = outcome.job
        await succeeded(self.room, outcome.job, f"{part.kind} {part.name!r}")
        assert outcome.resource is not None
        work.images[part.key] = outcome.resource.path
        await work.context.log(f"{part.name!r} is {outcome.resource.path}")

    async def _ask(self, work: Import, part: Bytes, place: Path | FilePart, parents: list[Path | FilePart]) -> Outcome:
        service = service_of(self.room, part.kind)
        assert isinstance(service, ImageService)
        caller = caller_of(work.arguments, work.context.job)
        asking: Caller = once(caller, work.context.job, part.key)
        document = {"name": part.name}
        async with self.room.store.transaction() as transaction:
            known = await first_answer(transaction, asking, service.of_package(document))
        if known is not None:
            return known
        await self._demand_honest(work, part, place)
        return await service.add_of_package(asking, document, place, parents)

    async def _demand_honest(self, work: Import, part: Bytes, place: Path | FilePart) -> None:
        """The file is what the descriptor says: of its format, and no larger than the disk that is made for it."""
        try:
            reader, delta = self.room.images.reader, bool(part.parents)
            tries = Tries(self.room.store, work.context.job)
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

    async def undo(self, context: StepContext, arguments: Arguments) -> None:
        caller = caller_of(arguments, context.job)
        async with context.resting():
            await take_back(self.room, context, caller, frozenset({"MachineImage", "VolumeImage"}))


async def _stamp(archive: Path | None) -> str:
    """Another one after every change of a local archive."""
    try:
        return await asyncio.to_thread(stamp_at, archive) if archive is not None else ""
    except DriverInvalid as error:
        raise Invalid(str(error), WHERE) from error


async def _end_of(task: asyncio.Task[None]) -> None:
    await task

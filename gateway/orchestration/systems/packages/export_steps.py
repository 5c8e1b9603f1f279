"""The steps of an export. Each may be run again after a crash, and leaves nothing behind when it is undone."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from drivers.base import DriverBusy, DriverInvalid, DriverNotFound, DriverUnavailable, Power
from gateway import clock
from gateway.errors import GatewayError, Invalid
from gateway.jobs.plan import StepContext, Superseded
from gateway.orchestration.common.steps import PATIENCE, PAUSE, unless_stopped
from gateway.orchestration.images.pieces import ahead, of_file
from gateway.orchestration.images.promises import promised
from gateway.orchestration.systems.packages.destinations import Destination, identity, put_in_place, set_aside
from gateway.orchestration.systems.packages.folder import DESCRIPTOR, Folder
from gateway.orchestration.systems.packages.parts import DiskToPack
from gateway.orchestration.systems.packages.step import Arguments, PackageStep
from gateway.ovf.archive import Part, archive, archive_size
from gateway.ovf.manifest import write_manifest
from gateway.ovf.model import KILOBYTE, Disk
from gateway.ovf.reading import read_envelope
from gateway.ovf.writing import write_envelope
from gateway.store.model import Document
from gateway.store.store import uninterrupted

WRITTEN, PLACED = "written.json", "placed.json"
ACTIVE = frozenset({Power.RUNNING, Power.PAUSED, Power.SHUTTING_DOWN})


async def patiently(context: StepContext, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Work with a hypervisor, begun again for a while when that is away or busy."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            await work()
            return
        except (DriverUnavailable, DriverBusy) as error:
            if time.monotonic() > until:
                raise
            await context.log(f"waits for the hypervisor: {error}", "warning")
        if await context.wait_stop(PAUSE):
            raise Superseded


class WritingStep(PackageStep):
    """A step that puts files down, in the staging directory or at a destination."""

    async def _put(self, path: Path, pieces: AsyncGenerator[bytes, None]) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = await asyncio.to_thread(os.open, path, flags, 0o640)
        try:
            async with aclosing(pieces):
                async for piece in pieces:
                    await uninterrupted(self.room.images.staging.put(descriptor, piece))
        finally:
            await asyncio.to_thread(os.close, descriptor)


class PackDisk(WritingStep):
    """One disk as a streamOptimized vmdk in the folder; copied in the pool first where a guest may write it.

    With the last one's copy the resources need not stay as they are any more.
    """

    name = "pack disk"

    async def run(self, context: StepContext, arguments: Arguments) -> None:
        disk, folder = DiskToPack(**arguments["disk"]), self.folder(context)
        await folder.prepare()
        if not await asyncio.to_thread((folder.path / disk.file).exists):
            await self._pack(context, disk, folder, last=arguments.get("last", False))
        await patiently(context, lambda: self._drop_copy(context, disk))

    async def _pack(self, context: StepContext, disk: DiskToPack, folder: Folder, *, last: bool) -> None:
        pool, volume = disk.pool, disk.volume
        if not disk.as_it_is:
            await patiently(context, lambda: unless_stopped(context, self._copied(context, disk)))
            pool, volume = self._copy(context, disk)
            if last:
                await context.unlock()
        here = folder.path / f"{disk.id}.stored"
        await patiently(context, lambda: unless_stopped(context, self._fetched(context, disk, (pool, volume), here)))
        if last:
            await context.unlock()
        await patiently(context, lambda: self._drop_copy(context, disk))
        await unless_stopped(context, self._converted(context, disk, here, folder))
        await context.log(f"{disk.label} is {disk.file}")

    async def _fetched(self, context: StepContext, disk: DiskToPack, volume: tuple[str, str], here: Path) -> None:
        driver = self.room.drivers[disk.host]
        size = (await driver.volume(*volume)).physical
        # What an interrupted run has fetched takes no room from this one.
        await asyncio.to_thread(here.unlink, missing_ok=True)
        async with (
            promised(self.room, f"{context.job}/{disk.id}", size) as coming,
            aclosing(ahead(driver.download_volume(*volume, 0, size))) as pieces,
        ):
            await self._put(here, coming.counted(pieces))

    async def _converted(self, context: StepContext, disk: DiskToPack, here: Path, folder: Folder) -> None:
        try:
            found = await self.room.images.reader.inspect(here)
        except DriverInvalid as error:
            raise GatewayError(f"{disk.label}: {error}") from error
        part = folder.path / f"{disk.id}.part"
        await asyncio.to_thread(part.unlink, missing_ok=True)
        await self.room.images.staging.beside_the_reserve(
            self.room.images.converter.convert(here, found.format, part, "vmdk", found.virtual_size, context.progress)
        )
        await asyncio.to_thread(here.unlink)
        await asyncio.to_thread(part.rename, folder.path / disk.file)

    async def _copied(self, context: StepContext, disk: DiskToPack) -> None:
        """A flat copy, as of one moment where a guest writes it meanwhile."""
        driver, (pool, name) = self.room.drivers[disk.host], self._copy(context, disk)
        await self._drop_copy(context, disk)
        if disk.machine is not None and (await driver.domain(_uuid(disk))).power in ACTIVE:
            await driver.copy_active_disk(_uuid(disk), disk.target, pool, name, context.progress)
        else:
            await driver.clone_volume(
                pool,
                name,
                disk.volume,
                "qcow2",
                0,
                context.progress,
                base_pool=disk.pool,
                base_format=disk.format,
            )

    def _copy(self, context: StepContext, disk: DiskToPack) -> tuple[str, str]:
        pool = self.room.hypervisors[disk.host].pool
        return pool, f"cimi-package-{context.job.rpartition('/')[2]}-{disk.id}.qcow2"

    async def _drop_copy(self, context: StepContext, disk: DiskToPack) -> None:
        if disk.as_it_is:
            return
        driver, (pool, name) = self.room.drivers[disk.host], self._copy(context, disk)
        if disk.machine is not None:
            with suppress(DriverNotFound):
                await driver.discard_copy(_uuid(disk), pool, name)
        await driver.delete_volume(pool, name)

    async def undo(self, context: StepContext, arguments: Arguments) -> None:
        disk = DiskToPack(**arguments["disk"])
        await patiently(context, lambda: self._drop_copy(context, disk))


def _uuid(disk: DiskToPack) -> str:
    return str(disk.machine).rpartition("/")[2]


class WritePackage(PackageStep):
    """The descriptor, now that the sizes of the files are known."""

    name = "write package"

    async def run(self, context: StepContext, arguments: Arguments) -> None:
        await context.unlock()
        folder, files = self.folder(context), arguments["files"]
        await folder.prepare()
        paths = [folder.path / file["name"] for file in files]
        sizes = await asyncio.to_thread(lambda: [path.stat().st_size for path in paths])
        by_id = {file["id"]: size for file, size in zip(files, sizes, strict=True)}
        envelope = await asyncio.to_thread(read_envelope, arguments["descriptor"].encode())
        sized = tuple(replace(file, size=by_id[file.id]) for file in envelope.files)
        virtual = {file["id"]: await self._virtual_size(path) for file, path in zip(files, paths, strict=True)}
        disks = tuple(_as_large_as_its_file(disk, virtual) for disk in envelope.disks)
        await folder.write(DESCRIPTOR, write_envelope(replace(envelope, files=sized, disks=disks)))
        parts = [[file["name"], size] for file, size in zip(files, sizes, strict=True)]
        modified = int(clock.now().timestamp())
        await folder.note(WRITTEN, {"name": arguments["name"], "parts": parts, "modified": modified})
        for note in arguments.get("notes", ()):
            await context.log(f"left out: {note}", "warning")
        context.say("the package is written")

    async def _virtual_size(self, path: Path) -> int:
        """Return the bytes of the disk that is in a file of the package."""
        return (await self.room.images.reader.inspect(path)).virtual_size


def _as_large_as_its_file(disk: Disk, virtual: dict[str, int]) -> Disk:
    """Return the Disk with the size that its file says of itself: readers compare the two.

    A template may want a disk that is larger than the image on it; then the Disk says how large.
    """
    if disk.file is None:
        return disk
    size = virtual[disk.file]
    rounded = disk.kilobytes is not None and abs(disk.kilobytes * KILOBYTE - size) < KILOBYTE
    return replace(disk, capacity=str(size)) if rounded or size > int(disk.capacity) else disk


class StoredPackage:
    """A package that was written, as a stream."""

    def __init__(self, folder: Folder, facts: Document, descriptor: bytes) -> None:
        self._folder = folder
        self._descriptor = descriptor
        self._modified: int = facts["modified"]
        self.name: str = facts["name"]
        self.parts: list[tuple[str, int]] = [(name, size) for name, size in facts["parts"]]

    @classmethod
    async def found(cls, folder: Folder) -> StoredPackage | None:
        facts, descriptor = await folder.noted(WRITTEN), await folder.read(DESCRIPTOR)
        return cls(folder, facts, descriptor) if facts is not None and descriptor is not None else None

    @property
    def size(self) -> int:
        """Bytes of the archive."""
        return archive_size(self.name, self._descriptor, self.parts)

    def pieces(self) -> AsyncGenerator[bytes, None]:
        parts = [Part(name, size, partial(of_file, self._folder.path / name)) for name, size in self.parts]
        return archive(self.name, self._descriptor, parts, self._modified)


class DeliverPackage(WritingStep):
    """The package at its destination, whole or not at all; one that is there is replaced only where that was asked."""

    name = "deliver package"

    async def run(self, context: StepContext, arguments: Arguments) -> None:
        stored = await StoredPackage.found(self.folder(context))
        if stored is None:
            raise GatewayError("the package is gone")
        path, part = Path(arguments["path"]), _beside(context, arguments)
        destination = Destination(path, arguments["directory"], arguments.get("replace", False))
        try:
            await self._deliver(context, stored, part, destination)
        except OSError as error:
            raise Invalid(f"{path.name} cannot be written: {error.strerror or error}", "destination") from error
        await self._note(context)
        context.say(f"the package is at {path}")

    async def _deliver(self, context: StepContext, stored: StoredPackage, part: Path, destination: Destination) -> None:
        """Write it beside its place, and then give it its name. What an interrupted run has named already is known."""
        folder, path = self.folder(context), destination.path
        noted = await folder.noted(PLACED)
        if noted is not None and await asyncio.to_thread(identity, path) == noted:
            await asyncio.to_thread(_clear_away, part)
            return
        if destination.directory:
            await unless_stopped(context, self._unpacked(context, stored, part))
        else:
            await unless_stopped(context, self._put(part, stored.pieces()))
        written = await asyncio.to_thread(identity, part)
        await folder.note(PLACED, written or {})
        await asyncio.to_thread(put_in_place, part, destination)

    async def _note(self, context: StepContext) -> None:
        """The Job has no package of its own to be read."""
        async with self.room.store.transaction() as transaction:
            job = await transaction.get(context.job)
            if job is not None:
                await transaction.update(job.with_internal(delivered=True))

    async def _unpacked(self, context: StepContext, stored: StoredPackage, part: Path) -> None:
        """The files as they lie in the archive, with their manifest."""
        await asyncio.to_thread(shutil.rmtree, part, True)
        await asyncio.to_thread(part.mkdir)
        folder = self.folder(context)
        await self._put(part / f"{stored.name}.ovf", of_file(folder.path / DESCRIPTOR))
        sums = [(f"{stored.name}.ovf", await asyncio.to_thread(_sum, part / f"{stored.name}.ovf"))]
        for name, _size in stored.parts:
            await self._put(part / name, of_file(folder.path / name))
            sums.append((name, await asyncio.to_thread(_sum, part / name)))
        await asyncio.to_thread((part / f"{stored.name}.mf").write_bytes, write_manifest(sums))

    async def undo(self, context: StepContext, arguments: Arguments) -> None:
        part = _beside(context, arguments)
        await asyncio.to_thread(_bring_back, part, Path(arguments["path"]))


def _beside(context: StepContext, arguments: Arguments) -> Path:
    """Where it is written until it is whole."""
    path = Path(arguments["path"])
    return path.parent / f".{path.name}.{context.job.rpartition('/')[2]}"


def _bring_back(part: Path, path: Path) -> None:
    """Nothing of the new one stays, and the old one is in its place."""
    old = set_aside(part)
    if old.is_dir() and not path.exists():
        old.rename(path)
    _clear_away(part)


def _clear_away(part: Path) -> None:
    """Nothing is left beside the package that is in its place: neither of the new one nor of the one it replaced."""
    shutil.rmtree(set_aside(part), ignore_errors=True)
    if part.is_dir():
        shutil.rmtree(part, ignore_errors=True)
    else:
        part.unlink(missing_ok=True)


def _sum(path: Path) -> str:
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()

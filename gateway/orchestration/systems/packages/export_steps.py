"""The steps of an export. Each may be run again after a crash, and leaves nothing behind when it is undone."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from drivers.base import (
    BaseVolume,
    Driver,
    DriverBusy,
    DriverInvalid,
    DriverNotFound,
    DriverUnavailable,
    ImageFile,
    NewVolume,
    Power,
)
from drivers.threads import STAGING
from gateway import clock
from gateway.errors import GatewayError, Invalid
from gateway.jobs.plan import StepContext, StopRequested
from gateway.orchestration.common.open_file import OpenFile
from gateway.orchestration.common.step import PATIENCE, PAUSE, unless_stopped
from gateway.orchestration.images.pieces import ahead, of_file
from gateway.orchestration.images.promises import promised
from gateway.orchestration.systems.facts import KeptExport
from gateway.orchestration.systems.packages.destinations import Destination, identity, put_in_place, set_aside
from gateway.orchestration.systems.packages.folder import DESCRIPTOR, Folder
from gateway.orchestration.systems.packages.notes import PLACED, WRITTEN, FileIdentity, Written
from gateway.orchestration.systems.packages.parts import DiskToPack
from gateway.orchestration.systems.packages.step import PackageAt, PackageStep
from gateway.ovf.archive import Part, archive, archive_size
from gateway.ovf.manifest import write_manifest
from gateway.ovf.model import KILOBYTE, Disk
from gateway.ovf.reading import read_envelope
from gateway.ovf.writing import write_envelope
from gateway.store.durable import keyed

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
            raise StopRequested


async def put(at: PackageAt, path: Path, pieces: AsyncGenerator[bytes, None]) -> None:
    """Put a file down, in the staging directory or at a destination. Raises NoSpace."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    async with OpenFile(STAGING, lambda: os.open(path, flags, 0o640)) as file, aclosing(pieces):
        async for piece in pieces:
            await at.room.images.staging.put(file, piece)


@dataclass(frozen=True)
class PackDisk(PackageStep):
    """The step that packs a disk as a streamOptimized vmdk; one that a guest may write is copied in the pool first.

    The resources need not stay as they are any more once the last disk is copied.
    """

    name = "pack disk"
    weight: ClassVar[int] = 10
    disk: DiskToPack
    last: bool = False
    """No other disk of the package comes after this one."""

    async def run(self, at: PackageAt) -> None:
        """Pack the disk, unless that is done."""
        folder = at.folder()
        await folder.prepare()
        if not await asyncio.to_thread((folder.path / self.disk.file).exists):
            await self._pack(at, folder)
        await patiently(at.job, lambda: self._drop_copy(at))

    async def _pack(self, at: PackageAt, folder: Folder) -> None:
        disk = self.disk
        pool, volume = disk.pool, disk.volume
        if not disk.as_it_is:
            await patiently(at.job, lambda: unless_stopped(at.job, self._copied(at)))
            pool, volume = self._copy(at)
            if self.last:
                await at.job.unlock()
        here = folder.path / f"{disk.id}.stored"
        await patiently(at.job, lambda: unless_stopped(at.job, self._fetched(at, (pool, volume), here)))
        if self.last:
            await at.job.unlock()
        await patiently(at.job, lambda: self._drop_copy(at))
        await unless_stopped(at.job, self._converted(at, here, folder))
        await at.job.log(f"{disk.label} is {disk.file}")

    async def _fetched(self, at: PackageAt, volume: tuple[str, str], here: Path) -> None:
        driver = self._driver(at)
        size = (await driver.storage.read_volume(*volume)).physical
        # What an interrupted run has fetched takes no room from this one.
        await asyncio.to_thread(here.unlink, missing_ok=True)
        async with (
            promised(at.room, f"{at.job.job}/{self.disk.id}", size) as coming,
            aclosing(ahead(driver.storage.download_volume(*volume, 0, size))) as pieces,
        ):
            await put(at, here, coming.counted(pieces))

    async def _converted(self, at: PackageAt, here: Path, folder: Folder) -> None:
        images = at.room.images
        try:
            seen = await images.reader.inspect(here)
        except DriverInvalid as error:
            raise GatewayError(f"{self.disk.label}: {error}") from error
        part = folder.path / f"{self.disk.id}.part"
        await asyncio.to_thread(part.unlink, missing_ok=True)
        await images.staging.beside_the_reserve(
            images.converter.convert(
                ImageFile(here, seen.format), ImageFile(part, "vmdk"), seen.virtual_size, at.job.progress
            )
        )
        await asyncio.to_thread(here.unlink)
        await asyncio.to_thread(part.rename, folder.path / self.disk.file)

    async def _copied(self, at: PackageAt) -> None:
        """Make a flat copy, as of one moment where a guest writes the disk meanwhile."""
        disk, driver, (pool, name) = self.disk, self._driver(at), self._copy(at)
        await self._drop_copy(at)
        if disk.machine is not None and (await driver.domains.read(_uuid(disk.machine))).power in ACTIVE:
            await driver.copies.make(_uuid(disk.machine), disk.target, pool, name, at.job.progress)
        else:
            await driver.storage.clone_volume(
                NewVolume(pool, name, "qcow2", 0), BaseVolume(disk.volume, disk.pool, disk.format), at.job.progress
            )

    def _driver(self, at: PackageAt) -> Driver:
        return at.room.drivers[self.disk.host]

    def _copy(self, at: PackageAt) -> tuple[str, str]:
        """Return the pool of the copy, and its name there."""
        pool = at.room.hypervisors[self.disk.host].pool
        return pool, f"cimi-package-{at.job.job.rpartition('/')[2]}-{self.disk.id}.qcow2"

    async def _drop_copy(self, at: PackageAt) -> None:
        if self.disk.as_it_is:
            return
        driver, (pool, name) = self._driver(at), self._copy(at)
        if self.disk.machine is not None:
            with suppress(DriverNotFound):
                await driver.copies.discard(_uuid(self.disk.machine), pool, name)
        await driver.storage.delete_volume(pool, name)

    async def undo(self, at: PackageAt) -> None:
        """Remove the copy in the pool."""
        await patiently(at.job, lambda: self._drop_copy(at))


def _uuid(machine: str) -> str:
    return machine.rpartition("/")[2]


@dataclass(frozen=True)
class PackedFile:
    """A File of a package: its id in the descriptor, and its name in the package and in the folder."""

    id: str
    name: str


@dataclass(frozen=True)
class WritePackage(PackageStep):
    """The step that writes the descriptor, now that the sizes of the files are known."""

    name = "write package"
    descriptor: str
    files: tuple[PackedFile, ...] = ()
    notes: tuple[str, ...] = ()
    """What has no place in the package, for people."""
    package: str = keyed("name", default="")
    """Name of the package, without an ending."""

    async def run(self, at: PackageAt) -> None:
        """Write the descriptor."""
        await at.job.unlock()
        folder = at.folder()
        await folder.prepare()
        paths = [folder.path / file.name for file in self.files]
        sizes = await asyncio.to_thread(lambda: [path.stat().st_size for path in paths])
        by_id = {file.id: size for file, size in zip(self.files, sizes, strict=True)}
        envelope = await asyncio.to_thread(read_envelope, self.descriptor.encode())
        sized = tuple(replace(file, size=by_id[file.id]) for file in envelope.files)
        reader = at.room.images.reader
        seen = {file.id: await reader.inspect(path) for file, path in zip(self.files, paths, strict=True)}
        virtual = {identity: facts.virtual_size for identity, facts in seen.items()}
        disks = tuple(_as_large_as_its_file(disk, virtual) for disk in envelope.disks)
        await folder.write(DESCRIPTOR, write_envelope(replace(envelope, files=sized, disks=disks)))
        parts = tuple((file.name, size) for file, size in zip(self.files, sizes, strict=True))
        await folder.note(WRITTEN, Written(self.package, parts, int(clock.now().timestamp())))
        for note in self.notes:
            await at.job.log(f"left out: {note}", "warning")
        at.job.say("the package is written")


def _as_large_as_its_file(disk: Disk, virtual: dict[str, int]) -> Disk:
    """Return the Disk with the size that its file says of itself: readers compare the two. ``virtual`` is in bytes.

    A template may want a disk that is larger than the image on it; then the Disk says how large.
    """
    if disk.file is None:
        return disk
    size = virtual[disk.file]
    rounded = disk.kilobytes is not None and abs(disk.kilobytes * KILOBYTE - size) < KILOBYTE
    return replace(disk, capacity=str(size)) if rounded or size > int(disk.capacity) else disk


class StoredPackage:
    """A package that was written, as a stream."""

    def __init__(self, folder: Folder, written: Written, descriptor: bytes) -> None:
        self._folder = folder
        self._descriptor = descriptor
        self._modified = written.modified
        self.name = written.name
        self.parts = list(written.parts)
        """Names of the files, and their sizes in bytes."""

    @classmethod
    async def in_folder(cls, folder: Folder) -> StoredPackage | None:
        """Return the package that lies in a folder; None when there is none."""
        written, descriptor = await folder.noted(WRITTEN), await folder.read(DESCRIPTOR)
        return cls(folder, written, descriptor) if written is not None and descriptor is not None else None

    @property
    def size(self) -> int:
        """Return the bytes of the archive."""
        return archive_size(self.name, self._descriptor, self.parts)

    def pieces(self) -> AsyncGenerator[bytes, None]:
        """Yield the bytes of the archive."""
        parts = [Part(name, size, partial(of_file, self._folder.path / name)) for name, size in self.parts]
        return archive(self.name, self._descriptor, parts, self._modified)


@dataclass(frozen=True)
class DeliverPackage(PackageStep):
    """The step that puts the package to its destination, whole or not at all."""

    name = "deliver package"
    path: str
    directory: bool = False
    """A directory of files is written instead of an archive."""
    replace: bool = False
    """A package that is there is replaced."""

    async def run(self, at: PackageAt) -> None:
        """Put the package at its destination."""
        stored = await StoredPackage.in_folder(at.folder())
        if stored is None:
            raise GatewayError("the package is gone")
        path = Path(self.path)
        try:
            await self._deliver(at, stored, self._part(at))
        except OSError as error:
            raise Invalid(f"{path.name} cannot be written: {error.strerror or error}", "destination") from error
        await self._note(at)
        at.job.say(f"the package is at {path}")

    async def _deliver(self, at: PackageAt, stored: StoredPackage, part: Path) -> None:
        """Write it beside its place, and then give it its name, unless an interrupted run has done that already."""
        folder, destination = at.folder(), Destination(Path(self.path), self.directory, self.replace)
        placed = await folder.noted(PLACED)
        if placed is not None and await asyncio.to_thread(identity, destination.path) == placed:
            await asyncio.to_thread(_clear_away, part)
            return
        if destination.directory:
            await unless_stopped(at.job, self._unpacked(at, stored, part))
        else:
            await unless_stopped(at.job, put(at, part, stored.pieces()))
        written = await asyncio.to_thread(identity, part)
        await folder.note(PLACED, written or FileIdentity())
        await asyncio.to_thread(put_in_place, part, destination)

    async def _note(self, at: PackageAt) -> None:
        """Let the Job say that it has no package of its own to be read."""
        async with at.room.store.transaction() as transaction:
            job = await transaction.get(at.job.job)
            if job is not None:
                await transaction.update(KeptExport.changed(job, delivered=True))

    async def _unpacked(self, at: PackageAt, stored: StoredPackage, part: Path) -> None:
        """Write the files as they lie in the archive, with their manifest."""
        await asyncio.to_thread(shutil.rmtree, part, True)
        await asyncio.to_thread(part.mkdir)
        folder = at.folder()
        await put(at, part / f"{stored.name}.ovf", of_file(folder.path / DESCRIPTOR))
        sums = [(f"{stored.name}.ovf", await asyncio.to_thread(_sum, part / f"{stored.name}.ovf"))]
        for name, _size in stored.parts:
            await put(at, part / name, of_file(folder.path / name))
            sums.append((name, await asyncio.to_thread(_sum, part / name)))
        await asyncio.to_thread((part / f"{stored.name}.mf").write_bytes, write_manifest(sums))

    async def undo(self, at: PackageAt) -> None:
        """Bring back what was at the destination before."""
        await asyncio.to_thread(_bring_back, self._part(at), Path(self.path))

    def _part(self, at: PackageAt) -> Path:
        """Return where the package is written until it is whole."""
        path = Path(self.path)
        return path.parent / f".{path.name}.{at.job.job.rpartition('/')[2]}"


def _bring_back(part: Path, path: Path) -> None:
    """Remove what there is of the new one, and put the old one in its place."""
    old = set_aside(part)
    if old.is_dir() and not path.exists():
        old.rename(path)
    _clear_away(part)


def _clear_away(part: Path) -> None:
    """Leave nothing beside the package in its place: neither of the new one nor of the one that it replaced."""
    shutil.rmtree(set_aside(part), ignore_errors=True)
    if part.is_dir():
        shutil.rmtree(part, ignore_errors=True)
    else:
        part.unlink(missing_ok=True)


def _sum(path: Path) -> str:
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()

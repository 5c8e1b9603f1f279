"""The folder of a Job that works on a package, below the staging directory: files numbered as the descriptor does."""

from __future__ import annotations

import asyncio
import filecmp
import hashlib
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from drivers.base import FilePart
from drivers.threads import STAGING
from gateway.errors import Invalid
from gateway.orchestration.common.open_file import OpenFile
from gateway.orchestration.common.staging import Staging
from gateway.orchestration.systems.packages.notes import ARRIVED, BEGUN, Begun, Note
from gateway.ovf.model import Envelope, File
from gateway.ovf.package import PackageReader
from gateway.store.durable import from_document, to_document

DESCRIPTOR = "descriptor.ovf"
COMING = ".coming"
CHANGED = "the package is another one than at the beginning of this import; import it again"

T = TypeVar("T")


class Folder:
    """The folder of one Job. All methods leave the loop free."""

    def __init__(self, staging: Staging, job: str) -> None:
        self.staging = staging
        self.path = staging.folder(job)

    async def prepare(self) -> None:
        """Make the folder, unless it is there."""
        await asyncio.to_thread(self.path.mkdir, mode=0o700, parents=True, exist_ok=True)

    async def place(self, envelope: Envelope, identity: str) -> Path | FilePart:
        """Return where the content of a File lies: in the archive that it came in, or here."""
        arrived = await self.noted(ARRIVED)
        if arrived is None or arrived.archive is None or identity not in arrived.parts:
            return self.file(envelope, identity)
        return FilePart(Path(arrived.archive), *arrived.parts[identity], arrived.stamp)

    async def recall(self, arrivals: Arrivals, reader: PackageReader) -> None:
        """Tell those who wait what had come before a restart."""
        envelope = await self.envelope(reader)
        arrivals.envelope.set_result(envelope)
        for file in envelope.files:
            arrivals.arrived(file.id, await self.place(envelope, file.id))

    def file(self, envelope: Envelope, identity: str) -> Path:
        """Return where the content of a File is put: by its number, never by a name from the package."""
        numbers = {file.id: number for number, file in enumerate(envelope.files)}
        return self.path / f"file-{numbers[identity]}"

    async def write(self, name: str, content: bytes) -> None:
        """Write a file, whole or not at all. Raises NoSpace."""
        await asyncio.to_thread(self.staging.reserve.demand, self.path, len(content))
        await asyncio.to_thread(_write, self.path / name, content)

    async def read(self, name: str) -> bytes | None:
        """Return what a file holds; None when it is not there."""
        return await asyncio.to_thread(_read, self.path / name)

    async def envelope(self, reader: PackageReader) -> Envelope:
        """Return what the descriptor of the package says."""
        return await reader.envelope(await self.read(DESCRIPTOR) or b"")

    async def note(self, note: Note[T], value: T) -> None:
        """Write the value of a note. Raises NoSpace."""
        await self.write(note.file, json.dumps(to_document(value)).encode())

    async def noted(self, note: Note[T]) -> T | None:
        """Return the value of a note; None before it was written."""
        content = await self.read(note.file)
        return None if content is None else from_document(json.loads(content), note.kind)


class Arrivals:
    """The places where Files of a package can be read, for those who wait for one and not for all."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.envelope: asyncio.Future[Envelope] = self._loop.create_future()
        self._places: dict[str, asyncio.Future[Path | FilePart]] = {}

    def place(self, identity: str) -> asyncio.Future[Path | FilePart]:
        """Return what can be waited for: where a File can be read."""
        return self._places.setdefault(identity, self._loop.create_future())

    def arrived(self, identity: str, place: Path | FilePart) -> None:
        """Tell those who wait for a File where it can be read."""
        if not self.place(identity).done():
            self.place(identity).set_result(place)


@dataclass(frozen=True, slots=True)
class Archive:
    """The archive that a package comes in. ``path`` None: it is not on this host, or is none."""

    path: Path | None
    stamp: str
    """What shows whether the archive was changed."""


class FolderSink:
    """A gateway.ovf.package.Sink in the folder of a Job. Files that stand in a local archive as they are stay there.

    ``check`` is asked before anything but the descriptor comes; ``moved`` is told of bytes, those that came and all.
    """

    def __init__(
        self,
        folder: Folder,
        archive: Archive,
        arrivals: Arrivals,
        check: Callable[[Envelope], Awaitable[None]],
        moved: Callable[[int, int], None],
    ) -> None:
        self.parts: dict[str, tuple[int, int]] = {}
        """Offset and size of what stays in the archive, by the ids of Files."""
        self.put_down = 0
        """Bytes of Files whose sizes were said that were put down in the folder."""
        self._folder = folder
        self._archive = archive
        self._arrivals = arrivals
        self._check = check
        self._moved = moved
        self._envelope: Envelope
        self._total = 0
        self._written = 0

    async def described(self, envelope: Envelope) -> None:
        """Begin with the Files of a package that may come."""
        await self._check(envelope)
        await self._demand_the_same(envelope)
        self._envelope = envelope
        self._total = sum(file.size or 0 for file in envelope.files)
        self._arrivals.envelope.set_result(envelope)

    async def _demand_the_same(self, envelope: Envelope) -> None:
        """Raise Invalid when this is another package than before a restart: images of that one may be there."""
        now = Begun(self._archive.stamp, await asyncio.to_thread(_described, envelope))
        before = await self._folder.noted(BEGUN)
        if before is None:
            await self._folder.note(BEGUN, now)
        elif before != now:
            raise Invalid(CHANGED, "source")

    async def put(self, file: File, pieces: AsyncIterator[bytes], chunk: int, stands: tuple[int, int] | None) -> None:
        """Put a File down, or find it in the archive."""
        if self._archive.path is None or stands is None:
            await self._write(file, pieces, chunk)
            if file.chunk_size is None:
                await self._whole(file)
            return
        self.parts[file.id] = stands
        self._arrivals.arrived(file.id, FilePart(self._archive.path, *stands, self._archive.stamp))
        async for piece in pieces:
            self._count(piece)

    async def end(self) -> None:
        """End with what came in chunks, whose number nobody says: all is here."""
        for file in self._envelope.files:
            if file.chunk_size is not None:
                await self._whole(file)

    async def _whole(self, file: File) -> None:
        """Give a File its name, now that it is whole.

        Bytes that came before a restart may be an image already, and so have to be the same.
        """
        path = self._folder.file(self._envelope, file.id)
        if not await asyncio.to_thread(_put_in_place, path.with_suffix(COMING), path):
            raise Invalid(CHANGED, "source")
        self._arrivals.arrived(file.id, path)

    async def _write(self, file: File, pieces: AsyncIterator[bytes], chunk: int) -> None:
        fresh = 0 if chunk else os.O_TRUNC
        path = self._folder.file(self._envelope, file.id).with_suffix(COMING)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC | fresh
        async with OpenFile(STAGING, lambda: os.open(path, flags, 0o600)) as opened:
            async for piece in pieces:
                await self._folder.staging.put(opened, piece)
                self.put_down += len(piece) if file.size is not None else 0
                self._count(piece)

    def _count(self, piece: bytes) -> None:
        self._written += len(piece)
        self._moved(self._written, max(self._total, self._written))


def _described(envelope: Envelope) -> str:
    """Return what is another for another descriptor."""
    return hashlib.sha256(repr(envelope).encode()).hexdigest()


def _put_in_place(coming: Path, path: Path) -> bool:
    """Return whether the file has its name now: there may be another one already."""
    if path.exists() and not filecmp.cmp(coming, path, shallow=False):
        return False
    coming.rename(path)
    return True


def _write(path: Path, content: bytes) -> None:
    part = path.with_suffix(".part")
    part.write_bytes(content)
    part.rename(path)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None

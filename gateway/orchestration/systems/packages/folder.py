"""The folder of a Job that works on a package, below the staging directory: files numbered as the descriptor does."""

from __future__ import annotations

import asyncio
import filecmp
import hashlib
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from drivers.base import FilePart
from gateway.errors import Invalid
from gateway.orchestration.common.staging import Staging
from gateway.ovf.model import Envelope, File
from gateway.ovf.package import PackageReader
from gateway.store.model import Document
from gateway.store.store import uninterrupted

DESCRIPTOR, PACKAGE = "descriptor.ovf", "package.json"
COMING, BEGUN = ".coming", "begun.json"
CHANGED = "the package is another one than at the beginning of this import; import it again"


class Folder:
    """All methods leave the loop free."""

    def __init__(self, staging: Staging, job: str) -> None:
        self.staging = staging
        self.path = staging.folder(job)

    async def prepare(self) -> None:
        await asyncio.to_thread(self.path.mkdir, mode=0o700, parents=True, exist_ok=True)

    async def place(self, envelope: Envelope, identity: str) -> Path | FilePart:
        """Where the content of a File lies: in the archive that it came in, or here."""
        facts = await self.noted(PACKAGE)
        if identity not in facts["parts"]:
            return self.file(envelope, identity)
        offset, size = facts["parts"][identity]
        return FilePart(Path(facts["archive"]), offset, size, facts["stamp"])

    async def recall(self, arrivals: Arrivals, reader: PackageReader) -> None:
        """What had come before a restart."""
        envelope = await self.envelope(reader)
        arrivals.envelope.set_result(envelope)
        for file in envelope.files:
            arrivals.arrived(file.id, await self.place(envelope, file.id))

    def file(self, envelope: Envelope, identity: str) -> Path:
        """Where the content of a File is put: by its number, never by a name from the package."""
        numbers = {file.id: number for number, file in enumerate(envelope.files)}
        return self.path / f"file-{numbers[identity]}"

    async def write(self, name: str, content: bytes) -> None:
        """Whole or not at all. Raises NoSpace."""
        await asyncio.to_thread(self.staging.reserve.demand, self.path, len(content))
        await asyncio.to_thread(_write, self.path / name, content)

    async def read(self, name: str) -> bytes | None:
        return await asyncio.to_thread(_read, self.path / name)

    async def envelope(self, reader: PackageReader) -> Envelope:
        return await reader.envelope(await self.read(DESCRIPTOR) or b"")

    async def note(self, name: str, facts: Document) -> None:
        await self.write(name, json.dumps(facts).encode())

    async def noted(self, name: str) -> Any:
        """None before it was noted."""
        content = await self.read(name)
        return None if content is None else json.loads(content)


class Arrivals:
    """Where each File of a package can be read, for those who wait for one and not for all."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.envelope: asyncio.Future[Envelope] = self._loop.create_future()
        self._places: dict[str, asyncio.Future[Path | FilePart]] = {}

    def place(self, identity: str) -> asyncio.Future[Path | FilePart]:
        return self._places.setdefault(identity, self._loop.create_future())

    def arrived(self, identity: str, place: Path | FilePart) -> None:
        if not self.place(identity).done():
            self.place(identity).set_result(place)


class FolderSink:
    """Implements gateway.ovf.package.Sink. What stands in a local ``archive`` as it is stays there."""

    def __init__(
        self,
        folder: Folder,
        check: Callable[[Envelope], Awaitable[None]],
        moved: Callable[[int, int], None],
        arrivals: Arrivals,
        archive: Path | None,
        stamp: str,
    ) -> None:
        self.parts: dict[str, tuple[int, int]] = {}
        """Offset and size of what stays in the archive, by the ids of Files."""
        self._folder = folder
        self._check = check
        self._moved = moved
        self._arrivals = arrivals
        self._archive = archive
        self._stamp = stamp
        self._envelope: Envelope
        self._total = 0
        self._written = 0

    async def described(self, envelope: Envelope) -> None:
        await self._check(envelope)
        await self._demand_the_same(envelope)
        self._envelope = envelope
        self._total = sum(file.size or 0 for file in envelope.files)
        self._arrivals.envelope.set_result(envelope)

    async def _demand_the_same(self, envelope: Envelope) -> None:
        """Raises Invalid when this is another package than before a restart: images of that one may be there."""
        now = {"stamp": self._stamp, "described": await asyncio.to_thread(_described, envelope)}
        before = await self._folder.noted(BEGUN)
        if before is None:
            await self._folder.note(BEGUN, now)
        elif before != now:
            raise Invalid(CHANGED, "source")

    async def put(self, file: File, pieces: AsyncIterator[bytes], chunk: int, stands: tuple[int, int] | None) -> None:
        if self._archive is None or stands is None:
            await self._write(file, pieces, chunk)
            if file.chunk_size is None:
                await self._whole(file)
            return
        self.parts[file.id] = stands
        self._arrivals.arrived(file.id, FilePart(self._archive, *stands, self._stamp))
        async for piece in pieces:
            self._count(piece)

    async def end(self) -> None:
        """All is here: also what came in chunks, whose number nobody says."""
        for file in self._envelope.files:
            if file.chunk_size is not None:
                await self._whole(file)

    async def _whole(self, file: File) -> None:
        """Only now under its name. What came before a restart may be an image already, and so has to be the same."""
        path = self._folder.file(self._envelope, file.id)
        if not await asyncio.to_thread(_put_in_place, path.with_suffix(COMING), path):
            raise Invalid(CHANGED, "source")
        self._arrivals.arrived(file.id, path)

    async def _write(self, file: File, pieces: AsyncIterator[bytes], chunk: int) -> None:
        fresh = 0 if chunk else os.O_TRUNC
        path = self._folder.file(self._envelope, file.id).with_suffix(COMING)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC | fresh
        descriptor = await asyncio.to_thread(os.open, path, flags, 0o600)
        try:
            async for piece in pieces:
                # A thread that still writes must not find the descriptor closed, or another file's.
                await uninterrupted(self._folder.staging.put(descriptor, piece))
                self._count(piece)
        finally:
            await asyncio.to_thread(os.close, descriptor)

    def _count(self, piece: bytes) -> None:
        self._written += len(piece)
        self._moved(self._written, max(self._total, self._written))


def _described(envelope: Envelope) -> str:
    """Return what is another for another descriptor."""
    return hashlib.sha256(repr(envelope).encode()).hexdigest()


def _put_in_place(coming: Path, path: Path) -> bool:
    """False when there is another file already."""
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

"""The directory of images on their way to a pool: a folder for each image, private to the gateway."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

from drivers.threads import STAGING
from gateway import clock
from gateway.errors import NoSpace
from gateway.orchestration.common.open_file import OpenFile
from gateway.orchestration.common.reserve import Reserve
from gateway.store.model import Resource

DATA = "data"
CONVERTED = "converted"
PART = "converted.part"


class Staging:
    """The staging directory: of each image the bytes that came (``data``), and what the pool gets (``converted``).

    The coroutines leave the event loop free. Without a ``reserve`` everything that the disk has may be taken.
    """

    def __init__(self, directory: Path, reserve: Reserve | None = None) -> None:
        self.directory = directory
        self.reserve = reserve or Reserve(directory, 0)
        self.coming: dict[str, int] = {}
        """The bytes that are still to come for something that is not in the store yet, by the names of its folders."""
        self.held: set[str] = set()
        """The names of folders into which bytes come for something that is not in the store yet."""

    def _home(self, image: Resource) -> Path:
        return self.directory / image.path.replace("/", "-")

    def data(self, image: Resource) -> Path:
        """Return the path of the bytes of the image that came."""
        return self._home(image) / DATA

    def converted(self, image: Resource) -> Path:
        """Return the path of what goes to the pool instead of the bytes that came."""
        return self._home(image) / CONVERTED

    def part(self, image: Resource) -> Path:
        """Return the path of what becomes ``converted``, while it is being written."""
        return self._home(image) / PART

    async def adopt(self, image: Resource, path: Path) -> int:
        """Link another file of this directory as ``data``, without copying it; return its number of bytes."""
        await self.prepare(image)
        return await asyncio.to_thread(_linked, path, self.data(image))

    def folder(self, path: str) -> Path:
        """Return the folder of a Job that works on a package, or of an upload, by the path of the resource."""
        return self.directory / path.replace("/", "-")

    async def prepare(self, image: Resource) -> None:
        """Make the folder of the image, which no other user of the host may read."""
        await asyncio.to_thread(self._home(image).mkdir, mode=0o700, parents=True, exist_ok=True)

    async def free(self) -> int:
        """Return how many bytes may still be put down here."""
        return await asyncio.to_thread(self._free)

    def _free(self) -> int:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self.reserve.left(self.directory)

    async def put(self, file: OpenFile, piece: bytes) -> None:
        """Write every byte of a piece. Raises NoSpace when the disk, less the reserve, does not take it."""
        await file.do(lambda descriptor: self.put_blocking(descriptor, piece))

    def put_blocking(self, descriptor: int, piece: bytes) -> None:
        """Write every byte of a piece as ``put`` does, and block meanwhile."""
        self.reserve.demand(descriptor, len(piece))
        write_all(descriptor, piece)

    async def beside_the_reserve(self, work: Coroutine[Any, Any, None]) -> None:
        """Do work in which another program writes here, as long as it leaves the reserve alone. Raises NoSpace."""
        await self.reserve.watch(self.directory, work)

    async def size(self, image: Resource) -> int:
        """Return how many bytes of ``data`` are there; 0 for a missing file."""
        return await asyncio.to_thread(_size, self.data(image))

    async def sizes(self, paths: list[str]) -> dict[str, int]:
        """Return how many bytes of ``data`` are there for each of the images at these paths."""
        homes = {path: self.directory / path.replace("/", "-") / DATA for path in paths}
        return await asyncio.to_thread(lambda: {path: _size(data) for path, data in homes.items()})

    async def remove(self, image: Resource) -> None:
        """Remove the folder of the image with all that is in it; a missing one is no error."""
        await asyncio.to_thread(shutil.rmtree, self._home(image), True)

    async def write(self, image: Resource, pieces: AsyncIterator[bytes], moved: Callable[[int], None]) -> int:
        """Write ``data`` anew; return its number of bytes, which ``moved`` is given after each piece too.

        Raises NoSpace when the disk is full.
        """
        await self.prepare(image)
        written = 0
        async with OpenFile(STAGING, lambda: _open(self.data(image))) as file:
            async for piece in pieces:
                await self.put(file, piece)
                written += len(piece)
                moved(written)
        return written

    async def names(self) -> list[str]:
        """Return the names of all entries of the directory."""
        return await asyncio.to_thread(
            lambda: [entry.name for entry in self.directory.iterdir()] if self.directory.is_dir() else []
        )

    async def sweep(self, names: list[str], keep: set[str], unused_for: float) -> list[str]:
        """Remove what of ``names`` belongs to none of the images ``keep`` (their paths).

        Return those of ``keep`` that were not touched for ``unused_for`` seconds. Ask for the names before the images:
        then nothing that has come since is taken for nobody's.
        """
        names_kept = {path.replace("/", "-"): path for path in keep}
        return await asyncio.to_thread(self._sweep, names, names_kept, unused_for)

    def _sweep(self, names: list[str], keep: dict[str, str], unused_for: float) -> list[str]:
        old = []
        for entry in (self.directory / name for name in names):
            if not entry.exists():
                continue
            if entry.name in self.held:
                continue
            if entry.name not in keep:
                shutil.rmtree(entry, ignore_errors=True)
            elif clock.ageing().timestamp() - max(entry.stat().st_mtime, _touched(entry / DATA)) > unused_for:
                old.append(keep[entry.name])
        return old


def _open(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def write_all(descriptor: int, piece: bytes) -> None:
    """Write every byte of the piece to the open file. Raises NoSpace when the disk is full."""
    view = memoryview(piece)
    try:
        while view:
            view = view[os.write(descriptor, view) :]
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise NoSpace("the disk of the staging directory is full; free some space") from None
        raise


def _linked(path: Path, target: Path) -> int:
    if path.exists():
        target.unlink(missing_ok=True)
        os.link(path, target)
    return target.stat().st_size


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _touched(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0

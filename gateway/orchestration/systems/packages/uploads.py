"""A package that a client sends: put down in the staging directory, and kept for the Job that takes it up."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import uuid
from contextlib import suppress
from types import TracebackType

from drivers.threads import UPLOADS
from gateway.errors import NoSpace, TooLarge
from gateway.orchestration.common.open_file import OpenFile
from gateway.orchestration.common.room import Room
from gateway.orchestration.images.promises import Coming

STEP, MOST_STEP = 4 * 1024**2, 1024**3
"""Bytes that are given room at a time to a package of unknown length: the more, the more of it has come."""


class PackageUpload:
    """A package that comes. Use it in ``async with``: a package that no Job took up (``taken``) is gone after that.

    Only ``summed`` ones have a sum.

    ``size`` is how many bytes are said to come: they are given room before the first one, or NoSpace is raised. Where
    nobody says, room is asked for step by step.
    """

    def __init__(self, room: Room, size: int | None, *, summed: bool = False) -> None:
        self._tools = room.images
        self._said = size
        self.folder = self._tools.staging.folder(f"uploads/{uuid.uuid4()}")
        self._coming = Coming(room, self.folder.name)
        self.path = self.folder / "package"
        self.taken = False
        self._sum = hashlib.sha256() if summed else None
        self._file = OpenFile(UPLOADS, self._open)

    async def __aenter__(self) -> PackageUpload:
        self._demand_small(self._said or 0)
        self._tools.staging.held.add(self.folder.name)
        try:
            await self._coming.demand(STEP if self._said is None else self._said)
            await self._file.__aenter__()
        except BaseException:
            await self._leave()
            raise
        return self

    def _demand_small(self, size: int) -> None:
        if size > self._tools.largest_file:
            raise TooLarge(f"a package has at most {self._tools.largest_file} bytes")

    def _forget(self) -> None:
        self._tools.staging.held.discard(self.folder.name)
        self._coming.end()

    def _open(self) -> int:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)

    async def write(self, piece: bytes) -> None:
        """Put down a piece. Raises TooLarge and NoSpace."""
        self._demand_small(self._coming.come + len(piece))
        if not self._coming.has_room(len(piece)):
            await self._demand_more(max(STEP, len(piece)))
        await self._file.do(lambda descriptor: self._put(descriptor, piece))
        self._coming.came(len(piece))

    async def _demand_more(self, least: int) -> None:
        """Have room for as much again as has come, so that the store is asked seldom; at the end, for the least."""
        much = min(self._coming.come, MOST_STEP)
        if much > least:
            with suppress(NoSpace):
                await self._coming.demand(much)
                return
        await self._coming.demand(least)

    def _put(self, descriptor: int, piece: bytes) -> None:
        self._tools.staging.put_blocking(descriptor, piece)
        if self._sum is not None:
            self._sum.update(piece)

    async def to_disk(self) -> None:
        """Bring what has come to disk, where a Job that is on disk finds it, after a power cut too."""
        await self._file.do(self._sync)

    def _sync(self, descriptor: int) -> None:
        os.fsync(descriptor)
        for directory in (self.folder, self.folder.parent):
            opened = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(opened)
            finally:
                os.close(opened)

    @property
    def sha256(self) -> str | None:
        """Return the sum of what has come; None where nobody asked for one."""
        return None if self._sum is None else self._sum.hexdigest()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._file.__aexit__(kind, error, trace)
        finally:
            await self._leave()

    async def _leave(self) -> None:
        """Leave nothing of a package that no Job took up."""
        try:
            if not self.taken:
                await asyncio.shield(UPLOADS.run(shutil.rmtree, self.folder, True))
        finally:
            self._forget()

"""A package that a client sends: put down in the staging directory, and kept for the Job that takes it up."""

from __future__ import annotations

import hashlib
import os
import shutil
import uuid
from types import TracebackType

from drivers.threads import UPLOADS
from gateway.errors import TooLarge
from gateway.orchestration.images.staging import write_all
from gateway.orchestration.images.tools import ImageTools


class PackageUpload:
    """Use in ``async with``: what no Job took up (``taken``) is gone after it. Only ``summed`` ones have a sum."""

    def __init__(self, tools: ImageTools, *, summed: bool = False) -> None:
        self._tools = tools
        self._name = f"uploads/{uuid.uuid4()}"
        self.folder = tools.staging.folder(self._name)
        self.path = self.folder / "package"
        self.taken = False
        self._size = 0
        self._sum = hashlib.sha256() if summed else None
        self._descriptor = -1

    async def __aenter__(self) -> PackageUpload:
        self._tools.staging.held.add(self.folder.name)
        try:
            self._descriptor = await UPLOADS.run(self._open)
        except BaseException:
            self._tools.staging.held.discard(self.folder.name)
            raise
        return self

    def _open(self) -> int:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)

    async def write(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._tools.largest_file:
            raise TooLarge(f"a package has at most {self._tools.largest_file} bytes")
        await UPLOADS.run(self._put, piece)

    def _put(self, piece: bytes) -> None:
        write_all(self._descriptor, piece)
        if self._sum is not None:
            self._sum.update(piece)

    async def to_disk(self) -> None:
        """All has come. A Job that is on disk finds it there, after a power cut too."""
        await UPLOADS.run(self._sync)

    def _sync(self) -> None:
        os.fsync(self._descriptor)
        for directory in (self.folder, self.folder.parent):
            descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    @property
    def sha256(self) -> str | None:
        """Of what has come."""
        return None if self._sum is None else self._sum.hexdigest()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await UPLOADS.run(os.close, self._descriptor)
        if not self.taken:
            await UPLOADS.run(shutil.rmtree, self.folder, True)
        self._tools.staging.held.discard(self.folder.name)

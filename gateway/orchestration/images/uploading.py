"""Bytes that a client sends for an image, in one piece or in several, over any number of connections.

The file in the staging directory is the truth of what has come: so an upload goes on after a restart, too.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from drivers.threads import UPLOADS
from gateway.errors import Conflict, Invalid, NotFound
from gateway.orchestration.common.contract import Part
from gateway.orchestration.common.open_file import OpenFile
from gateway.orchestration.common.staging import Staging
from gateway.orchestration.images.facts import Filling, UploadSource
from gateway.store.model import Resource


class WrongOffset(Conflict):
    """The refusal of bytes from another place than ``offset``, where the upload goes on."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


class Uploads:
    """The images that are being uploaded to right now: one request at a time for each."""

    def __init__(self, staging: Staging) -> None:
        self._staging = staging
        self._busy: set[str] = set()

    @contextmanager
    def claim(self, path: str) -> Iterator[None]:
        """Keep all others from sending bytes of this image (its path) meanwhile. Raise Conflict when somebody does."""
        if path in self._busy:
            raise Conflict("another request is sending bytes of this image")
        self._busy.add(path)
        try:
            yield
        finally:
            self._busy.discard(path)

    async def received(self, image: Resource) -> int:
        """Return how many bytes of an image are here."""
        return await self._staging.size(image)

    async def receiver(self, image: Resource, part: Part) -> Receiver:
        """Return what takes this part, for ``async with``. Raise WrongOffset or Invalid when it does not fit."""
        size = _upload(image).size
        if part.total is not None and part.total != size:
            raise Invalid(f"says {part.total} bytes; the image was announced with {size}", "Content-Range")
        if part.end is not None and part.end > size:
            raise Invalid(f"reaches beyond the {size} bytes of the image", "Content-Range")
        have = await self.received(image)
        if part.start is not None and part.start != have:
            raise WrongOffset(f"{have} bytes are here: the upload goes on at {have}, not at {part.start}", have)
        return Receiver(self._staging, image, part, size)


class Receiver:
    """The taker of the bytes of one request; ``offset`` is how many of the image are there."""

    def __init__(self, staging: Staging, image: Resource, part: Part, size: int) -> None:
        self._staging = staging
        self.image = image
        self._part = part
        self._size = size
        self._start = part.start or 0
        self.offset = self._start
        self._hash = hashlib.sha256()
        self._file = OpenFile(UPLOADS, self._open)

    @property
    def complete(self) -> bool:
        """True when all bytes of the image are here."""
        return self.offset == self._size

    async def __aenter__(self) -> Receiver:
        await self._staging.prepare(self.image)
        await self._file.__aenter__()
        return self

    def _open(self) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self._staging.data(self.image), flags, 0o600)
        os.ftruncate(descriptor, self._start)
        os.lseek(descriptor, self._start, os.SEEK_SET)
        return descriptor

    async def write(self, piece: bytes) -> None:
        """Put a piece down. Raise Invalid for more bytes than were announced."""
        if self.offset + len(piece) > self._size:
            raise Invalid(f"more than the {self._size} bytes came that the image was announced with", "size")
        await self._file.do(lambda descriptor: self._write(descriptor, piece))
        self.offset += len(piece)

    def _write(self, descriptor: int, piece: bytes) -> None:
        self._staging.put_blocking(descriptor, piece)
        if self._part.digest is not None:
            self._hash.update(piece)

    async def done(self) -> None:
        """End a request that came as a whole. Take a part back whose sum or length is wrong: raise Invalid."""
        wrong = self._wrong()
        if wrong is not None:
            await self._file.do(lambda descriptor: os.ftruncate(descriptor, self._start))
            self.offset = self._start
            raise wrong
        await self._file.do(os.fsync)

    def _wrong(self) -> Invalid | None:
        if self._part.end is not None and self.offset != self._part.end:
            return Invalid(f"{self.offset - self._start} bytes came, not those it says", "Content-Range")
        if self._part.digest is not None and base64.b64encode(self._hash.digest()).decode() != self._part.digest:
            return Invalid("the bytes that came have another SHA-256; send them again", "Content-Digest")
        return None

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._file.__aexit__(kind, error, trace)


def must_wait(image: Resource) -> None:
    """Raise NotFound or Conflict unless the image waits for bytes."""
    _upload(image)
    if not waits(image):
        raise Conflict(f"the image is {image.state} and takes no bytes now")


def waits(image: Resource) -> bool:
    """Return whether the image was made to be uploaded to, and no job works on it."""
    is_upload = isinstance(Filling.of(image).source, UploadSource)
    return is_upload and image.held_by is None and image.state in ("CREATING", "ERROR")


def _upload(image: Resource) -> UploadSource:
    source = Filling.of(image).source
    if not isinstance(source, UploadSource):
        raise NotFound("this image does not wait for bytes")
    return source

"""Streams of bytes on their way: read ahead, looked at, hashed, and left at once when the job is to stop."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from pathlib import Path

from drivers.base import DriverInvalid, FilePart, ImageReader
from drivers.images.window import HEAD, TAIL, FileWindow
from gateway.errors import Invalid
from gateway.orchestration.images.source import WHERE
from gateway.orchestration.images.sums import KINDS

PIECE = 1024 * 1024
"""Bytes."""
AHEAD = 2
"""Pieces that are read before they are wanted."""


async def of_file(place: Path | FilePart) -> AsyncGenerator[bytes, None]:
    """Yield the bytes of a regular file that is no link, or of a part of one."""
    window, offset = await asyncio.to_thread(FileWindow, place), 0
    try:
        while piece := await asyncio.to_thread(window.some, offset, PIECE):
            yield piece
            offset += len(piece)
        window.demand_unchanged()
    finally:
        window.close()


async def ahead(source: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """Yield the bytes of a source in pieces of about ``PIECE``, read while the last piece is still being worked on."""
    queue: asyncio.Queue[bytes | None] = asyncio.Queue(AHEAD)

    async def fill() -> None:
        try:
            async with aclosing(source):
                async for piece in _gathered(source):
                    await queue.put(piece)
        finally:
            await queue.put(None)

    filling = asyncio.create_task(fill())
    try:
        while (piece := await queue.get()) is not None:
            yield piece
        await filling
    finally:
        filling.cancel()
        while not queue.empty():
            queue.get_nowait()
        await asyncio.gather(filling, return_exceptions=True)


async def _gathered(source: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    parts: list[bytes] = []
    size = 0
    async for part in source:
        parts.append(part)
        size += len(part)
        if size >= PIECE:
            yield b"".join(parts)
            parts, size = [], 0
    if parts:
        yield b"".join(parts)


async def looked_at(
    source: AsyncIterator[bytes], size: int, reader: ImageReader, expected: tuple[str, int]
) -> AsyncIterator[bytes]:
    """Yield the bytes of a source, none of them before the beginning was seen to be what was looked at before.

    ``expected`` is format and virtual size. Before the last bytes go, the end is looked at, too.
    """
    head = tail = b""
    held: list[bytes] = []
    seen, begins_right = 0, False
    async for piece in source:
        seen += len(piece)
        tail = (tail + piece)[-TAIL:]
        held.append(piece)
        if not begins_right:
            head = (head + piece)[:HEAD]
            if len(head) < min(HEAD, size):
                continue
            await _expect(reader, size, head, bytes(TAIL), expected)
            begins_right = True
        if seen < size:
            for waiting in held:
                yield waiting
            held = []
    if seen != size:
        raise Invalid(f"{seen} bytes came where {size} were announced", WHERE)
    await _expect(reader, size, head, tail, expected)
    for waiting in held:
        yield waiting


async def _expect(reader: ImageReader, size: int, head: bytes, tail: bytes, expected: tuple[str, int]) -> None:
    try:
        facts = await reader.recognise(size, head, tail)
    except DriverInvalid as error:
        raise Invalid(str(error), WHERE) from error
    if facts is None or (facts.format, facts.virtual_size) != expected:
        raise Invalid("the file was changed since it was looked at", WHERE)


class Digest:
    """The SHA-256, or SHA-512 where such a one is expected, of bytes that pass; hashing runs beside the loop."""

    def __init__(self, expected: str | None) -> None:
        self._expected = expected
        self._hash = hashlib.new(KINDS[len(expected)] if expected else "sha256")

    async def watch(self, source: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Yield the pieces of a source. Raise Invalid before the last one when the sum is another than expected."""
        last: bytes | None = None
        async for piece in source:
            if last is not None:
                yield last
            if self._expected is not None:
                await asyncio.to_thread(self._hash.update, piece)
            last = piece
        self.check()
        if last is not None:
            yield last

    def check(self) -> None:
        """Raise Invalid when the bytes that passed have another sum than was expected."""
        if self._expected is not None and self._hash.hexdigest() != self._expected:
            name = self._hash.name
            raise Invalid(f"the bytes have another {name.replace('sha', 'SHA-')}: {self._hash.hexdigest()}", name)

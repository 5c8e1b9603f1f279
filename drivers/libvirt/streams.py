"""The bytes of volumes through libvirt's streams, on a connection of their own; memory stays flat both ways."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from itertools import groupby

import libvirt

from drivers.base import DriverFailed, DriverInvalid, DriverNoSpace, Hole, Progress
from drivers.libvirt.connection import Connection
from drivers.libvirt.lanes import Lane

Begun = tuple[libvirt.virStream, libvirt.virStorageVol]
BLOCK = 63 * 4096
"""The most whole pages that fit into one message of libvirt's protocol."""
ZEROS = bytes(BLOCK)
PIECE = 4 * BLOCK
WINDOW = 8 * PIECE
"""libvirt's client keeps what the daemon sends until it is asked for, without a bound: so a download goes in parts."""
UNSEEN = 4 * WINDOW
"""Bytes that may go out before the next look at what was written: the daemon's memory holds as much."""
WRITTEN_SOON = 60.0
"""Seconds that libvirt may take to write those, on a disk that is busy with others too."""
PAGE = 4096
"""Bytes that are compared."""
LOST = "not all that was sent got to the disk, and libvirt does not tell why; is the pool full?"
FINISH_DEADLINE = 300.0


@dataclass(frozen=True, slots=True)
class Run:
    """A piece that goes out at once: bytes, or ``hole`` zeros."""

    hole: int
    data: bytes = b""


@dataclass
class Sent:
    """The progress of an upload: bytes that went out, and those of them that were not yet seen on the disk.

    ``block`` is the last block that was no hole, and begins at the byte ``at``.
    """

    size: int = 0
    block: bytes = b""
    at: int = 0
    unseen: int = 0


class Streams:
    """The streams of one hypervisor, by which bytes get into volumes and out of them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def upload(
        self, pool: str, name: str, size: int, data: AsyncIterator[bytes | Hole], progress: Progress
    ) -> None:
        """Write exactly ``size`` bytes into a fresh volume; zeros become holes where the pool has such.

        libvirt writes behind what it was sent, without a bound, and stops at the first error. It may tell nobody of
        it, and never answers again when a hole comes next: so what was sent is read again before each hole, now
        and then, and at the end.
        """
        stream, volume = await self._begun(lambda handle: _begin_upload(handle, pool, name, size))
        sent = Sent()
        try:
            async for piece in data:
                if sent.size + _length(piece) > size:
                    raise DriverInvalid(f"more than the {size} bytes came that were announced")
                for run in _runs(piece):
                    if run.hole or sent.unseen >= UNSEEN:
                        await self._wait_until_written(volume, sent)
                    await self._connection.call(lambda _handle, run=run: _send(stream, run, sent), lane=Lane.STREAM)  # type: ignore[misc]
                progress(sent.size, size)
            if sent.size != size:
                raise DriverInvalid(f"{sent.size} bytes came where {size} were announced")
            await self._connection.call(lambda _handle: stream.finish(), lane=Lane.STREAM, deadline=FINISH_DEADLINE)
        except BaseException:
            await asyncio.shield(self._connection.call(lambda _handle: _abort(stream), lane=Lane.STREAM))
            raise
        if not await self._is_written(volume, sent):
            raise DriverNoSpace(LOST)

    async def _wait_until_written(self, volume: libvirt.virStorageVol, sent: Sent) -> None:
        until, pause = time.monotonic() + WRITTEN_SOON, 0.01
        while not await self._is_written(volume, sent):
            if time.monotonic() > until:
                raise DriverNoSpace(LOST)
            await asyncio.sleep(pause)
            pause = min(2 * pause, 1.0)

    async def _is_written(self, volume: libvirt.virStorageVol, sent: Sent) -> bool:
        """Return whether the end of what was sent is on the disk: nothing behind an error is written."""
        if sent.unseen:
            block = sent.block.rstrip(b"\0")
            tail = block[-PAGE:]
            at = sent.at + len(block) - len(tail)
            read = await self._connection.call(
                lambda _handle: _read(volume, at, len(tail)), lane=Lane.STREAM, deadline=FINISH_DEADLINE
            )
            sent.unseen = 0 if read == tail else sent.unseen
        return not sent.unseen

    async def download(self, pool: str, name: str, offset: int, length: int) -> AsyncGenerator[bytes, None]:
        """Yield the bytes of a volume as they are stored, window by window."""
        end = offset + length
        while offset < end:
            size = min(WINDOW, end - offset)
            async for piece in self._window(pool, name, offset, size):
                yield piece
            offset += size

    async def _window(self, pool: str, name: str, offset: int, length: int) -> AsyncGenerator[bytes, None]:
        stream, _ = await self._begun(lambda handle: _begin_download(handle, pool, name, offset, length))
        got = 0
        try:
            while got < length:
                piece = await self._connection.call(_receiving(stream, min(PIECE, length - got)), lane=Lane.STREAM)
                if not piece:
                    raise DriverFailed(f"the volume {name} ended before its {length} bytes from {offset} on were read")
                got += len(piece)
                yield piece
            await self._connection.call(lambda _handle: stream.finish(), lane=Lane.STREAM)
        except BaseException:
            await asyncio.shield(self._connection.call(lambda _handle: _abort(stream), lane=Lane.STREAM))
            raise

    async def _begun(self, begin: Callable[[libvirt.virConnect], Begun]) -> Begun:
        """Return the stream that a call begins, with its volume.

        A stream that comes when nobody waits for it any more is aborted: libvirt would keep it, and its volume in use,
        for as long as the connection lasts.
        """
        beginning = asyncio.ensure_future(self._connection.call(begin, lane=Lane.STREAM))
        try:
            return await asyncio.shield(beginning)
        except asyncio.CancelledError:
            await asyncio.wait({beginning})
            if beginning.exception() is None:
                stream, _ = beginning.result()
                await asyncio.shield(self._connection.call(lambda _handle: _abort(stream), lane=Lane.STREAM))
            raise


def _begin_upload(handle: libvirt.virConnect, pool: str, name: str, size: int) -> Begun:
    volume = handle.storagePoolLookupByName(pool).storageVolLookupByName(name)
    stream = handle.newStream(0)
    volume.upload(stream, 0, size, libvirt.VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM)
    return stream, volume


def _begin_download(handle: libvirt.virConnect, pool: str, name: str, offset: int, length: int) -> Begun:
    volume = handle.storagePoolLookupByName(pool).storageVolLookupByName(name)
    stream = handle.newStream(0)
    volume.download(stream, offset, length, 0)
    return stream, volume


def _length(piece: bytes | Hole) -> int:
    return piece.length if isinstance(piece, Hole) else len(piece)


def _runs(piece: bytes | Hole) -> Iterator[Run]:
    """Yield neighbouring blocks of zeros together as one hole, the others together as data."""
    if isinstance(piece, Hole):
        yield Run(piece.length)
        return
    for hole, starts in groupby(range(0, len(piece), BLOCK), lambda start: _is_zeros(piece[start : start + BLOCK])):
        blocks = list(starts)
        data = piece[blocks[0] : blocks[-1] + BLOCK]
        yield Run(len(data)) if hole else Run(0, data)


def _is_zeros(block: bytes) -> bool:
    return block == ZEROS[: len(block)]


def _send(stream: libvirt.virStream, run: Run, sent: Sent) -> None:
    if run.hole:
        stream.sendHole(run.hole, 0)
    else:
        rest = memoryview(run.data)
        while rest:
            rest = rest[stream.send(bytes(rest[:BLOCK])) :]
        start = (len(run.data) - 1) // BLOCK * BLOCK
        sent.block, sent.at = run.data[start:], sent.size + start
        sent.unseen += len(run.data)
    sent.size += run.hole or len(run.data)


def _receiving(stream: libvirt.virStream, wanted: int) -> Callable[[libvirt.virConnect], bytes]:
    """Return the call that takes the next bytes, at most so many, from a stream that has its connection already."""
    return lambda _handle: _receive(stream, wanted)


def _receive(stream: libvirt.virStream, wanted: int) -> bytes:
    parts: list[bytes] = []
    while wanted > 0:
        part = stream.recv(wanted)
        if not part:
            break
        parts.append(part)
        wanted -= len(part)
    return b"".join(parts)


def _read(volume: libvirt.virStorageVol, offset: int, length: int) -> bytes:
    """Return the volume's bytes from an offset on; they are fewer than ``length`` while the volume is shorter."""
    stream = volume.connect().newStream(0)
    try:
        volume.download(stream, offset, length, 0)
        data = _receive(stream, length)
        stream.finish()
    except libvirt.libvirtError:
        _abort(stream)
        raise
    return data


def _abort(stream: libvirt.virStream) -> None:
    try:
        stream.abort()
    except libvirt.libvirtError:
        return

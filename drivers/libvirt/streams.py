"""The bytes of volumes through libvirt's streams, on a connection of their own; memory stays flat both ways."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

import libvirt

from drivers.base import DriverFailed, DriverInvalid, Progress
from drivers.libvirt.connection import Connection, Lane

BLOCK = 63 * 4096
"""The most whole pages that fit into one message of libvirt's protocol."""
ZEROS = bytes(BLOCK)
PIECE = 4 * BLOCK
WINDOW = 8 * PIECE
"""libvirt's client keeps what the daemon sends until it is asked for, without a bound: so a download goes in parts."""
FINISH_DEADLINE = 300.0


class Streams:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def upload(self, pool: str, name: str, size: int, data: AsyncIterator[bytes], progress: Progress) -> None:
        """Write exactly ``size`` bytes into a fresh volume; zeros become holes where the pool has such."""
        stream = await self._connection.call(lambda handle: _begin_upload(handle, pool, name, size), lane=Lane.STREAM)
        sent = 0
        try:
            async for piece in data:
                if sent + len(piece) > size:
                    raise DriverInvalid(f"more than the {size} bytes came that were announced")
                await self._connection.call(lambda _handle, piece=piece: _send_all(stream, piece), lane=Lane.STREAM)  # type: ignore[misc]
                sent += len(piece)
                progress(sent, size)
            if sent != size:
                raise DriverInvalid(f"{sent} bytes came where {size} were announced")
            await self._connection.call(lambda _handle: stream.finish(), lane=Lane.STREAM, deadline=FINISH_DEADLINE)
        except BaseException:
            await asyncio.shield(self._connection.call(lambda _handle: _abort(stream), lane=Lane.STREAM))
            raise

    async def download(self, pool: str, name: str, offset: int, length: int) -> AsyncGenerator[bytes, None]:
        """The bytes of a volume as they are stored, window by window."""
        end = offset + length
        while offset < end:
            size = min(WINDOW, end - offset)
            async for piece in self._window(pool, name, offset, size):
                yield piece
            offset += size

    async def _window(self, pool: str, name: str, offset: int, length: int) -> AsyncGenerator[bytes, None]:
        stream = await self._connection.call(
            lambda handle: _begin_download(handle, pool, name, offset, length), lane=Lane.STREAM
        )
        got = 0
        try:
            while got < length:
                wanted = min(PIECE, length - got)
                piece = await self._connection.call(lambda _handle, wanted=wanted: _receive(stream, wanted), lane=Lane.STREAM)  # type: ignore[misc]  # noqa: E501
                if not piece:
                    raise DriverFailed(f"the volume {name} ended before its {length} bytes from {offset} on were read")
                got += len(piece)
                yield piece
            await self._connection.call(lambda _handle: stream.finish(), lane=Lane.STREAM)
        except BaseException:
            await asyncio.shield(self._connection.call(lambda _handle: _abort(stream), lane=Lane.STREAM))
            raise


def _begin_upload(handle: libvirt.virConnect, pool: str, name: str, size: int) -> libvirt.virStream:
    volume = handle.storagePoolLookupByName(pool).storageVolLookupByName(name)
    stream = handle.newStream(0)
    volume.upload(stream, 0, size, libvirt.VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM)
    return stream


def _begin_download(handle: libvirt.virConnect, pool: str, name: str, offset: int, length: int) -> libvirt.virStream:
    volume = handle.storagePoolLookupByName(pool).storageVolLookupByName(name)
    stream = handle.newStream(0)
    volume.download(stream, offset, length, 0)
    return stream


def _send_all(stream: libvirt.virStream, piece: bytes) -> None:
    """Block by block; neighbouring blocks of zeros together as one hole."""
    hole = 0
    for start in range(0, len(piece), BLOCK):
        block = piece[start : start + BLOCK]
        if block == ZEROS[: len(block)]:
            hole += len(block)
            continue
        if hole:
            stream.sendHole(hole, 0)
            hole = 0
        while block:
            block = block[stream.send(block) :]
    if hole:
        stream.sendHole(hole, 0)


def _receive(stream: libvirt.virStream, wanted: int) -> bytes:
    found: list[bytes] = []
    while wanted > 0:
        part = stream.recv(wanted)
        if not part:
            break
        found.append(part)
        wanted -= len(part)
    return b"".join(found)


def _abort(stream: libvirt.virStream) -> None:
    try:
        stream.abort()
    except libvirt.libvirtError:
        return

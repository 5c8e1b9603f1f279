"""The content of gzip files (RFC 1952), unpacked beside the event loop, in time that grows with their length."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncGenerator

from gateway.ovf.errors import PackageInvalid

AT_ONCE = 1024 * 1024
"""Bytes that are unpacked before somebody looks how many they are."""
SLICE = 16 * 1024
"""Packed bytes that zlib gets at once: what it leaves it copies, again for each of the members they may hold."""

Pieces = AsyncGenerator[bytes, None]


class _Inflating:
    """A gzip file on its way: any number of members, one behind the other."""

    def __init__(self) -> None:
        self._member = _new_member()
        self._piece = memoryview(b"")
        self._position = 0
        self._rest = b""

    @property
    def whole(self) -> bool:
        """True when the last member came to its end."""
        return self._member.eof

    def put(self, piece: bytes) -> None:
        self._piece, self._position = memoryview(piece), 0

    def some(self) -> bytes:
        """Return the next bytes, about ``AT_ONCE``; none when more has to be put in. Raises zlib.error."""
        parts, size = [], 0
        while size < AT_ONCE and self._filled():
            if self._member.eof:
                self._member = _new_member()
            part = self._member.decompress(self._rest, AT_ONCE - size)
            self._rest = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            parts.append(part)
            size += len(part)
        return b"".join(parts)

    def _filled(self) -> bool:
        if not self._rest:
            self._rest = bytes(self._piece[self._position : self._position + SLICE])
            self._position += SLICE
        return bool(self._rest)


def _new_member() -> zlib._Decompress:
    return zlib.decompressobj(zlib.MAX_WBITS | 16)


async def inflated(source: Pieces, largest: int, name: str) -> Pieces:
    """Yield the content of a gzip file. Raises PackageInvalid for more than ``largest`` bytes, and for what is none."""
    inflating, total = _Inflating(), 0
    async for piece in source:
        inflating.put(piece)
        try:
            while part := await asyncio.to_thread(inflating.some):
                total += len(part)
                if total > largest:
                    raise PackageInvalid(f"{name!r} has more than {largest} bytes when it is unpacked")
                yield part
        except zlib.error:
            raise PackageInvalid(f"{name!r} is no gzip file, though the descriptor says so") from None
    if not inflating.whole:
        raise PackageInvalid(f"{name!r} is cut off")

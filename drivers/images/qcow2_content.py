"""The first bytes that a guest would see of a qcow2 image, found by its own tables; nothing else is opened."""

from __future__ import annotations

import struct
import zlib

from drivers.images.window import Window

OFFSET = 0x00FF_FFFF_FFFF_FE00
COMPRESSED, ZERO = 1 << 62, 1
EXTENDED_L2, OTHER_COMPRESSION = 1 << 4, 1 << 3


def guest_bytes(window: Window, length: int) -> bytes:
    """Return the first ``length`` guest bytes of an image whose header was checked; zeros for what cannot be read."""
    head = window.head()
    size = 1 << struct.unpack_from(">I", head, 20)[0]
    clusters = (_cluster(window, head, number) for number in range(-(-length // size)))
    return b"".join(cluster.ljust(size, b"\0") for cluster in clusters)[:length]


def _cluster(window: Window, head: bytes, number: int) -> bytes:
    bits = struct.unpack_from(">I", head, 20)[0]
    features = struct.unpack_from(">Q", head, 72)[0] if struct.unpack_from(">I", head, 4)[0] == 3 else 0
    width = 16 if features & EXTENDED_L2 else 8
    in_table = (1 << bits) // width
    table = _entry(window, struct.unpack_from(">Q", head, 40)[0] + number // in_table * 8) & OFFSET
    entry = _entry(window, table + number % in_table * width) if table else 0
    if entry & COMPRESSED:
        return b"" if features & OTHER_COMPRESSION else _inflated(window, entry, bits)
    if not entry & OFFSET or (width == 8 and entry & ZERO):
        return b""
    return _read(window, entry & OFFSET, 1 << bits)


def _read(window: Window, offset: int, length: int) -> bytes:
    """Return as many of these bytes as there are."""
    length = min(length, window.size - offset)
    return window.read(offset, length) if length > 0 else b""


def _entry(window: Window, offset: int) -> int:
    return int.from_bytes(_read(window, offset, 8).ljust(8, b"\0"), "big")


def _inflated(window: Window, entry: int, bits: int) -> bytes:
    """Return a compressed cluster, whose place is in the low bits and whose sectors are above (raw deflate).

    See docs/interop/qcow2; what cannot be inflated is empty.
    """
    split = 62 - (bits - 8)
    offset = entry & ((1 << split) - 1)
    sectors = (entry >> split & ((1 << (bits - 8)) - 1)) + 1
    packed = _read(window, offset, sectors * 512 - offset % 512)
    try:
        return zlib.decompressobj(-12).decompress(packed, 1 << bits)
    except zlib.error:
        return b""

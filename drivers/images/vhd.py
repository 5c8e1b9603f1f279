"""A Virtual PC disk (vhd; QEMU calls it vpc), fixed or dynamic, read with distrust."""

from __future__ import annotations

import struct

from drivers.base import DriverInvalid
from drivers.images.window import Window

MAGIC = b"conectix"
FOOTER = 512
FIXED, DYNAMIC, DIFFERENCING = 2, 3, 4
LARGEST_GEOMETRY = (65535, 16, 255)
"""Stands for "see the size": no geometry can tell more."""


def is_fixed_vhd(window: Window) -> bool:
    """Return whether these are raw bytes with a vhd's footer at the end."""
    return window.size > FOOTER and window.read(window.size - FOOTER, len(MAGIC)) == MAGIC


def read_vhd(window: Window) -> int:
    """Return the virtual size in bytes: the larger of the two that a vhd has, since QEMU takes the one or the other.

    Raises DriverInvalid for differencing disks, and for what is broken.
    """
    dynamic = window.head(len(MAGIC)) == MAGIC
    footer = window.read(0 if dynamic else window.size - FOOTER, FOOTER)
    data_at, size = struct.unpack_from(">Q", footer, 16)[0], struct.unpack_from(">Q", footer, 48)[0]
    cylinders, heads, sectors, kind = struct.unpack_from(">HBBI", footer, 56)
    if not _sums_up(footer, 64):
        raise DriverInvalid("the footer of the vhd has a wrong checksum; it is broken")
    if kind == DIFFERENCING:
        raise DriverInvalid("the vhd is a differencing disk, which needs another file; flatten it first")
    if kind != (DYNAMIC if dynamic else FIXED):
        raise DriverInvalid(f"the vhd is of the unknown kind {kind}")
    if dynamic:
        _check_dynamic(window, data_at)
    elif size > window.size - FOOTER:
        raise DriverInvalid("the vhd is shorter than its footer says; it is cut off")
    if (cylinders, heads, sectors) == LARGEST_GEOMETRY:
        return int(size)
    return int(max(size, cylinders * heads * sectors * 512))


def _check_dynamic(window: Window, at: int) -> None:
    header = window.read(at, 1024)
    if header[:8] != b"cxsparse" or not _sums_up(header, 36):
        raise DriverInvalid("the header of the dynamic vhd is broken")
    if any(header[40:56]) or any(header[64:768]):
        raise DriverInvalid("the vhd names a parent; flatten it first")
    table_at, entries, block_size = struct.unpack_from(">Q", header, 16)[0], *struct.unpack_from(">II", header, 28)
    if table_at + 4 * entries > window.size or not 512 <= block_size <= 2**28:
        raise DriverInvalid("the block table of the vhd does not fit the file; it is cut off or broken")


def _sums_up(block: bytes, at: int) -> bool:
    """Return whether the checksum fits: the ones' complement of the sum of all bytes but its own."""
    (checksum,) = struct.unpack_from(">I", block, at)
    total = sum(block) - sum(block[at : at + 4])
    return bool(checksum == ~total & 0xFFFFFFFF)

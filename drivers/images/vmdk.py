"""A VMware disk in one file (monolithicSparse, streamOptimized), read with distrust.

QEMU reads the parent from the descriptor at byte 512 whatever the header says, opens other files when the header's
capacity is 0, and believes the footer more than the header: all three places are looked at.
"""

from __future__ import annotations

import struct

from drivers.base import DriverInvalid
from drivers.images.window import Window

MAGIC = b"KDMV"
DESCRIPTOR_MAGIC = b"# Disk DescriptorFile"
SECTOR = 512
DESCRIPTOR = 20 * SECTOR
AT_END = 2**64 - 1
COMPRESSED, MARKERS = 1 << 16, 1 << 17
DEFLATE = 1
GRAIN_SECTORS = 128
IN_TABLE = 512
"""Grains that one grain table names."""
KINDS = frozenset({"monolithicsparse", "streamoptimized"})
ACCESSES = frozenset({b"RW", b"RDONLY", b"NOACCESS"})
"""First words of the lines that name extents."""


def unpacks(window: Window) -> bool:
    """Return whether a vmdk that read_vmdk accepted is of the usual measures; others are for qemu-img."""
    return is_usual(window.read(0, SECTOR))


def is_usual(header: bytes) -> bool:
    """Return whether a header is that of a streamOptimized vmdk whose grains are of 64 KiB, 512 to a table."""
    flags, grain = struct.unpack_from("<I8xQ", header, 8)
    [in_table], [method] = struct.unpack_from("<I", header, 44), struct.unpack_from("<H", header, 77)
    packed = flags & COMPRESSED and flags & MARKERS and method == DEFLATE
    return bool(packed) and (grain, in_table) == (GRAIN_SECTORS, IN_TABLE)


def read_vmdk(window: Window, *, delta: bool = False) -> int:
    """Return the virtual size in bytes. Raises DriverInvalid for other kinds, parents and foreign extents.

    ``delta``: it may name a parent, which nobody follows: whoever asks knows better where that is.
    """
    if window.head(len(DESCRIPTOR_MAGIC)) == DESCRIPTOR_MAGIC:
        raise DriverInvalid("it is a vmdk descriptor, which names other files; give a monolithic vmdk")
    header = window.read(0, SECTOR)
    capacity, place = _checked(header)
    if struct.unpack_from("<Q", header, 56)[0] == AT_END:
        footer = window.read(window.size - 2 * SECTOR, SECTOR)
        if footer[:4] != MAGIC or _checked(footer)[0] != capacity:
            raise DriverInvalid("the footer of the vmdk does not fit its header; it is cut off or broken")
    if place != 1:
        raise DriverInvalid("the vmdk has its descriptor at an unusual place")
    _check_descriptor(window.read(SECTOR, min(DESCRIPTOR, window.size - SECTOR)), delta)
    return capacity


def _checked(header: bytes) -> tuple[int, int]:
    """Return the capacity in bytes, and the sector of the descriptor."""
    version, _flags, capacity, grain, place = struct.unpack_from("<IIQQQ", header, 4)
    if version not in (1, 2, 3):
        raise DriverInvalid(f"its vmdk version is {version}; 1 to 3 are known")
    if capacity == 0:
        raise DriverInvalid("the header of the vmdk names no capacity of its own, but other files")
    if not 0 < grain <= 2**16:
        raise DriverInvalid("the vmdk has an impossible grain size")
    return capacity * SECTOR, place


def _check_descriptor(area: bytes, delta: bool) -> None:
    text = area.partition(b"\0")[0]
    if not text.startswith(DESCRIPTOR_MAGIC):
        raise DriverInvalid("the vmdk has no descriptor")
    lines = text.split(b"\n")
    kind = _value(lines, b"createtype")
    if kind.lower() not in KINDS:
        label = kind[:40] or "unknown"
        raise DriverInvalid(f"its vmdk type is {label}; monolithicSparse and streamOptimized are accepted")
    # In the whole area, since QEMU does not stop at a zero byte everywhere.
    parent = b"parentfilenamehint" in area.lower() or _value(lines, b"parentcid").lower() != "ffffffff"
    if parent and not delta:
        raise DriverInvalid("the vmdk names a parent; flatten it first")
    if _extents(lines) != [b"SPARSE"]:
        raise DriverInvalid("the descriptor of the vmdk names other extents than the file itself")


def _value(lines: list[bytes], key: bytes) -> str:
    """Return what stands behind ``key =``, without quotes; nothing unless it is said once and properly."""
    split = [line.partition(b"=") for line in lines]
    values = [value.strip(b" \t\r") for name, _equals, value in split if name.strip(b" \t").lower() == key]
    if len(values) != 1:
        return ""
    value = values[0].removeprefix(b'"').removesuffix(b'"')
    return "" if b'"' in value or b"\r" in value else value.decode("ascii", "replace").strip()


def _extents(lines: list[bytes]) -> list[bytes]:
    """Return the kinds of the extents that the descriptor names: ``RW 2048 SPARSE "disk.vmdk"``."""
    words = [line.split(maxsplit=3) for line in lines]
    return [b"".join(line[2:3]).upper() for line in words if line and line[0].upper() in ACCESSES]

"""A Hyper-V disk (vhdx), read with distrust: regions, then the metadata that tell size and parent."""

from __future__ import annotations

import struct
from uuid import UUID

from drivers.base import DriverInvalid
from drivers.images.window import Window

MAGIC = b"vhdxfile"
HEADERS = (64 * 1024, 128 * 1024)
REGIONS = 192 * 1024
METADATA_REGION = UUID("8b7ca206-4790-4b9a-b8fe-575f050f886e").bytes_le
FILE_PARAMETERS = UUID("caa16737-fa36-4d43-b3b6-33f0aa44e76b").bytes_le
DISK_SIZE = UUID("2fa54224-cd1b-4876-b211-5dbed83bf4b8").bytes_le
PARENT_LOCATOR = UUID("a8d35f2d-b30b-454d-abf7-d3d84834ab0c").bytes_le
HAS_PARENT = 2
MOST_ENTRIES = 2047


def read_vhdx(window: Window) -> int:
    """Return the virtual size in bytes.

    Raises DriverInvalid for parents and for a log that would change what was read.
    """
    _check_log(window)
    metadata = _region(window)
    items = _items(window, metadata)
    if PARENT_LOCATOR in items:
        raise DriverInvalid("the vhdx names a parent; flatten it first")
    if FILE_PARAMETERS not in items or DISK_SIZE not in items:
        raise DriverInvalid("the vhdx does not tell its size; it is broken")
    _block_size, bits = struct.unpack("<II", window.read(items[FILE_PARAMETERS], 8))
    if bits & HAS_PARENT:
        raise DriverInvalid("the vhdx is a differencing disk, which needs another file; flatten it first")
    (size,) = struct.unpack("<Q", window.read(items[DISK_SIZE], 8))
    return int(size)


def _check_log(window: Window) -> None:
    """Raise DriverInvalid when a log stands for changes that are still to be made.

    The header with the higher number counts.
    """
    blocks = [window.read(at, 80) for at in HEADERS]
    headers = [header for header in blocks if header[:4] == b"head"]
    if not headers:
        raise DriverInvalid("the vhdx has no header; it is broken")
    current = max(headers, key=lambda header: struct.unpack_from("<Q", header, 8)[0])
    if any(current[48:64]):
        raise DriverInvalid("the vhdx was not closed cleanly; open and close it once where it was made")


def _region(window: Window) -> int:
    signature, _sum, count, _reserved = struct.unpack("<4sIII", window.read(REGIONS, 16))
    if signature != b"regi" or count > MOST_ENTRIES:
        raise DriverInvalid("the region table of the vhdx is broken")
    table = window.read(REGIONS + 16, 32 * count)
    entries = [table[at : at + 32] for at in range(0, len(table), 32) if table[at : at + 16] == METADATA_REGION]
    if len(entries) != 1:
        raise DriverInvalid("the vhdx has no metadata, or more than once")
    return int(struct.unpack_from("<Q", entries[0], 16)[0])


def _items(window: Window, at: int) -> dict[bytes, int]:
    """Return where each of the metadata lies in the file, by its id."""
    signature, _reserved, count = struct.unpack("<8sHH", window.read(at, 12))
    if signature != b"metadata" or count > MOST_ENTRIES:
        raise DriverInvalid("the metadata of the vhdx are broken")
    table = window.read(at + 32, 32 * count)
    items: dict[bytes, int] = {}
    for start in range(0, len(table), 32):
        name = table[start : start + 16]
        if name in items:
            raise DriverInvalid("the vhdx tells one thing twice")
        items[name] = at + struct.unpack_from("<I", table, start + 16)[0]
    return items

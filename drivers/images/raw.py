"""A raw image: any bytes, so it must at least look like a disk."""

from __future__ import annotations

import struct

from drivers.base import DriverInvalid, ImageFacts
from drivers.images.window import HEAD, Window

SECTOR = 512
ESP = bytes.fromhex("28732ac11ff8d211ba4b00a0c93ec93b")
"""Type GUID of an EFI system partition, as it stands on disk."""
FILE_SYSTEMS = ((32769, b"CD001"), (1080, b"\x53\xef"), (0, b"XFSB"))


def read_raw(window: Window) -> ImageFacts:
    """Return the facts of a raw image, which must have a boot sector, a partition table or a file system.

    Raises DriverInvalid for bytes that have none of them, or are no whole sectors.
    """
    head, size = window.head(), window.size
    signed = head[510:512] == b"\x55\xaa"
    gpt = head[SECTOR : SECTOR + 8] == b"EFI PART"
    file_system = any(head[offset : offset + len(magic)] == magic for offset, magic in FILE_SYSTEMS)
    if size < SECTOR or not (signed or gpt or file_system):
        raise DriverInvalid("it is no disk image: no known format, and no raw one with a boot sector or file system")
    if size % SECTOR:
        raise DriverInvalid(f"its size of {size} bytes is no multiple of {SECTOR}")
    return ImageFacts("raw", size, size, bootable=signed or gpt, uefi=boots_by_uefi(head))


def boots_by_uefi(head: bytes) -> bool:
    """Return whether UEFI alone can boot the disk: it has an EFI system partition, and no boot code for a BIOS."""
    if head[SECTOR : SECTOR + 8] != b"EFI PART" or len(head) < SECTOR + 80:
        return False
    start = struct.unpack_from("<Q", head, SECTOR + 72)[0] * SECTOR
    table = head[start : start + 128 * 128] if start < HEAD else b""
    return ESP in table and not any(head[:440])

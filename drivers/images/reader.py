"""What is in an image file, from a bounded number of its bytes, in pure Python."""

from __future__ import annotations

import asyncio
import os
import stat
import struct
from pathlib import Path

from drivers.base import DriverInvalid, ImageFacts
from drivers.images.qcow2 import MAGIC as QCOW2_MAGIC
from drivers.images.qcow2 import read_header
from drivers.images.qcow2_content import guest_bytes

HEAD = 65536 + 2048
SECTOR = 512
ESP = bytes.fromhex("28732ac11ff8d211ba4b00a0c93ec93b")
"""Type GUID of an EFI system partition, as it stands on disk."""

OTHER_FORMATS = (
    (0, b"QED\0", "qed"),
    (0, b"KDMV", "vmdk"),
    (0, b"# Disk DescriptorFile", "vmdk"),
    (64, b"\x7f\x10\xda\xbe", "vdi"),
    (0, b"conectix", "vpc"),
    (0, b"vhdxfile", "vhdx"),
    (0, b"WithoutFreeSpace", "parallels"),
    (0, b"WithouFreSpacExt", "parallels"),
    (0, b"LUKS\xba\xbe", "luks"),
)
FILE_SYSTEMS = ((32769, b"CD001"), (1080, b"\x53\xef"), (0, b"XFSB"))


class CautiousReader:
    """Implements drivers.base.ImageReader."""

    async def inspect(self, path: Path) -> ImageFacts:
        return await asyncio.to_thread(inspect, path)


def open_regular(path: Path) -> int:
    """A descriptor of a regular file that is no link itself; DriverInvalid for anything else."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise DriverInvalid(f"{path.name} cannot be opened: {error.strerror}") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise DriverInvalid(f"{path.name} is no regular file")
    return descriptor


def inspect(path: Path) -> ImageFacts:
    """Format and sizes. Raises DriverInvalid, saying why, for what is no image or would make QEMU open other files."""
    descriptor = open_regular(path)
    try:
        size = os.fstat(descriptor).st_size
        head = os.pread(descriptor, HEAD, 0)
        if head.startswith(QCOW2_MAGIC):
            virtual_size = read_header(head, size)
            uefi = _efi_only(guest_bytes(descriptor, head, HEAD))
            return ImageFacts("qcow2", virtual_size, size, bootable=True, uefi=uefi)
    finally:
        os.close(descriptor)
    for offset, magic, name in OTHER_FORMATS:
        if head[offset : offset + len(magic)] == magic:
            raise DriverInvalid(f"it is a {name} image; convert it to qcow2 or raw first")
    return _raw(head, size)


def _raw(head: bytes, size: int) -> ImageFacts:
    """Raw is anything, so it must at least look like a disk: a boot sector, a partition table or a file system."""
    signed = head[510:512] == b"\x55\xaa"
    gpt = head[SECTOR : SECTOR + 8] == b"EFI PART"
    known = any(head[offset : offset + len(magic)] == magic for offset, magic in FILE_SYSTEMS)
    if size < SECTOR or not (signed or gpt or known):
        raise DriverInvalid("it is no disk image: neither qcow2, nor raw with a boot sector or file system")
    if size % SECTOR:
        raise DriverInvalid(f"its size of {size} bytes is no multiple of {SECTOR}")
    return ImageFacts("raw", size, size, bootable=signed or gpt, uefi=_efi_only(head))


def _efi_only(head: bytes) -> bool:
    """An EFI system partition, and no code in the boot sector for a BIOS."""
    if head[SECTOR : SECTOR + 8] != b"EFI PART":
        return False
    entries = struct.unpack_from("<Q", head, SECTOR + 72)[0]
    start = entries * SECTOR
    table = head[start : start + 128 * 128] if start < HEAD else b""
    return ESP in table and not any(head[:440])

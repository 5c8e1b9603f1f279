"""The header of a qcow2 image (QEMU's docs/interop/qcow2), read with distrust."""

from __future__ import annotations

import struct

from drivers.base import DriverInvalid
from drivers.images.window import Window

MAGIC = b"QFI\xfb"
DIRTY, CORRUPT, EXTERNAL_DATA, COMPRESSION, EXTENDED_L2 = (1 << bit for bit in range(5))
KNOWN_FEATURES = DIRTY | COMPRESSION | EXTENDED_L2
DATA_FILE_EXTENSION = 0x44415441


def read_qcow2(window: Window) -> int:
    """Return the virtual size in bytes. Raises DriverInvalid for what is broken or leads outside of the file."""
    head, file_size = window.head(), window.size
    if len(head) < 72:
        raise DriverInvalid("its qcow2 header is cut off")
    version, backing_offset, backing_size, cluster_bits, size, encryption = struct.unpack_from(">IQIIQI", head, 4)
    if version not in (2, 3):
        raise DriverInvalid(f"its qcow2 version is {version}; 2 and 3 are known")
    if backing_offset or backing_size:
        raise DriverInvalid("its header names a backing file; flatten it first (qemu-img convert)")
    if encryption:
        raise DriverInvalid("it is encrypted")
    if not 9 <= cluster_bits <= 21:
        raise DriverInvalid(f"its cluster size of 2^{cluster_bits} bytes is not allowed by the format")
    if struct.unpack_from(">I", head, 60)[0]:
        raise DriverInvalid("it holds internal snapshots; flatten it first (qemu-img convert)")
    _check_tables(head, file_size)
    if version == 3:
        _check_version_3(head)
    return int(size)


def _check_tables(head: bytes, file_size: int) -> None:
    l1_offset, refcount_offset = struct.unpack_from(">QQ", head, 40)
    if not 0 < l1_offset < max(file_size, 1) or not 0 < refcount_offset < max(file_size, 1):
        raise DriverInvalid("its tables lie outside of the file; it is cut off or broken")


def _check_version_3(head: bytes) -> None:
    if len(head) < 104:
        raise DriverInvalid("its qcow2 header is cut off")
    features, length = struct.unpack_from(">Q", head, 72)[0], struct.unpack_from(">I", head, 100)[0]
    if features & EXTERNAL_DATA:
        raise DriverInvalid("its header names an external data file")
    if features & CORRUPT:
        raise DriverInvalid("it is marked as corrupt")
    if features & ~KNOWN_FEATURES:
        raise DriverInvalid(f"it needs features that are not known ({features:#x})")
    if not 104 <= length <= 65536:
        raise DriverInvalid(f"its header length of {length} bytes is out of bounds")
    _check_extensions(head, length)


def _check_extensions(head: bytes, offset: int) -> None:
    for _ in range(64):
        if offset + 8 > len(head):
            raise DriverInvalid("its header extensions are cut off")
        kind, size = struct.unpack_from(">II", head, offset)
        if kind == 0:
            return
        if kind == DATA_FILE_EXTENSION:
            raise DriverInvalid("its header names an external data file")
        offset += 8 + (size + 7) // 8 * 8
    raise DriverInvalid("it has too many header extensions")

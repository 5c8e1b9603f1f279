"""A VirtualBox disk (vdi), read with distrust."""

from __future__ import annotations

import struct

from drivers.base import DriverInvalid
from drivers.images.window import Window

MAGIC = b"\x7f\x10\xda\xbe"
MAGIC_AT = 64
DYNAMIC, FIXED = 1, 2


def read_vdi(window: Window) -> int:
    """Return the virtual size in bytes. Raises DriverInvalid for differencing disks and versions that are not known."""
    header = window.read(0, 512)
    version, _size, kind = struct.unpack_from("<III", header, 68)
    if version != 0x00010001:
        raise DriverInvalid(f"its vdi version is {version >> 16}.{version & 0xFFFF}; 1.1 is known")
    if kind not in (DYNAMIC, FIXED):
        raise DriverInvalid("the vdi is a differencing or undo disk, which needs another file; flatten it first")
    blocks_at, data_at = struct.unpack_from("<II", header, 340)
    size, block_size, _extra, blocks = struct.unpack_from("<QIII", header, 368)
    if block_size != 1024 * 1024:
        raise DriverInvalid(f"the blocks of the vdi have {block_size} bytes; 1 MiB is known")
    if any(header[424:456]):
        raise DriverInvalid("the vdi names a parent; flatten it first")
    if blocks * block_size < size or blocks_at + 4 * blocks > window.size or data_at > window.size:
        raise DriverInvalid("the block table of the vdi does not fit the file; it is cut off or broken")
    return int(size)

"""A disk image that costs nothing."""

from __future__ import annotations

import struct


def qcow2(size: int = 32 * 1024**2, backing: int = 0, features: int = 0) -> bytes:
    """The header of an empty qcow2 image of this virtual size, padded to three clusters."""
    name = 4 if backing else 0
    head = b"QFI\xfb" + struct.pack(">IQIIQIIQQIIQ", 3, backing, name, 16, size, 0, 1, 196608, 65536, 1, 0, 0)
    head += struct.pack(">QQQII", features, 0, 0, 4, 104)
    return head.ljust(262144, b"\0")

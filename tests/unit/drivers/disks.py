"""Raw disks."""

from __future__ import annotations

import struct
from pathlib import Path

from drivers.images.raw import ESP, SECTOR

SIZE = 2 * 1024 * 1024


def disk(tmp_path: Path, boot_code: bytes) -> Path:
    """A raw disk with a GPT that has an EFI system partition, and this code for a BIOS."""
    content = bytearray(SIZE)
    content[: len(boot_code)] = boot_code
    content[510:512] = b"\x55\xaa"
    content[SECTOR : SECTOR + 8] = b"EFI PART"
    struct.pack_into("<Q", content, SECTOR + 72, 2)
    content[2 * SECTOR : 2 * SECTOR + 16] = ESP
    path = tmp_path / "disk.raw"
    path.write_bytes(content)
    return path

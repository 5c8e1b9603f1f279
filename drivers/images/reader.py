"""A reader of images by a bounded number of their bytes, in pure Python; no other program looks at them before."""

from __future__ import annotations

from collections.abc import Callable

from drivers.base import DriverInvalid, ImageFacts
from drivers.images import qcow2, vdi, vhd, vhdx, vmdk
from drivers.images.qcow2_content import guest_bytes
from drivers.images.raw import boots_by_uefi, read_raw
from drivers.images.window import HEAD, LARGEST, TAIL, Window, open_regular

READERS: tuple[tuple[int, bytes, str, Callable[[Window], int]], ...] = (
    (0, qcow2.MAGIC, "qcow2", qcow2.read_qcow2),
    (0, vmdk.MAGIC, "vmdk", vmdk.read_vmdk),
    (0, vmdk.DESCRIPTOR_MAGIC, "vmdk", vmdk.read_vmdk),
    (vdi.MAGIC_AT, vdi.MAGIC, "vdi", vdi.read_vdi),
    (0, vhd.MAGIC, "vpc", vhd.read_vhd),
    (0, vhdx.MAGIC, "vhdx", vhdx.read_vhdx),
)
"""Offset and bytes that mark a format, libvirt's name for it, and what reads its virtual size."""

REFUSED = (
    (0, b"QED\0", "qed"),
    (0, b"COWD", "vmdk of version 3"),
    (0, b"WithoutFreeSpace", "parallels"),
    (0, b"WithouFreSpacExt", "parallels"),
    (0, b"LUKS\xba\xbe", "luks"),
    (0, b"Bochs Virtual HD Image", "bochs"),
    (0, b"\x1f\x8b", "gzip"),
    (0, b"BZh", "bzip2"),
    (0, b"\xfd7zXZ\0", "xz"),
    (0, b"\x28\xb5\x2f\xfd", "zstd"),
    (0, b"PK\x03\x04", "zip"),
    (257, b"ustar", "tar"),
)


def read_delta(window: Window, largest: int) -> ImageFacts:
    """Return the facts of a streamOptimized vmdk that stands on another one. Raises DriverInvalid for all else."""
    if window.head(4) != vmdk.MAGIC or not vmdk.unpacks(window):
        raise DriverInvalid("a disk that stands on another one has to be a streamOptimized vmdk; flatten it first")
    size = vmdk.read_vmdk(window, delta=True)
    if not 0 < size <= largest:
        raise DriverInvalid(f"its virtual size of {size} bytes is out of bounds (at most {largest})")
    return ImageFacts("vmdk", size, window.size, bootable=True, unpacks=True)


def read(window: Window, largest: int, *, inside: bool = True) -> ImageFacts:
    """Return format and sizes. Raises DriverInvalid, saying why, for what is no image or makes QEMU open other files.

    ``inside``: look for what the guest would boot from, too, which lies anywhere in a qcow2 image.
    """
    facts = _facts(window, inside)
    if not 0 < facts.virtual_size <= largest:
        raise DriverInvalid(f"its virtual size of {facts.virtual_size} bytes is out of bounds (at most {largest})")
    return facts


def _facts(window: Window, inside: bool) -> ImageFacts:
    head = window.head()
    matching = [entry for entry in READERS if head[entry[0] :].startswith(entry[1])]
    if matching:
        _offset, _magic, name, reader = matching[0]
        if any(entry[2] != name for entry in matching):
            raise DriverInvalid("it is of two formats at once")
        virtual_size = reader(window)
        uefi = name == "qcow2" and inside and boots_by_uefi(guest_bytes(window, HEAD))
        unpacks = name == "vmdk" and vmdk.unpacks(window)
        return ImageFacts(name, virtual_size, window.size, bootable=True, uefi=uefi, unpacks=unpacks)
    for offset, magic, name in REFUSED:
        if head[offset : offset + len(magic)] == magic:
            raise DriverInvalid(f"it is a {name} file; unpack it, or convert it to qcow2 or raw first")
    if vhd.is_fixed_vhd(window):
        return ImageFacts("vpc", vhd.read_vhd(window), window.size, bootable=True)
    return read_raw(window)


__all__ = ["HEAD", "LARGEST", "TAIL", "open_regular"]

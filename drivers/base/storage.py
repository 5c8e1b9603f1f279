"""Pools, volumes and images. Sizes in bytes."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from drivers.base.errors import DriverInvalid
from drivers.base.host import PoolSettings
from drivers.base.progress import Progress


@dataclass(frozen=True, slots=True)
class PoolFacts:
    """A pool as the hypervisor tells it, with sizes in bytes; ``path`` is the directory of a pool of files, or None."""

    name: str
    kind: str
    active: bool
    capacity: int
    available: int
    path: str | None


@dataclass(frozen=True, slots=True)
class VolumeFacts:
    """A volume as the hypervisor tells it, with sizes in bytes.

    ``capacity`` is what the guest sees, ``allocation`` what is taken, and ``physical`` the length of the file or
    device, which is what a download gives. ``backing`` is the path of the volume below it, None when there is none.
    """

    pool: str
    name: str
    path: str
    format: str
    capacity: int
    allocation: int
    backing: str | None = None
    physical: int = 0


@dataclass(frozen=True, slots=True)
class NewVolume:
    """A volume that is to be made, with the capacity in bytes that a guest is to see."""

    pool: str
    name: str
    format: str
    capacity: int


@dataclass(frozen=True, slots=True)
class BaseVolume:
    """A volume that is copied; ``pool`` None stands for the pool of the copy."""

    name: str
    pool: str | None = None
    format: str | None = None
    """The format that we know it to have; None where we do not know."""


@dataclass(frozen=True, slots=True)
class Hole:
    """Zeros in a stream of bytes that need not be sent: ``length`` of them."""

    length: int


@dataclass(frozen=True, slots=True)
class VolumeContent:
    """The bytes of a whole volume, which are in this format and number ``size``; ``data`` yields them once."""

    format: str
    size: int
    data: AsyncIterator[bytes | Hole]


@dataclass(frozen=True, slots=True)
class FilePart:
    """A part of a file, such as an image inside an archive: ``size`` bytes from the byte ``offset`` on.

    ``stamp`` is what the file was when it was looked at.
    """

    path: Path
    offset: int
    size: int
    stamp: str


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """The findings of the cautious reader about an image file; ``virtual_size`` and ``file_size`` in bytes."""

    format: str
    """raw, qcow2, vmdk, vdi, vpc or vhdx."""
    virtual_size: int
    file_size: int
    bootable: bool
    """Has a boot sector, a GPT or a qcow2's content that cannot be seen from outside (then True)."""
    uefi: bool = False
    """Has an EFI system partition and no BIOS boot code."""
    unpacks: bool = False
    """Can become a qcow2 image while it is copied (UnpackedImage)."""


class UnpackedImage(Protocol):
    """An image in a file, as the bytes of a qcow2 image of ``size`` bytes that are made as they are asked for."""

    size: int

    def pieces(self) -> AsyncGenerator[bytes, None]:
        """Yield all bytes, once. Raises DriverInvalid, saying why, where the file is broken."""
        ...

    def close(self) -> None:
        """Let go of the files; no piece may be asked for afterwards."""
        ...


class ImageReader(Protocol):
    """A reader that looks at untrusted bytes in a process of its own.

    Its calls raise DriverInvalid with the reason for what is no good image, and DriverReaderDied when the bytes cost
    more time or memory than they may.
    """

    async def inspect(self, place: Path | FilePart, *, delta: bool = False) -> ImageFacts:
        """Return the facts of an image in a file; with ``delta`` a vmdk may hold only what differs from another one."""
        ...

    async def recognise(self, size: int, head: bytes, tail: bytes) -> ImageFacts | None:
        """Return the facts of an image of ``size`` bytes from its two ends; None when only the whole can tell.

        The facts of a qcow2 image do not tell how it boots.
        """
        ...

    async def inspect_parts(self, size: int, part: Callable[[int, int], Awaitable[bytes]]) -> ImageFacts:
        """Return the facts of an image of ``size`` bytes, which ``part`` reads by offset and length in bytes."""
        ...

    async def unpack(self, place: Path | FilePart, parents: Sequence[Path | FilePart] = ()) -> UnpackedImage:
        """Return the file that ``unpacks`` as a qcow2 image, with the files that it stands on, the nearest first.

        The image holds the files open until it is closed.
        """
        ...


NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def checked_name(name: str) -> str:
    """Return the name when it is one for a new volume, and raise DriverInvalid when it is none."""
    if not NAME.fullmatch(name):
        raise DriverInvalid(f"{name[:80]!r} is no name for a volume: letters, digits, dot, underline and dash only")
    return name


class StorageCalls(Protocol):
    """Pools by name, and the volumes in them by pool and name; each call's name says which of the two it is about.

    Sizes are in bytes. Every call raises DriverNotFound when the pool is missing, and those on one volume when that is,
    except where removal is asked. A call that needs room raises DriverNoSpace when there is too little.
    """

    async def list_pools(self) -> tuple[PoolFacts, ...]:
        """Return all pools, also those of others."""
        ...

    async def read_pool(self, name: str) -> PoolFacts:
        """Return the pool as it is now."""
        ...

    async def ensure_pool(self, settings: PoolSettings) -> None:
        """Define and start the pool as described, when there is none of this name; start one that is inactive."""
        ...

    async def start_pool(self, name: str) -> None:
        """Start the pool now; nothing happens to one that is active."""
        ...

    def can_overlay(self, pool: PoolFacts) -> bool:
        """Return whether copy-on-write overlays work in this pool (a pool of files)."""
        ...

    def can_create(self, pool: PoolFacts) -> bool:
        """Return whether volumes can be made here: an iSCSI target's are made on the target."""
        ...

    def can_grow(self, pool: PoolFacts) -> bool:
        """Return whether volumes of this pool can be made larger."""
        ...

    def formats(self, pool: PoolFacts) -> tuple[str, ...]:
        """Return the formats that can be stored in this pool, the usual one first."""
        ...

    async def list_volumes(self, pool: str) -> tuple[VolumeFacts, ...]:
        """Return all volumes of the pool, also those of others."""
        ...

    async def read_volume(self, pool: str, name: str) -> VolumeFacts:
        """Return the volume as it is now."""
        ...

    async def create_volume(self, pool: str, name: str, format: str, capacity: int) -> VolumeFacts:
        """Make an empty volume of this capacity in bytes; one of this name that exists is returned as it is.

        Raises DriverInvalid when the name is none for a volume.
        """
        ...

    async def overlay_volume(self, pool: str, name: str, base: str, base_format: str, capacity: int) -> VolumeFacts:
        """Make a qcow2 volume on top of ``base`` of the same pool and of this format, at least as large as ``base``.

        ``capacity`` is in bytes. Raises DriverInvalid when the name is none for a volume.
        """
        ...

    async def clone_volume(self, volume: NewVolume, base: BaseVolume, progress: Progress) -> VolumeFacts:
        """Make a full copy of ``base``, which may stand in another pool; the copy is at least as large as ``base``.

        It replaces a volume of this name, which an interrupted run may have left. ``progress`` is in bytes. A half-made
        copy is removed on any failure. Raises DriverConflict when the bytes of ``base`` have come to look like another
        format than the one that we know, and DriverInvalid when the name is none for a volume.
        """
        ...

    async def grow_volume(self, pool: str, name: str, format: str, capacity: int) -> VolumeFacts:
        """Make the volume at least ``capacity`` bytes large; never smaller than it was. No running domain may have it.

        Raises DriverConflict when its bytes have come to look like another format than ours.
        """
        ...

    async def upload_volume(self, pool: str, name: str, content: VolumeContent, progress: Progress) -> VolumeFacts:
        """Make a volume of exactly this content; it replaces one of this name.

        ``progress`` is in bytes. A half-made volume is removed on any failure. Raises DriverInvalid when the bytes are
        more or fewer, or when the name is none for a volume.
        """
        ...

    def download_volume(self, pool: str, name: str, offset: int, length: int) -> AsyncGenerator[bytes, None]:
        """Yield ``length`` bytes of a volume as they are stored, in its format, from the byte ``offset`` on.

        Raises DriverError when they cannot all be read.
        """
        ...

    async def delete_volume(self, pool: str, name: str) -> None:
        """Remove the volume; where others get its room, its bytes are wiped first."""
        ...

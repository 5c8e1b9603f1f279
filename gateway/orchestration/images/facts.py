"""The facts of a MachineImage or VolumeImage beside its document, and of the bytes that it is made from."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import ClassVar, Self

from drivers.base import FilePart
from gateway.store.durable import KEY, Kept, Secret, tell_apart


class Route(StrEnum):
    """A way of the bytes into the pool."""

    DIRECT = "direct"
    """Straight into the pool, as they are or unpacked on the way."""
    STAGED = "staged"
    """Through the staging directory, where they are looked at and converted."""


@dataclass(frozen=True)
class Stated:
    """Words on the bytes of an image that its document does not have: a Volume's user's, or a catalogue's."""

    size: int | None = None
    """Bytes."""
    sha256: str | None = None
    checksum: str | None = None
    """A sum by whoever gives the image, in hexadecimal: SHA-256 or SHA-512, by its length."""

    @property
    def expected(self) -> str | None:
        """Return the sum that the bytes must have, in hexadecimal; None where nobody says."""
        return self.sha256 or self.checksum


@dataclass(frozen=True)
class Location:
    """A file on the gateway's own disk, or a part of one."""

    path: str
    offset: int | None = None
    """First byte of the part; None for a whole file."""
    size: int | None = None
    """Bytes, where they were counted."""
    stamp: str | None = None
    """What the file was when its part was looked at, to see whether it was changed."""

    @classmethod
    def of(cls, place: Path | FilePart) -> Self:
        """Return the location of a file, or of a part of one."""
        if isinstance(place, Path):
            return cls(str(place))
        return cls(str(place.path), place.offset, place.size, place.stamp)

    def place(self) -> Path | FilePart:
        """Return the file, or the part of one, for those who read it."""
        if self.offset is None or self.size is None:
            return Path(self.path)
        return FilePart(Path(self.path), self.offset, self.size, self.stamp or "")


@dataclass(frozen=True)
class FileSource(Location):
    """A file below one of the directories that images may come from."""

    kind: ClassVar[str] = "file"
    stated: Stated = field(default=Stated(), metadata={KEY: "told"})


@dataclass(frozen=True)
class PackageSource(Location):
    """A file of a package: in the staging directory already, or a part of an archive."""

    kind: ClassVar[str] = "package"
    parents: tuple[Location, ...] = ()
    """What a disk of a package stands on, the nearest first."""


@dataclass(frozen=True)
class UrlSource:
    """A file on another server."""

    kind: ClassVar[str] = "url"
    url: Secret
    size: int | None = None
    """Bytes; None where the server does not say."""
    ranges: bool = False
    """The server gives parts."""
    validator: str | None = None
    """What the server said to notice that the file became another one."""
    stated: Stated = field(default=Stated(), metadata={KEY: "told"})


@dataclass(frozen=True)
class UploadSource:
    """Bytes that the client sends."""

    kind: ClassVar[str] = "upload"
    size: int
    """Bytes, as they were announced."""


Source = FileSource | PackageSource | UrlSource | UploadSource
"""Place that the bytes of an image come from, as far as that was looked at."""
tell_apart(Source, "kind")


@dataclass(frozen=True)
class Filling(Kept):
    """The place of bytes in a pool, and while they come there what they are made from and how.

    An image has such facts, and a Volume that begins with an image by value.
    """

    host: str
    """Name of the hypervisor's entry in the configuration."""
    pool: str = ""
    """Storage pool; empty for a snapshot, which has no bytes of its own."""
    volume: str = ""
    """Name in the pool; empty for a snapshot."""
    format: str = ""
    """Format in the pool, ``qcow2`` or ``raw``; empty while nobody knows it."""
    formats: tuple[str, ...] = ()
    """Formats that the pool takes."""
    virtual_size: int = 0
    """Bytes of the disk in the image; 0 while nobody knows."""
    uefi: bool = False
    """The image boots by UEFI."""
    source: Source | None = None
    """None when the bytes are in the pool."""
    source_format: str = ""
    """Format that the bytes come in, where that is known."""
    way: Route | None = None
    unpacks: bool = False
    """The bytes are unpacked into qcow2 on their way."""


@dataclass(frozen=True)
class KeptImage(Filling):
    """Facts of an image."""

    file_size: int | None = None
    """Bytes of the image's file."""
    captured: str | None = None
    """Path of the Machine that runs while its disk is being copied into the image."""
    made_of: str | None = None
    """Path of the Volume that the image was made of."""

    @property
    def has_bytes(self) -> bool:
        """True when there is something to download: a snapshot lies in the disks of its Machine."""
        return bool(self.volume)


def kept_format(source_format: str, formats: tuple[str, ...]) -> str:
    """Return how an image is kept in a pool that takes these formats: as it came, or else in the last of them."""
    return source_format if source_format in formats else formats[-1]

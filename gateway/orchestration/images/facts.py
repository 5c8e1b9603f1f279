"""What is kept of a MachineImage or VolumeImage beside its document, and of the bytes that it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from gateway.store.durable import Secret
from gateway.store.kept import Kept


class SourceKind(StrEnum):
    """Where the bytes of an image come from."""

    FILE = "file"
    PACKAGE = "package"
    URL = "url"
    UPLOAD = "upload"


class Route(StrEnum):
    """How the bytes come into the pool."""

    DIRECT = "direct"
    """Straight into the pool, as they are or unpacked on the way."""
    STAGED = "staged"
    """By the staging directory, where they are looked at and converted."""


@dataclass(frozen=True)
class Location:
    """A file, or a part of one: where bytes lie on the gateway's own disk."""

    path: str
    offset: int | None = None
    size: int | None = None
    """Bytes of the part; None for a whole file."""
    stamp: str | None = None
    """What shows whether the file was changed since it was looked at."""


@dataclass(frozen=True)
class Stated:
    """What the user said of the bytes of an image by value."""

    size: int | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class Source:
    """Where the bytes of an image come from, as far as it was looked at."""

    kind: SourceKind
    size: int | None = None
    """Bytes; None while nobody knows."""
    path: str | None = None
    """Of a file, and of a file of a package."""
    offset: int | None = None
    stamp: str | None = None
    parents: tuple[Location, ...] = ()
    """What a disk of a package stands on, the nearest first."""
    url: Secret | None = None
    ranges: bool = False
    """The server gives parts."""
    validator: str | None = None
    told: Stated = Stated()
    upload: str | None = None
    """Folder of an upload that goes on."""


@dataclass(frozen=True)
class StoredImage:
    """An image as it lies in a pool, for what is made of it."""

    image: str
    """Path of the image."""
    image_pool: str
    image_volume: str
    image_format: str
    overlay: bool = False
    """What is made of the image is laid over it, and no copy."""


@dataclass(frozen=True)
class KeptImage(Kept):
    """Facts of an image: where it lies, and while it is being made what it is made from."""

    host: str
    pool: str | None = None
    volume: str | None = None
    """Name in the pool; None for a snapshot, which has no bytes of its own."""
    format: str | None = None
    virtual_size: int | None = None
    """Bytes of the disk in the image."""
    file_size: int | None = None
    """Bytes of the image's file."""
    uefi: bool = False
    formats: tuple[str, ...] = ()
    """Formats that the pool takes."""
    source: Source | None = None
    source_format: str | None = None
    way: Route | None = None
    unpacks: bool = False
    """The bytes are unpacked into qcow2 on their way."""
    captured: str | None = None
    """Path of the Machine whose disk is being copied."""
    made_of: str | None = None
    """Path of the Volume that the image was made of."""

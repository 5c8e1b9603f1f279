"""The notes of a Job's steps on a package in its folder, for those after them and for themselves after a crash."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from gateway.ovf.certificate import Certificate
from gateway.store.model import Document

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Note(Generic[T]):
    """A file of the folder that holds one value of this kind as JSON."""

    file: str
    kind: type[T]


@dataclass(frozen=True)
class Begun:
    """The package as it was at the beginning of an import."""

    stamp: str
    """What shows whether a local archive was changed; empty for others."""
    described: str
    """Hash of what the descriptor says."""


@dataclass(frozen=True)
class Arrived:
    """A package that is here as a whole."""

    verified: bool = False
    """Its manifest was compared with its files."""
    certificate: Certificate | None = None
    archive: str | None = None
    """Path of the local archive that the parts stay in."""
    stamp: str = ""
    """What shows whether that archive was changed."""
    parts: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Id of a File to its offset in the archive and its size, both in bytes."""


@dataclass(frozen=True)
class Written:
    """A package that an export has written."""

    name: str
    parts: tuple[tuple[str, int], ...]
    """Names of its files, and their sizes in bytes."""
    modified: int
    """Time at which the package was written, in seconds since 1970."""


@dataclass(frozen=True)
class FileIdentity:
    """The facts that tell a file or directory from any other at its path; those of none have no values."""

    device: int = 0
    inode: int = 0
    modified: int = 0
    """Nanoseconds since 1970."""


BEGUN = Note("begun.json", Begun)
ARRIVED = Note("package.json", Arrived)
IMAGES = Note("images.json", dict[str, str])
"""What became of the package's files: what of the package it is of, to the path of the image."""
MADE = Note("made.json", Document)
"""The Create document of what an import makes."""
WRITTEN = Note("written.json", Written)
PLACED = Note("placed.json", FileIdentity)
"""What an export has put at its destination."""

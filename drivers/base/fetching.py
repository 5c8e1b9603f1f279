"""Files on other servers, and programs that convert images. Sizes in bytes."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from drivers.base.progress import Progress


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """The outcome of a first look at a URL: the file's abilities and two ends, and its size in bytes.

    ``size`` is None when the server does not say.
    """

    size: int | None
    ranges: bool
    """The server gives parts when asked: a broken transfer can go on where it broke."""
    validator: str | None
    """A strong ETag or a date of change, to notice that the file became another one."""
    head: bytes
    tail: bytes
    """Empty when the server does not give parts."""


class Fetcher(Protocol):
    """A reader of files by URL.

    Its calls raise DriverInvalid for what must not be fetched, and DriverUnreachable for servers that fail.
    """

    def check(self, url: str) -> None:
        """Raise DriverInvalid unless such a URL may be asked for, by its scheme, its form, or an address in it."""
        ...

    async def look(self, url: str, head: int, tail: int) -> RemoteFile:
        """Return size, abilities and the two ends of the file, at most ``head`` and ``tail`` bytes."""
        ...

    def fetch(self, url: str, remote: RemoteFile) -> AsyncGenerator[bytes, None]:
        """Yield all bytes in order, over broken connections where that can be done safely; all of them or an error."""
        ...


@dataclass(frozen=True, slots=True)
class ImageFile:
    """An image in a file of the gateway's own, and its format, which is never probed."""

    path: Path
    format: str


class Converter(Protocol):
    """A converter of images into raw, qcow2 or (for packages) streamOptimized vmdk; CPU time and memory are limited."""

    async def convert(self, source: ImageFile, target: ImageFile, virtual_size: int, progress: Progress) -> None:
        """Convert ``source``, a file that the reader looked at, into ``target``, which is gone after any failure.

        The limits follow ``virtual_size``, which is in bytes; ``progress`` is in per cent. Raises DriverInvalid for
        formats that cannot be converted and for images that are broken or cost too much, DriverNoSpace when the disk is
        full, and DriverUnsupported where the program is not installed.
        """
        ...


class FileSystemMaker(Protocol):
    """A maker of file systems on raw bytes, under limits of CPU time, memory and file size."""

    kinds: frozenset[str]
    """File systems that can be made, by the names that mount(8) knows."""

    async def make(self, kind: str, file: Path, size: int) -> None:
        """Make ``file`` one of ``size`` bytes with an empty file system; it is gone after any failure.

        Raises DriverUnsupported where the tool is not installed, and DriverInvalid, with the tool's words, where that
        refuses, as it does for too few bytes.
        """
        ...

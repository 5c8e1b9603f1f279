"""Files on other servers, and programs that convert images. Sizes in bytes."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from drivers.base.progress import Progress


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """What a first look at a URL told. ``size`` None: the server does not say."""

    size: int | None
    ranges: bool
    """The server gives parts when asked: a broken transfer can go on where it broke."""
    validator: str | None
    """A strong ETag or a date of change, to notice that the file became another one."""
    head: bytes
    tail: bytes
    """Empty when the server does not give parts."""


class Fetcher(Protocol):
    """Reads files by URL. DriverInvalid for what must not be fetched, DriverUnreachable for servers that fail."""

    def check(self, url: str) -> None:
        """Whether such a URL may be asked for at all: scheme, form, an address that stands in it."""
        ...

    async def look(self, url: str, head: int, tail: int) -> RemoteFile:
        """Size, abilities and the two ends of the file, at most ``head`` and ``tail`` bytes."""
        ...

    def fetch(self, url: str, remote: RemoteFile) -> AsyncGenerator[bytes, None]:
        """All bytes in order, over broken connections where that can be done safely; all of them or an error."""
        ...


class Converter(Protocol):
    """Turns images into raw, qcow2 or (for packages) streamOptimized vmdk, under limits of CPU time and memory."""

    async def convert(
        self, source: Path, source_format: str, target: Path, target_format: str, virtual_size: int, progress: Progress
    ) -> None:
        """``source`` is a file that we made and the reader looked at. ``target`` is gone after any failure."""
        ...


class FileSystemMaker(Protocol):
    """Makes file systems on raw bytes, under limits of CPU time, memory and file size."""

    kinds: frozenset[str]
    """By the names that mount(8) knows."""

    async def make(self, kind: str, file: Path, size: int) -> None:
        """``file`` becomes one of ``size`` bytes with an empty file system; it is gone after any failure.

        DriverUnsupported where the tool is not installed; DriverInvalid, with its words, where it refuses, as it does
        for too few bytes.
        """
        ...

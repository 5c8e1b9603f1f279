"""The bytes of an image as far as they are at hand, and files that are opened with distrust."""

from __future__ import annotations

import os
import stat
import weakref
from pathlib import Path
from typing import Protocol

from drivers.base import DriverInvalid, FilePart

LARGEST = 64 * 1024**4
"""Bytes that a guest may be shown, unless the configuration says less: 64 TiB."""
HEAD = 65536 + 2048
TAIL = 1536
"""Bytes of the beginning and of the end that the reader looks at, for all formats but vhdx."""


class NotAtHand(Exception):
    """These bytes are not known yet: only the whole file can tell."""

    def __init__(self, offset: int, length: int) -> None:
        super().__init__(offset, length)
        self.offset = offset
        self.length = length


class Window(Protocol):
    """The bytes of an image as far as they are at hand; ``size`` is that of the whole image, in bytes."""

    size: int

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly these bytes. Raises DriverInvalid beyond the end, NotAtHand where nothing is known."""
        ...

    def head(self, length: int = HEAD) -> bytes:
        """Return the first bytes, fewer when the image is smaller."""
        ...


class FileWindow:
    """A file, or a part of one, open until it is closed; reads only what is asked for."""

    def __init__(self, place: Path | FilePart) -> None:
        """Open the file. Raises DriverInvalid for what is no regular file, and for a part's file that was changed."""
        self._path = place.path if isinstance(place, FilePart) else place
        self._descriptor = open_regular(self._path)
        # Also when whoever waited for it was cancelled, and nobody can close it.
        self._end = weakref.finalize(self, os.close, self._descriptor)
        self._offset = place.offset if isinstance(place, FilePart) else 0
        self._stamp = place.stamp if isinstance(place, FilePart) else None
        self.size = place.size if isinstance(place, FilePart) else os.fstat(self._descriptor).st_size
        try:
            self.demand_unchanged()
        except DriverInvalid:
            self.close()
            raise

    def close(self) -> None:
        """Close the file; one that is closed already is no error."""
        self._end()

    def demand_unchanged(self) -> None:
        """Raise DriverInvalid when this is a part of a file that is not what it was when it was looked at."""
        if self._stamp is not None and self._stamp != stamp_of(self._descriptor):
            raise DriverInvalid(f"{self._path.name} was changed since it was looked at")

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly these bytes. Raises DriverInvalid where there are fewer."""
        check_bounds(offset, length, self.size)
        data = self.some(offset, length)
        if len(data) != length:
            raise DriverInvalid("it became shorter while it was read")
        return data

    def some(self, offset: int, most: int) -> bytes:
        """Return at most these bytes: as many as there are."""
        return os.pread(self._descriptor, max(0, min(most, self.size - offset)), self._offset + offset)

    def head(self, length: int = HEAD) -> bytes:
        """Return the first bytes, fewer when there are not so many."""
        return self.some(0, length)


def check_bounds(offset: int, length: int, size: int) -> None:
    """Raise DriverInvalid when these bytes do not all lie within ``size`` bytes."""
    if offset < 0 or offset + length > size:
        raise DriverInvalid("it is cut off: a part that its header speaks of lies behind its end")


def stamp_of(descriptor: int) -> str:
    """Return a text that is another one after every change of the file."""
    now = os.fstat(descriptor)
    return f"{now.st_dev}-{now.st_ino}-{now.st_size}-{now.st_mtime_ns}-{now.st_ctime_ns}"


def stamp_at(path: Path) -> str:
    """Return what ``stamp_of`` does, for a file that is not open. Raises DriverInvalid for what is no regular file."""
    descriptor = open_regular(path)
    try:
        return stamp_of(descriptor)
    finally:
        os.close(descriptor)


def open_regular(path: Path) -> int:
    """Return a descriptor of a regular file, to which no link leads, in none of the directories on the way.

    So a path that was looked at before, with its links followed, is this very file's, whoever may have put a link into
    a directory's place since. Raises DriverInvalid for anything else.
    """
    try:
        descriptor = _opened(path.absolute())
    except OSError as error:
        raise DriverInvalid(f"{path.name} cannot be opened: {error.strerror}") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise DriverInvalid(f"{path.name} is no regular file")
    return descriptor


def _opened(path: Path) -> int:
    """Open a file by one name after the other, each in the directory that the last one was. Raises OSError."""
    flags = os.O_NOFOLLOW | os.O_CLOEXEC
    directory = os.open(path.anchor, os.O_PATH | os.O_DIRECTORY | flags)
    try:
        for name in path.parts[1:-1]:
            below = os.open(name, os.O_PATH | os.O_DIRECTORY | flags, dir_fd=directory)
            os.close(directory)
            directory = below
        return os.open(path.name, os.O_RDONLY | os.O_NONBLOCK | flags, dir_fd=directory)
    finally:
        os.close(directory)

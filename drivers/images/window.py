"""The bytes of an image as far as they are at hand: a whole file, or the two ends of one that is still away."""

from __future__ import annotations

import os
import stat
import weakref
from pathlib import Path
from typing import Protocol

from drivers.base import DriverInvalid, FilePart

HEAD = 65536 + 2048
TAIL = 1536
"""How much of the beginning and of the end the reader looks at, for all formats but vhdx."""


class NotAtHand(Exception):
    """These bytes are not known yet: only the whole file can tell."""

    def __init__(self, offset: int, length: int) -> None:
        super().__init__(offset, length)
        self.offset = offset
        self.length = length


class Window(Protocol):
    """``size`` is that of the whole image, in bytes."""

    size: int

    def read(self, offset: int, length: int) -> bytes:
        """Exactly these bytes. Raises DriverInvalid beyond the end, NotAtHand where nothing is known."""
        ...

    def head(self, length: int = HEAD) -> bytes:
        """The first bytes, fewer when the image is smaller."""
        ...


class FileWindow:
    """A file, or a part of one, open until it is closed; reads only what is asked for."""

    def __init__(self, place: Path | FilePart) -> None:
        """Raises DriverInvalid for what is no regular file, and a part's file that was changed."""
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
        self._end()

    def demand_unchanged(self) -> None:
        """Raises DriverInvalid when this is a part of a file that is not what it was when it was looked at."""
        if self._stamp is not None and self._stamp != stamp_of(self._descriptor):
            raise DriverInvalid(f"{self._path.name} was changed since it was looked at")

    def read(self, offset: int, length: int) -> bytes:
        check_bounds(offset, length, self.size)
        found = self.some(offset, length)
        if len(found) != length:
            raise DriverInvalid("it became shorter while it was read")
        return found

    def some(self, offset: int, most: int) -> bytes:
        """As much as there is, without a complaint."""
        return os.pread(self._descriptor, max(0, min(most, self.size - offset)), self._offset + offset)

    def head(self, length: int = HEAD) -> bytes:
        return self.some(0, length)


class Ends:
    """Head and tail of an image of this size."""

    def __init__(self, size: int, head: bytes, tail: bytes) -> None:
        self.size = size
        self._head = head
        self._tail = tail

    def read(self, offset: int, length: int) -> bytes:
        check_bounds(offset, length, self.size)
        if offset + length <= len(self._head):
            return self._head[offset : offset + length]
        start = offset - (self.size - len(self._tail))
        if start < 0:
            raise NotAtHand(offset, length)
        return self._tail[start : start + length]

    def head(self, length: int = HEAD) -> bytes:
        return self._head[:length]


class Patches:
    """An image of which more and more is known: what is missing is told by NotAtHand, and put in."""

    def __init__(self, size: int, head: bytes) -> None:
        self.size = size
        self._head = head
        self._known: dict[tuple[int, int], bytes] = {}

    def put(self, offset: int, data: bytes) -> None:
        self._known[(offset, len(data))] = data

    def read(self, offset: int, length: int) -> bytes:
        check_bounds(offset, length, self.size)
        if offset + length <= len(self._head):
            return self._head[offset : offset + length]
        if (offset, length) not in self._known:
            raise NotAtHand(offset, length)
        return self._known[(offset, length)]

    def head(self, length: int = HEAD) -> bytes:
        return self._head[:length]


def check_bounds(offset: int, length: int, size: int) -> None:
    if offset < 0 or offset + length > size:
        raise DriverInvalid("it is cut off: a part that its header speaks of lies behind its end")


def stamp_of(descriptor: int) -> str:
    """Another one after every change of the file."""
    now = os.fstat(descriptor)
    return f"{now.st_dev}-{now.st_ino}-{now.st_size}-{now.st_mtime_ns}-{now.st_ctime_ns}"


def stamp_at(path: Path) -> str:
    """The same, of a file that is not open."""
    descriptor = open_regular(path)
    try:
        return stamp_of(descriptor)
    finally:
        os.close(descriptor)


def open_regular(path: Path) -> int:
    """A descriptor of a regular file that is no link itself; DriverInvalid for anything else."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise DriverInvalid(f"{path.name} cannot be opened: {error.strerror}") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise DriverInvalid(f"{path.name} is no regular file")
    return descriptor

"""The bytes of an image as far as they are at hand: a whole file, or the two ends of one that is still away."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Protocol

from drivers.base import DriverInvalid

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
    """A whole file, by descriptor; reads only what is asked for."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.size = os.fstat(descriptor).st_size

    def read(self, offset: int, length: int) -> bytes:
        check_bounds(offset, length, self.size)
        found = os.pread(self._descriptor, length, offset)
        if len(found) != length:
            raise DriverInvalid("it became shorter while it was read")
        return found

    def head(self, length: int = HEAD) -> bytes:
        return os.pread(self._descriptor, length, 0)


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

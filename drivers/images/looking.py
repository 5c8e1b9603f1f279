"""The look at an image by the reading process: from its two ends, and from what else it asks the gateway for."""

from __future__ import annotations

from dataclasses import dataclass

from drivers.base import DriverInvalid, ImageFacts
from drivers.confined.errors import Unreadable
from drivers.confined.reading import Reading, Supply
from drivers.images.reader import read, read_delta
from drivers.images.window import HEAD, NotAtHand, check_bounds


@dataclass(frozen=True, slots=True)
class ImageQuestion:
    """The question about an image of ``size`` bytes, of which the first ``head`` and then the last ones come along.

    ``largest`` is the largest virtual size in bytes; ``delta``: it may hold what differs from another one, and nothing
    else; ``inside``: also how its guest boots is asked.
    """

    size: int
    head: int
    largest: int
    delta: bool = False
    inside: bool = True


class SuppliedWindow:
    """The window of the reading process (drivers.images.window.Window), which asks the gateway for more bytes."""

    def __init__(self, question: ImageQuestion, supply: Supply) -> None:
        self.size = question.size
        self._head = supply.content[: question.head]
        self._tail = supply.content[question.head :]
        self._supply = supply
        self._supplied: dict[tuple[int, int], bytes] = {}

    def read(self, offset: int, length: int) -> bytes:
        """Return the bytes from the two ends where these have them, and keep what else was asked for."""
        check_bounds(offset, length, self.size)
        if offset + length <= len(self._head):
            return self._head[offset : offset + length]
        start = offset - (self.size - len(self._tail))
        if start >= 0:
            return self._tail[start : start + length]
        if (offset, length) not in self._supplied:
            self._supplied[(offset, length)] = self._fetched(offset, length)
        return self._supplied[(offset, length)]

    def _fetched(self, offset: int, length: int) -> bytes:
        data = self._supply.more(offset, length)
        if data is None:
            raise NotAtHand(offset, length)
        if len(data) != length:
            raise DriverInvalid("it became shorter while it was read")
        return data

    def head(self, length: int = HEAD) -> bytes:
        """Return the first bytes, which came with the question."""
        return self._head[:length]


def look(question: ImageQuestion, supply: Supply) -> ImageFacts | None:
    """Return the facts of an image; None when they are where nobody can look. Raises Unreadable for what is none."""
    window = SuppliedWindow(question, supply)
    try:
        if question.delta:
            return read_delta(window, question.largest)
        return read(window, question.largest, inside=question.inside)
    except NotAtHand:
        return None
    except DriverInvalid as error:
        raise Unreadable(str(error)) from None


IMAGE = Reading("drivers.images.looking:IMAGE", ImageQuestion, ImageFacts | None, look)

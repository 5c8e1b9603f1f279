"""Images read in the test's own process: the reading itself, without the process that it is confined to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from drivers.base import DriverInvalid, FilePart, ImageFacts
from drivers.confined.errors import Unreadable
from drivers.images.looking import ImageQuestion, look
from drivers.images.reader import LARGEST, read
from drivers.images.window import FileWindow


def inspect(place: Path | FilePart, largest: int = LARGEST) -> ImageFacts:
    """Return the facts of an image in a file. Raises DriverInvalid for what is no image."""
    window = FileWindow(place)
    try:
        return read(window, largest)
    finally:
        window.close()


@dataclass
class Content:
    """Implements drivers.confined.reading.Supply: all bytes are here."""

    content: bytes
    whole: bytes | None = None

    def more(self, offset: int, length: int) -> bytes | None:
        return None if self.whole is None else self.whole[offset : offset + length]


class PlainReader:
    """Implements as much of drivers.base.ImageReader as streams need."""

    async def recognise(self, size: int, head: bytes, tail: bytes) -> ImageFacts | None:
        try:
            return look(ImageQuestion(size, len(head), LARGEST, inside=False), Content(head + tail))
        except Unreadable as error:
            raise DriverInvalid(str(error)) from None

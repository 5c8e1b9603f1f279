"""Images looked at with distrust: this process opens files and fetches bytes, another one reads what they say."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from drivers.base import DriverBusy, DriverInvalid, DriverReaderDied, FilePart, ImageFacts
from drivers.confined.errors import ReaderAway, ReaderDied, Unreadable
from drivers.confined.readers import ConfinedReaders
from drivers.confined.reading import More
from drivers.images.looking import IMAGE, ImageQuestion
from drivers.images.vmdk_grains import UnpackedVmdk
from drivers.images.window import HEAD, LARGEST, TAIL, FileWindow
from drivers.threads import UNPACKING

AT_ONCE = 2
"""Images whose tables are gone through at the same time, to be unpacked."""


@dataclass(frozen=True, slots=True)
class _Ends:
    """An image's size in bytes, and its two ends."""

    size: int
    head: bytes
    tail: bytes


class CautiousReader:
    """The reader of images in confined processes (drivers.base.ImageReader).

    ``largest`` is the largest virtual size accepted, in bytes.
    """

    def __init__(self, readers: ConfinedReaders, largest: int = LARGEST) -> None:
        self._readers = readers
        self._largest = largest
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def inspect(self, place: Path | FilePart, *, delta: bool = False) -> ImageFacts:
        """Open the file here, and pass the process its two ends and what else it asks for."""
        window = await asyncio.to_thread(FileWindow, place)
        try:
            ends = await asyncio.to_thread(_ends_of, window)

            async def more(offset: int, length: int) -> bytes:
                return await asyncio.to_thread(window.read, offset, length)

            return _demanded(await self._look(ends, more, delta=delta))
        finally:
            window.close()

    async def recognise(self, size: int, head: bytes, tail: bytes) -> ImageFacts | None:
        """Pass the process the two ends, and nothing else."""
        return await self._look(_Ends(size, head, tail), None, inside=False)

    async def inspect_parts(self, size: int, part: Callable[[int, int], Awaitable[bytes]]) -> ImageFacts:
        """Pass the process the beginning, and what else it asks for."""
        return _demanded(await self._look(_Ends(size, await part(0, min(HEAD, size)), b""), part))

    async def _look(
        self, ends: _Ends, more: More | None, *, delta: bool = False, inside: bool = True
    ) -> ImageFacts | None:
        question = ImageQuestion(ends.size, len(ends.head), self._largest, delta=delta, inside=inside)
        try:
            return await self._readers.ask(IMAGE, question, ends.head + ends.tail, more)
        except Unreadable as error:
            raise DriverInvalid(str(error)) from None
        except ReaderDied as error:
            raise DriverReaderDied(str(error)) from None
        except ReaderAway as error:
            raise DriverBusy(str(error)) from None

    async def unpack(self, place: Path | FilePart, parents: Sequence[Path | FilePart] = ()) -> UnpackedVmdk:
        """Go through the tables on a thread, two images at a time; given up with the call."""
        async with self._turns:
            given_up = threading.Event()
            try:
                return await UNPACKING.run(UnpackedVmdk, place, parents, self._largest, given_up)
            except BaseException:
                given_up.set()
                raise


def _ends_of(window: FileWindow) -> _Ends:
    return _Ends(window.size, window.head(), window.some(max(0, window.size - TAIL), TAIL))


def _demanded(facts: ImageFacts | None) -> ImageFacts:
    if facts is None:
        raise DriverInvalid("it became shorter while it was read")
    return facts

"""The places for jobs that work at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Workers:
    """A number of places. A Job that only waits for something gives its place to another meanwhile."""

    def __init__(self, count: int) -> None:
        self._free = asyncio.Semaphore(count)

    @asynccontextmanager
    async def place(self, stop: asyncio.Event) -> AsyncIterator[Place]:
        """Wait for a place, and have it while the block runs; ``stop`` is set when the Job is to stop."""
        place = Place(self._free, stop)
        try:
            await place.take()
            yield place
        finally:
            place.give()


class Place:
    """The place of a Job.

    A Job that is to stop does not queue for it: undoing must not wait for others' work.
    """

    def __init__(self, free: asyncio.Semaphore, stop: asyncio.Event) -> None:
        self._free = free
        self._stop = stop
        self._held = False

    async def take(self) -> None:
        """Wait for the place, or until the Job is to stop, which goes on without one."""
        taking, stopping = asyncio.ensure_future(self._free.acquire()), asyncio.ensure_future(self._stop.wait())
        try:
            await asyncio.wait({taking, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            self._held = taking.done()
            if not self._held:
                taking.cancel()

    def give(self) -> None:
        """Give the place to another Job, if this one has it."""
        if self._held:
            self._held = False
            self._free.release()

    @asynccontextmanager
    async def resting(self) -> AsyncIterator[None]:
        """Be without the place while the block runs; what leaves the block by an error goes on without one."""
        self.give()
        yield
        await self.take()

    async def rest(self, seconds: float) -> bool:
        """Sleep without the place, and have it again afterwards if it was held; True as soon as the job is to stop."""
        held = self._held
        self.give()
        try:
            await asyncio.wait_for(self._stop.wait(), seconds)
        except TimeoutError:
            if held:
                await self.take()
            return False
        return True

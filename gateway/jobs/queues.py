"""The two queues in which Jobs wait: for the locks on their resources, and for a place to work at."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager

Unlock = Callable[[], Awaitable[None]]
"""Lets locks go before the end of their block; may be called again."""


class ResourceLocks:
    """Queues, one for each resource: who asks first has its lock first.

    A Job joins all its queues at once, and goes on when it is the first in each. Two Jobs never wait for each other so,
    and of two that have a resource in common the later one never overtakes, whatever else the earlier one still waits
    for.
    """

    def __init__(self) -> None:
        self._queues: dict[str, deque[asyncio.Event]] = {}

    @asynccontextmanager
    async def hold(self, paths: Iterable[str]) -> AsyncIterator[Unlock]:
        """Hold the locks of these resources while the block runs; what the block gets lets them go before its end."""
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._all(frozenset(paths)))
            yield stack.aclose

    @asynccontextmanager
    async def _all(self, paths: frozenset[str]) -> AsyncIterator[None]:
        moved = asyncio.Event()
        for path in paths:
            self._queues.setdefault(path, deque()).append(moved)
        try:
            while any(self._queues[path][0] is not moved for path in paths):
                moved.clear()
                await moved.wait()
            yield
        finally:
            self._leave(paths, moved)

    def _leave(self, paths: frozenset[str], moved: asyncio.Event) -> None:
        """Leave the queues, from their middle too: one that is cancelled waits no more."""
        for path in paths:
            queue = self._queues[path]
            queue.remove(moved)
            if queue:
                queue[0].set()
            else:
                del self._queues[path]


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

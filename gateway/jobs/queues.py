"""The two queues in which Jobs wait: for the locks on their resources, and for a place to work at."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager

from gateway.jobs.shares import Shares

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
    """A number of places, given out to projects in turn. A Job that only waits for something gives its place away.

    ``most_of`` says how many places a project may have at once; None is without a bound.
    """

    def __init__(self, count: int, most_of: Callable[[str], int | None] = lambda _project: None) -> None:
        self._free = count
        self._most_of = most_of
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        """Who waits for a place, by project; the project whose turn it is stands first."""
        self.at_work: Counter[str] = Counter()
        """The places that each project has."""
        self.shares = Shares()

    @asynccontextmanager
    async def place(self, stop: asyncio.Event, project: str = "") -> AsyncIterator[Place]:
        """Wait for a place, and have it while the block runs; ``stop`` is set when the Job is to stop."""
        place = Place(self, stop, project)
        try:
            await place.take()
            yield place
        finally:
            place.give()

    async def acquire(self, project: str) -> None:
        """Wait until it is the project's turn and a place is free, and take the place."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(project, deque()).append(turn)
        self._give_out()
        try:
            await turn
        except BaseException:
            if turn.done() and not turn.cancelled():
                self.release(project)  # It was ours already.
            else:
                self._leave(project, turn)
            raise

    def release(self, project: str) -> None:
        """Take a place back from a project, and give it to the next one."""
        self._free += 1
        self.shares.give(project)
        self.at_work[project] -= 1
        if not self.at_work[project]:
            del self.at_work[project]
        self._give_out()

    def _give_out(self) -> None:
        while self._free:
            project = next((project for project in self._waiting if self._may_have_more(project)), None)
            if project is None:
                return
            turn = self._waiting[project][0]
            self._leave(project, turn)
            if project in self._waiting:
                self._waiting.move_to_end(project)
            if not turn.done():
                self._free -= 1
                self.shares.take(project)
                self.at_work[project] += 1
                turn.set_result(None)

    def is_wanted_beside(self, project: str) -> bool:
        """Return whether another project than this one waits for a place, and may have it."""
        return any(other != project and self._may_have_more(other) for other in self._waiting)

    def _may_have_more(self, project: str) -> bool:
        most = self._most_of(project)
        return most is None or self.at_work[project] < most

    def _leave(self, project: str, turn: asyncio.Future[None]) -> None:
        queue = self._waiting[project]
        queue.remove(turn)
        if not queue:
            del self._waiting[project]


class Place:
    """The place of a Job.

    A Job that is to stop does not queue for it: undoing must not wait for others' work.
    """

    def __init__(self, workers: Workers, stop: asyncio.Event, project: str) -> None:
        self._workers = workers
        self._stop = stop
        self._project = project
        self._held = False

    async def take(self) -> None:
        """Wait for the place, or until the Job is to stop, which goes on without one."""
        taking = asyncio.ensure_future(self._workers.acquire(self._project))
        stopping = asyncio.ensure_future(self._stop.wait())
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
            self._workers.release(self._project)

    async def turn(self) -> None:
        """Leave the place to another project that waits for one, or has had less; called between two steps."""
        workers = self._workers
        if self._held and (workers.is_wanted_beside(self._project) or workers.shares.lead(self._project) > 0):
            self.give()
            await self._workers.shares.until_fair(self._project, self._stop)
            await self.take()

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

"""Locks on resources, for jobs: who asks first has them first."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager

Unlock = Callable[[], Awaitable[None]]
"""Lets locks go before the end of their block; may be called again."""


class ResourceLocks:
    """Queues, one for each resource. A Job joins all its queues at once, and goes on when it is the first in each.

    Two Jobs never wait for each other so, and of two that have a resource in common the later one never overtakes,
    whatever else the earlier one still waits for.
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

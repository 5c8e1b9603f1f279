"""Compares passwords on threads of its own: bcrypt is slow on purpose, and strangers may ask for it."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import bcrypt

from gateway.errors import TooManyRequests

THREADS = 2 if (os.cpu_count() or 1) > 2 else 1
"""Number of threads: a second one must not take the last processor from everything else."""
MOST_WAITING = 32
"""Comparisons that wait in each of the two queues."""
AGAIN_AFTER = 2
"""Seconds after which it is worth while to try again."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A password that waits to be compared with a hash, and who waits for the answer."""

    password: bytes
    hashed: bytes
    answer: asyncio.Future[bool]


class PasswordThreads:
    """A thread or two behind two bounded queues: users who have logged in before go first."""

    def __init__(self, threads: int = THREADS, most_waiting: int = MOST_WAITING) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="passwords")
        self._free = threads
        self._most_waiting = most_waiting
        self._first: deque[Comparison] = deque()
        self._others: deque[Comparison] = deque()

    async def matches(self, password: bytes, hashed: bytes, *, first: bool = False) -> bool:
        """Return whether the password is the one of the hash. Raises TooManyRequests when too many wait already."""
        queue = self._first if first else self._others
        if len(queue) >= self._most_waiting:
            raise TooManyRequests("too many logins at once; try again in a moment", retry_after=AGAIN_AFTER)
        comparison = Comparison(password, hashed, asyncio.get_running_loop().create_future())
        queue.append(comparison)
        self._begin()
        try:
            return await comparison.answer
        finally:
            if comparison in queue:
                queue.remove(comparison)

    @property
    def waiting(self) -> int:
        """Return the number of comparisons that have not begun."""
        return len(self._first) + len(self._others)

    def close(self) -> None:
        """Begin no more comparisons."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _begin(self) -> None:
        while self._free and (self._first or self._others):
            comparison = (self._first or self._others).popleft()
            self._free -= 1
            loop = asyncio.get_running_loop()
            running = loop.run_in_executor(self._executor, _matches, comparison.password, comparison.hashed)
            running.add_done_callback(partial(self._ended, comparison))

    def _ended(self, comparison: Comparison, done: asyncio.Future[bool]) -> None:
        self._free += 1
        if not comparison.answer.done():
            if done.cancelled():
                comparison.answer.cancel()
            else:
                comparison.answer.set_result(done.result())
        if not done.cancelled():
            self._begin()


def _matches(password: bytes, hashed: bytes) -> bool:
    try:
        return bcrypt.checkpw(password, hashed)
    except ValueError:
        return False

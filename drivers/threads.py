"""Threads by kind of work: what is slow of one kind (a name server, a disk, a hash) holds up nothing of another.

asyncio's default threads stay for what is short: a stat, an open, a piece of an image that is read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Threads:
    """At most ``most`` threads for one kind of work; they are made when they are needed first."""

    def __init__(self, name: str, most: int) -> None:
        self._executor = ThreadPoolExecutor(most, thread_name_prefix=name)

    async def run(self, function: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
        """Return what the function gives, called on one of these threads."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, lambda: function(*args, **named))

    async def run_whole(self, function: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
        """Return what ``run`` does; a caller that is cancelled waits for the end of a call that has begun.

        So nothing that the call works with is taken away under it. A call that has not begun is not made.
        """
        call = self._executor.submit(lambda: function(*args, **named))
        future = asyncio.wrap_future(call)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            if not call.cancel():
                await _over(future)
            raise


async def _over(future: asyncio.Future[T]) -> None:
    """Wait for the future, however often this task is cancelled meanwhile; nobody wants to know what it brings."""
    while not future.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait({future})
    if not future.cancelled():
        future.exception()


NAMES = Threads("names", 4)
"""Look-ups of host names: a name server that does not answer takes seconds for each."""
GUEST_PASSWORDS = Threads("guest-passwords", 1)
"""Hashes of guests' passwords: crypt(3) makes one at a time."""
USER_PASSWORDS = Threads("user-passwords", 1)
"""Hashes of new passwords of the gateway's own users: each takes a quarter of a second, on purpose."""
MOST_UNPACKING = 4
UNPACKING = Threads("unpacking", MOST_UNPACKING)
"""Vmdks unpacked while they are copied: the tables of a large one take seconds, also after nobody waits any more."""
UPLOADS = Threads("uploads", 4)
"""Writes of what clients send: a disk that is behind takes seconds for each."""
STAGING = Threads("staging", 8)
"""Writes of what Jobs put down."""

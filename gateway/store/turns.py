"""Turns at writing: work that jobs have begun goes on before anything new is taken in."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from contextvars import ContextVar

UNDER_WAY: ContextVar[bool] = ContextVar("under way", default=False)
"""Set in the tasks of jobs. A burst of new requests would else hold up each step of those which were accepted."""


class Turns:
    """A lock; among those who wait the ones that are under way come first, each group in its order."""

    def __init__(self) -> None:
        self._taken = False
        self._waiting: tuple[deque[asyncio.Future[None]], deque[asyncio.Future[None]]] = (deque(), deque())

    async def acquire(self) -> None:
        """Wait for the lock, and take it."""
        if not self._taken:
            self._taken = True
            return
        turn = asyncio.get_running_loop().create_future()
        queue = self._waiting[0 if UNDER_WAY.get() else 1]
        queue.append(turn)
        try:
            await turn
        except BaseException:
            if turn.done() and not turn.cancelled():
                self.release()  # It was ours already.
            else:
                with suppress(ValueError):
                    queue.remove(turn)
            raise

    def release(self) -> None:
        """Hand the lock to the next who waits, or put it down."""
        for queue in self._waiting:
            while queue:
                turn = queue.popleft()
                if not turn.done():
                    turn.set_result(None)
                    return
        self._taken = False

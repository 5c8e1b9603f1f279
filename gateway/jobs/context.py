"""What a running step may use: progress, log, safe points."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext

from gateway.jobs.locks import Unlock
from gateway.jobs.plan import Superseded
from gateway.jobs.workers import Place

WRITE_EVERY = 0.25
"""Seconds between two writes of the progress."""

Log = Callable[[str, str, str], Awaitable[None]]


class RunningStep:
    """The StepContext of one step of one job."""

    def __init__(
        self,
        job: str,
        step: str,
        stop: asyncio.Event,
        log: Log,
        moved: Callable[[float], None] = lambda _share: None,
        place: Place | None = None,
        unlock: Unlock | None = None,
        *,
        undoing: bool = False,
    ) -> None:
        self.job = job
        self.step = step
        self.message: str | None = None
        self._stop = stop
        self._place = place
        self._unlock = unlock
        self._undoing = undoing
        self._log = log
        self._moved = moved
        self._written = time.monotonic()

    def progress(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._written >= WRITE_EVERY and done < total:
            self._written = now
            self._moved(min(1.0, done / total) if total > 0 else 1.0)

    async def log(self, message: str, level: str = "info") -> None:
        await self._log(level, self.step, message)

    def check(self) -> None:
        if self._stop.is_set():
            raise Superseded

    async def wait_stop(self, seconds: float) -> bool:
        if self._place is not None and not self._undoing:
            return await self._place.rest(seconds)
        try:
            await asyncio.wait_for(self._stop.wait(), seconds)
        except TimeoutError:
            return False
        return True

    def resting(self) -> AbstractAsyncContextManager[None]:
        return self._place.resting() if self._place is not None else nullcontext()

    async def unlock(self) -> None:
        if self._unlock is not None:
            await self._unlock()

    def say(self, message: str) -> None:
        self.message = message

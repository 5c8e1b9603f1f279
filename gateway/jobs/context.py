"""The means of a running step: progress, log, safe points."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol

from gateway.jobs.locks import Unlock
from gateway.jobs.plan import StopRequested
from gateway.jobs.workers import Place

WRITE_EVERY = 0.25
"""Seconds between two writes of the progress."""


class Log(Protocol):
    """A function that adds a line to a Job's log, with its level and the step that it is about."""

    async def __call__(self, level: str, step: str, message: str, /, *, durable: bool = False) -> None:
        """Add the line."""
        ...


@dataclass(frozen=True, slots=True)
class Means:
    """The things that a Job lends a step: where the progress goes, the worker's place, and the locks."""

    moved: Callable[[float], None] = lambda _share: None
    """Takes the share of the step that is done, from 0 to 1."""
    place: Place | None = None
    unlock: Unlock | None = None
    undoing: bool = False
    """An undo keeps the worker's place while it waits."""


class RunningStep:
    """The StepContext of a step of a Job."""

    def __init__(self, job: str, step: str, stop: asyncio.Event, log: Log, means: Means = Means()) -> None:
        self.job = job
        self.step = step
        self.message: str | None = None
        self._stop = stop
        self._place = means.place
        self._unlock = means.unlock
        self._undoing = means.undoing
        self._log = log
        self._moved = means.moved
        self._written = time.monotonic()

    def progress(self, done: int, total: int) -> None:
        """Show how far the step is, if the last showing was some time ago and the step is not done."""
        now = time.monotonic()
        if now - self._written >= WRITE_EVERY and done < total:
            self._written = now
            self._moved(min(1.0, done / total) if total > 0 else 1.0)

    async def log(self, message: str, level: str = "info", *, durable: bool = False) -> None:
        """Add a line to the Job's log; a durable one is on disk afterwards."""
        await self._log(level, self.step, message, durable=durable)

    def check(self) -> None:
        """Raise StopRequested when the Job is to stop."""
        if self._stop.is_set():
            raise StopRequested

    async def wait_stop(self, seconds: float) -> bool:
        """Sleep for some seconds, and return True at once when the Job is to stop.

        The worker's place is given to another Job meanwhile, but for an undo.
        """
        if self._place is not None and not self._undoing:
            return await self._place.rest(seconds)
        try:
            await asyncio.wait_for(self._stop.wait(), seconds)
        except TimeoutError:
            return False
        return True

    def resting(self) -> AbstractAsyncContextManager[None]:
        """Return a block in which another Job may have the worker's place."""
        return self._place.resting() if self._place is not None else nullcontext()

    async def unlock(self) -> None:
        """Let the plan's locks go."""
        if self._unlock is not None:
            await self._unlock()

    def say(self, message: str) -> None:
        """Set the statusMessage which the Job will have when it succeeds."""
        self.message = message

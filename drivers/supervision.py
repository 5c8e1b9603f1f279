"""The one way to go on for ever: a surprise is told and ends no loop.

A ``Loop`` takes turns. An Exception that a turn lets through is logged with its trace and counted; the loop goes on
after a bounded back-off, and is in trouble until a turn works again. Tasks that react to one event are supervised
too: they are told and counted, and trouble nobody afterwards.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import structlog

FIRST_BACKOFF = 1.0
LONGEST_BACKOFF = 60.0
"""Seconds until a loop whose turn failed takes the next one; the first is doubled with each failure in a row."""

Turn = Callable[[], Awaitable[object]]
Pause = float | Callable[[], float]
log = structlog.get_logger("supervision")


class Loop:
    """A piece of work that is done again and again; ``stop`` ends it."""

    def __init__(self, supervision: Supervision, name: str, turn: Turn, pause: Pause) -> None:
        self.name = name
        self._supervision = supervision
        self._turn = turn
        self._pause = pause
        self._failures = 0
        self._hurried = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self, first_pause: float) -> None:
        """Begin to take turns in a task, the first of them after ``first_pause`` seconds."""
        self._task = asyncio.create_task(self._run(first_pause), name=self.name)

    async def stop(self) -> None:
        """End it where it waits, and wait for that; one that has ended already is no error."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._supervision.forget(self)

    def hurry(self) -> None:
        """Take the next turn at once, or once more when one is under way."""
        self._hurried.set()

    async def _run(self, first_pause: float) -> None:
        await self._rest(first_pause)
        while True:
            await self._rest(await self._took_turn())

    async def _rest(self, seconds: float) -> None:
        try:
            # Not wait_for: in Python 3.11 it swallows a cancel that comes together with what it waits for.
            async with asyncio.timeout(seconds):
                await self._hurried.wait()
        except TimeoutError:
            pass
        finally:
            self._hurried.clear()

    async def _took_turn(self) -> float:
        """Take a turn, and return the seconds until the next one."""
        with self._supervision.turn_of(self.name) as outcome:
            await self._turn()
        if outcome.failed:
            self._failures += 1
            return float(min(LONGEST_BACKOFF, FIRST_BACKOFF * 2 ** min(self._failures - 1, 16)))
        self._failures = 0
        return self._pause() if callable(self._pause) else self._pause


class Outcome:
    """The outcome of a turn: whether it failed as a whole."""

    failed = False


class Supervision:
    """All loops of a process, what went wrong in them, and which are in trouble now."""

    def __init__(self) -> None:
        self._loops: dict[str, Loop] = {}
        self._reactions: dict[asyncio.Task[None], str] = {}
        self._failures: dict[str, int] = {}
        self._in_trouble: set[str] = set()

    def keep(self, name: str, turn: Turn, pause: Pause, *, first_pause: float = 0.0) -> Loop:
        """Call ``turn`` for ever, with ``pause`` seconds between two calls. The name is that of the metrics' label."""
        loop = Loop(self, name, turn, pause)
        self._loops[name] = loop
        self._failures.setdefault(name, 0)
        loop.start(first_pause)
        return loop

    def react(self, name: str, work: Coroutine[Any, Any, object]) -> asyncio.Task[None]:
        """Do this once, in a task of its own; nobody has to wait for it."""
        task = asyncio.create_task(self._react(name, work), name=name)
        self._reactions[task] = name

        def ended(done: asyncio.Task[None]) -> None:
            del self._reactions[done]
            work.close()  # It has not begun where the task was cancelled at once.

        task.add_done_callback(ended)
        return task

    async def _react(self, name: str, work: Coroutine[Any, Any, object]) -> None:
        with self.apart(name):
            await work

    @contextmanager
    def apart(self, name: str, **about: str) -> Iterator[None]:
        """Keep a surprise about one of many (a guest, an event) from the others: told and counted, and no more.

        ``about`` names it in the journal. A loop is in no trouble by it: else any guest could bring that about.
        """
        try:
            yield
        except Exception as error:
            self.surprise(name, error, **about)

    @contextmanager
    def turn_of(self, name: str) -> Iterator[Outcome]:
        """Watch one turn of the loop of this name, which is out of trouble when nothing in it failed."""
        outcome = Outcome()
        try:
            yield outcome
        except Exception as error:
            outcome.failed = True
            self.surprise(name, error)
            self._in_trouble.add(name)
        else:
            self.works(name)

    def works(self, name: str) -> None:
        """Say that the loop of this name works, in the middle of a turn that takes long because all is well."""
        self._in_trouble.discard(name)

    def surprise(self, name: str, error: Exception, **about: str) -> None:
        """Tell of an error which nobody thought of, with its trace, and count it."""
        self._failures[name] = self._failures.get(name, 0) + 1
        log.error("a surprise; it goes on", loop=name, error=type(error).__name__, exc_info=error, **about)

    def forget(self, loop: Loop) -> None:
        """Take a loop that was stopped out of what is told; what was counted stays."""
        if self._loops.get(loop.name) is loop:
            del self._loops[loop.name]
            self._in_trouble.discard(loop.name)

    @property
    def loops(self) -> Mapping[str, Loop]:
        """The loops that are kept, by name."""
        return self._loops

    @property
    def failures(self) -> Mapping[str, int]:
        """Number of surprises until now, by the name of the loop or reaction."""
        return self._failures

    @property
    def in_trouble(self) -> tuple[str, ...]:
        """The loops whose last turn failed."""
        return tuple(sorted(self._in_trouble))

    async def end_reactions(self, name: str, *, cancel: bool = False) -> None:
        """Wait for the end of the reactions of this name that are under way, or break them off."""
        tasks = [task for task, reaction in self._reactions.items() if reaction == name]
        for task in tasks if cancel else ():
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

"""Waiting for conditions, not for the clock: a test on a busy machine takes longer, and says the same."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import TypeVar, overload

PATIENCE = 240.0
"""Seconds after which a condition is said not to come true, on the slowest and busiest of machines."""
SHORTEST_PAUSE, LONGEST_PAUSE = 0.02, 0.25
"""Seconds between two looks."""
PART = 10
"""A pause is this part of what was waited for so far: who looks takes processor time from what is waited for."""
T = TypeVar("T")


class DeadlineError(AssertionError):
    """A condition that did not come true."""


@overload
async def eventually(condition: Callable[[], Awaitable[T | None]], what: str, seconds: float = PATIENCE) -> T: ...
@overload
async def eventually(condition: Callable[[], T | None], what: str, seconds: float = PATIENCE) -> T: ...
async def eventually(condition: Callable[[], object], what: str, seconds: float = PATIENCE) -> object:
    """Return the condition's value once it is true. Raises DeadlineError, naming ``what``, after ``seconds``."""
    began = time.monotonic()
    while True:
        answer = condition()
        value: object = await answer if isawaitable(answer) else answer
        if value:
            return value
        if time.monotonic() > began + seconds:
            raise DeadlineError(f"not within {seconds} s: {what}; last seen {value!r}")
        await asyncio.sleep(pause_after(time.monotonic() - began))


def wait_until(condition: Callable[[], T | None], seconds: float, what: str) -> T:
    """Return the condition's value once it is true, in a test without an event loop.

    ``seconds`` are those that it takes at most on an idle machine; a busy one gets PATIENCE.
    """
    began = time.monotonic()
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > began + max(seconds, PATIENCE):
            raise DeadlineError(f"not in time: {what}; last seen {value!r}")
        time.sleep(pause_after(time.monotonic() - began))


def pause_after(waited: float) -> float:
    """Return the seconds until the next look, after so many in which the condition was not true."""
    return min(LONGEST_PAUSE, max(SHORTEST_PAUSE, waited / PART))

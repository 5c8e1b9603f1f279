"""Waiting for what comes of itself, in tests on the event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

LONGEST = 60.0
"""Seconds: generous, so that a loaded machine passes as well."""


async def comes_true(condition: Callable[[], object], what: str, seconds: float = LONGEST) -> None:
    """Look again and again until the condition holds. Fails with ``what`` after ``seconds``."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"not within {seconds:g} s: {what}"
        await asyncio.sleep(0.01)

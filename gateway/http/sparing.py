"""Log lines that strangers cause: so many a minute, and then their number."""

from __future__ import annotations

import time
from typing import Any

import structlog

MOST_A_MINUTE = 10
log = structlog.get_logger("http")


class SparingLog:
    """A log that takes at most ``most`` lines a minute of each kind; the next minute's first line counts the others."""

    def __init__(self, most: int = MOST_A_MINUTE) -> None:
        self._most = most
        self._minutes: dict[str, tuple[int, int]] = {}
        """The minute of each kind of line, and how many lines there were in it."""

    def warning(self, event: str, **facts: Any) -> None:
        """Write the line, or count it. ``event`` is one of few texts, never a stranger's."""
        minute = int(time.monotonic() // 60)
        last, number = self._minutes.get(event, (minute, 0))
        if last != minute:
            facts |= {"left_out": number - self._most} if number > self._most else {}
            number = 0
        self._minutes[event] = (minute, number + 1)
        if number < self._most:
            log.warning(event, **facts)

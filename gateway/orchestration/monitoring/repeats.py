"""Occurrences that repeat within a short time: each sort is told once, and then by its number."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace

from gateway.orchestration.monitoring.occurrences import LONGEST, Occurrence

MOST_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Allowance:
    """The number of occurrences of a sort that are told one by one within ``seconds``; the others are counted."""

    most: int
    seconds: float


@dataclass(slots=True)
class _Window:
    allowance: Allowance
    until: float
    written: int
    """Occurrences that were written one by one."""
    counted: int = 0
    last: Occurrence | None = None


class Repeats:
    """The sorts of occurrences which were told lately. ``clock`` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._windows: dict[Hashable, _Window] = {}

    def is_new(self, key: Hashable, allowance: Allowance, occurrence: Occurrence) -> bool:
        """Return whether this occurrence is to be told now. Else it is counted, and told by ``over``."""
        if key not in self._windows and len(self._windows) >= MOST_KEPT:
            key = None
        window = self._windows.setdefault(key, _Window(allowance, self._clock() + allowance.seconds, 0))
        if window.written < window.allowance.most:
            window.written += 1
            return True
        window.counted, window.last = window.counted + 1, occurrence
        return False

    def over(self, *, all_of_them: bool = False) -> list[Occurrence]:
        """Return a summary of what was counted in each time that is over, and begin the next one.

        So at most one summary a time is told of each sort.
        """
        now, summaries = self._clock(), []
        for key, window in list(self._windows.items()):
            if window.until > now and not all_of_them:
                continue
            if window.last is None:
                del self._windows[key]
                continue
            summaries.append(_summary(window.last, window.counted, window.allowance.seconds))
            self._windows[key] = _Window(window.allowance, now + window.allowance.seconds, 1)
        return summaries


def _summary(last: Occurrence, counted: int, seconds: float) -> Occurrence:
    content = last.document["content"]
    detail = f"{counted} more within {seconds:g} seconds; the last: {content.get('detail', '')}"[:LONGEST]
    return replace(last, document={**last.document, "content": {**content, "detail": detail}})

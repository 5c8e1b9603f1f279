"""Occurrences that repeat within a short time: each sort is told once, and then by its number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from gateway.orchestration.monitoring.occurrences import Occurrence

Sort = tuple[Hashable, ...]
"""The name of a sort of occurrences from its roughest part on: what was done, from where, and what else is the same."""
MOST_KEPT = 10_000
MOST_OF_A_SOURCE = 1_000
"""Sorts of what one address does that are told apart; more of them are counted together."""


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
        self._windows: dict[Sort, _Window] = {}
        self._of_sources: Counter[Sort] = Counter()
        """How many sorts there are of what an address does, by the two parts that begin them."""

    def is_new(self, sort: Sort, allowance: Allowance, occurrence: Occurrence) -> bool:
        """Return whether this occurrence is to be told now. Else it is counted, and told by ``over``."""
        window = self._window(self._kept(sort), allowance)
        if window.written < window.allowance.most:
            window.written += 1
            return True
        window.counted, window.last = window.counted + 1, occurrence
        return False

    def _kept(self, sort: Sort) -> Sort:
        """Return the sort as which an occurrence is counted: rougher than its own where too many are told apart.

        So who makes up names, or comes from many addresses, hides nothing that others do, nor what is of another kind.
        """
        for kept in (sort, sort[:2]):
            few = kept == sort[:2] or self._of_sources[sort[:2]] < MOST_OF_A_SOURCE
            if kept in self._windows or (few and len(self._windows) < MOST_KEPT):
                return kept
        return sort[:1]

    def _window(self, sort: Sort, allowance: Allowance) -> _Window:
        if sort not in self._windows:
            self._windows[sort] = _Window(allowance, self._clock() + allowance.seconds, 0)
            self._of_sources[sort[:2]] += 1
        return self._windows[sort]

    def _forget(self, sort: Sort) -> None:
        del self._windows[sort]
        self._of_sources[sort[:2]] -= 1
        if not self._of_sources[sort[:2]]:
            del self._of_sources[sort[:2]]

    def over(self, *, all_of_them: bool = False) -> list[Occurrence]:
        """Return a summary of what was counted in each time that is over, and begin the next one.

        So at most one summary a time is told of each sort.
        """
        now, summaries = self._clock(), []
        for sort, window in list(self._windows.items()):
            if window.until > now and not all_of_them:
                continue
            if window.last is None:
                self._forget(sort)
                continue
            summaries.append(window.last.repeated(window.counted, window.allowance.seconds))
            self._windows[sort] = _Window(window.allowance, now + window.allowance.seconds, 1)
        return summaries

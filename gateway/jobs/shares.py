"""The shares of projects in the work of Jobs: whoever has had much steps back between two steps for who has had little.

Places alone do not do that: many Jobs of one project that are at work already take the host's time from the first one
of another.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

HEAD_START = 1.0
"""Seconds of work that a project which comes has before the others have more."""
MOST_LEAD = 2.0
"""Seconds of work that a project makes up for at most, whatever it has had."""
FORGOTTEN_AFTER = 60.0
"""Seconds without any place after which a project comes as a new one."""


@dataclass(slots=True)
class Account:
    """The work that a project has had, in seconds that its Jobs had places, and how many places it has now."""

    had: float = 0.0
    places: int = 0
    since: float = 0.0

    def work(self, now: float) -> float:
        """Return the work up to now."""
        return self.had + self.places * (now - self.since)

    def settle(self, now: float) -> None:
        """Count the work up to now."""
        self.had, self.since = self.work(now), now


class Shares:
    """The accounts of the projects. ``clock`` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._accounts: dict[str, Account] = {}
        self._floor = 0.0
        self._moved = asyncio.Event()

    def take(self, project: str) -> None:
        """Count a place that a project has from now on."""
        now = self._clock()
        self._forget(now)
        account = self._accounts.setdefault(project, Account())
        floor = self._floor_at(now)
        account.settle(now)
        if not account.places:
            account.had = max(account.had, floor - HEAD_START)
        account.places += 1

    def give(self, project: str) -> None:
        """Count a place that a project has no longer."""
        account, now = self._accounts[project], self._clock()
        floor = self._floor_at(now)
        account.settle(now)
        account.had = min(account.had, floor + MOST_LEAD)
        account.places -= 1
        if not account.places:
            self._moved.set()
            self._moved = asyncio.Event()

    def _floor_at(self, now: float) -> float:
        """Return the work that the last of those at work has had, which never falls: who comes is measured by it."""
        works = [account.work(now) for account in self._accounts.values() if account.places]
        if works:
            self._floor = max(self._floor, min(works))
        return self._floor

    def lead(self, project: str) -> float:
        """Return how many seconds of work more than another project at work this one has had; 0 and less: none."""
        account, now = self._accounts.get(project), self._clock()
        others = self._others(project, now)
        return account.work(now) - min(others) if account is not None and others else 0.0

    async def until_fair(self, project: str, stop: asyncio.Event) -> None:
        """Wait until the project has a lead no longer, or its Job is to stop."""
        while not stop.is_set() and (lead := self.lead(project)) > 0:
            waiting = {asyncio.ensure_future(event.wait()) for event in (stop, self._moved)}
            try:
                await asyncio.wait(waiting, timeout=lead, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in waiting:
                    task.cancel()

    def _others(self, project: str, now: float) -> list[float]:
        return [other.work(now) for name, other in self._accounts.items() if name != project and other.places]

    def _forget(self, now: float) -> None:
        idle = [name for name, entry in self._accounts.items() if not entry.places]
        for name in idle:
            if now - self._accounts[name].since > FORGOTTEN_AFTER:
                del self._accounts[name]

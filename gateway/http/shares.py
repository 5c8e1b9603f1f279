"""The share of each user in the event loop, and in requests: who takes much waits a little while others ask, too.

Counted is the time that the loop spends in the steps of a user's requests. A request of a user who had more than
``SHARE`` of the loop lately is begun later, unless nobody else asks. Where a quota bounds the requests per second,
those beyond it are refused.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from gateway.errors import TooManyRequests

SHARE = 0.5
"""Of the loop's time, which a user may have while others ask."""
OTHERS = 0.005
"""Of the loop's time, from which on others are there."""
FADES_WITHIN = 1.0
"""Seconds after which what somebody had counts a third of it."""
PATIENCE = 1.0
"""Seconds that a request is put off at most."""
PAUSE = 0.02
BURST = 5.0
"""Seconds whose requests may come at once."""
COUNTED_AFTER = 0.005
"""Seconds of the loop that a request takes before they are counted, while it goes on."""
MOST_USERS = 10_000
T = TypeVar("T")
Clock = Callable[[], float]


@dataclass(slots=True)
class Fading:
    """A sum of seconds that fades: of who always has the same share of the time, it is that share."""

    amount: float = 0.0
    at: float = 0.0

    def now(self, now: float) -> float:
        """Return what is left of the sum."""
        return self.amount * math.exp((self.at - now) / FADES_WITHIN)

    def add(self, seconds: float, now: float) -> None:
        """Add some seconds."""
        self.amount, self.at = self.now(now) + seconds / FADES_WITHIN, now


@dataclass(slots=True)
class Account:
    """The time of the loop that a user has had lately, and how many requests the quota allows them at once now."""

    had: Fading = field(default_factory=Fading)
    requests: float = math.inf
    counted_at: float = 0.0


class UserShares:
    """The accounts of all users. ``rate`` says how many requests a project has in a second; None is without a bound."""

    def __init__(
        self, rate: Callable[[str], int | None] = lambda _project: None, clock: Clock = time.monotonic
    ) -> None:
        self._clock = clock
        self._rate = rate
        self._accounts: dict[str, Account] = {}
        self._all = Fading()

    def demand(self, user: str, project: str) -> None:
        """Count a request of a user. Raises TooManyRequests when the quota of the project allows no more for now."""
        rate = self._rate(project)
        if rate is None:
            return
        account, now = self._account(user), self._clock()
        left = min(max(1.0, rate * BURST), account.requests + (now - account.counted_at) * rate)
        account.counted_at, account.requests = now, left
        if left < 1:
            raise TooManyRequests(f"the quota requests_per_second of this project allows {rate}, and more came")
        account.requests -= 1

    def is_bounded(self, project: str) -> bool:
        """Return whether the requests of a project are counted."""
        return self._rate(project) is not None

    def has_much(self, user: str) -> bool:
        """Return whether the user has more than a fair share of the loop, and others ask, too."""
        account = self._accounts.get(user)
        if account is None or account.had.amount <= SHARE:
            return False
        now = self._clock()
        own = account.had.now(now)
        return own > SHARE and self._all.now(now) - own > OTHERS

    async def turn(self, user: str) -> None:
        """Wait until the user has no more than a fair share, or for ``PATIENCE`` seconds."""
        until = self._clock() + PATIENCE
        while self.has_much(user) and self._clock() < until:  # noqa: ASYNC110 - nothing tells when time has passed
            await asyncio.sleep(PAUSE)

    def add(self, user: str, seconds: float) -> None:
        """Count time that the loop has spent for a user."""
        now = self._clock()
        self._account(user).had.add(seconds, now)
        self._all.add(seconds, now)

    async def measured(self, user: str, work: Coroutine[Any, Any, T]) -> T:
        """Return what the work returns, and count the time that the loop spends in it for the user."""
        result: T = await Measured(work, lambda seconds: self.add(user, seconds))
        return result

    def _account(self, user: str) -> Account:
        account = self._accounts.get(user)
        if account is None:
            while len(self._accounts) >= MOST_USERS:
                del self._accounts[next(iter(self._accounts))]
            account = self._accounts[user] = Account()
        return account


class Measured:
    """An awaitable that does a coroutine's work, and tells how many seconds its steps took."""

    def __init__(self, work: Coroutine[Any, Any, T], count: Callable[[float], None]) -> None:
        self._work = work
        self._count = count

    def __await__(self) -> Generator[Any, Any, Any]:
        """Do the work step by step, as the loop goes on with it."""
        spent, error = 0.0, None
        try:
            while True:
                began = time.perf_counter()
                try:
                    waits_for = self._work.send(None) if error is None else self._work.throw(error)
                except StopIteration as end:
                    return end.value
                finally:
                    spent += time.perf_counter() - began
                if spent > COUNTED_AFTER:
                    self._count(spent)
                    spent = 0.0
                error = None
                try:
                    yield waits_for
                except BaseException as thrown:
                    error = thrown
        finally:
            self._count(spent)
            self._work.close()

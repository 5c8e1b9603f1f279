"""Limits of tries of a password: each is counted before it is compared, so that many at once are counted, too.

An attempt counts three times: for its name from its address, for its name from anywhere, and for its address whatever
the name. What was right is taken back.
"""

from __future__ import annotations

import math
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from gateway.addresses import source_of
from gateway.errors import TooManyRequests

Clock = Callable[[], float]
PAUSE = 60.0
"""Seconds without an attempt after which all is forgiven."""
MOST_OF_PAIR = 10
MOST_OF_NAME = 100
MOST_OF_ADDRESS = 30
MOST_AT_ONCE = 2
"""Comparisons for one address that wait or run, before its others go the quiet way."""
MOST_KEPT = 10_000
GUESS_EVERY = 2.0
"""Seconds between two comparisons for an address, of users who have logged in from there, beyond a pair's limit."""
REMEMBERED = 30 * 24 * 3600.0
"""Seconds that it is known from where a user has logged in."""


class Attempts:
    """The attempts by their keys.

    A minute's pause comes after ``most`` of them, each less than a minute after the last.
    """

    def __init__(self, most: int, clock: Clock = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._counts: OrderedDict[Hashable, tuple[int, float]] = OrderedDict()

    def pause(self, key: Hashable) -> float:
        """Return the seconds until another attempt may be made; 0 when it may be now."""
        count, last = self._counts.get(key, (0, -math.inf))
        return max(0.0, last + PAUSE - self._clock()) if count >= self._most else 0.0

    def take(self, key: Hashable) -> None:
        """Count an attempt."""
        now = self._clock()
        count, last = self._counts.get(key, (0, now))
        self._counts[key] = (1 if now - last >= PAUSE else count + 1, now)
        self._counts.move_to_end(key)
        while len(self._counts) > MOST_KEPT:
            self._counts.popitem(last=False)

    def give_back(self, key: Hashable) -> None:
        """Count an attempt no longer: it was right, or was not made."""
        count, last = self._counts.get(key, (0, 0.0))
        if count > 1:
            self._counts[key] = (count - 1, last)
        else:
            self._counts.pop(key, None)

    def forget(self, key: Hashable) -> None:
        """Count nothing of before."""
        self._counts.pop(key, None)


class Withheld(TooManyRequests):
    """A refusal that does not say what came of the attempt, and whose delay does not say so either."""


def too_many_of_pair(pause: float) -> Withheld:
    """Return the refusal of a name that has no attempts left, the same for who is known there and who is not."""
    return Withheld("too many wrong passwords; wait a minute", retry_after=math.ceil(pause))


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that is counted. ``quiet``: its address or pair has none left, and does not hear what came of it."""

    source: str
    name: str
    quiet: bool
    trusted: bool
    """The user has logged in from there before."""
    counted: tuple[tuple[Attempts, Hashable], ...]
    pause: float = 0.0
    """Seconds for which the pair has none left."""


class LoginLimits:
    """The counts of all attempts, and from where which user has logged in."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._pairs = Attempts(MOST_OF_PAIR, clock)
        self._names = Attempts(MOST_OF_NAME, clock)
        self._addresses = Attempts(MOST_OF_ADDRESS, clock)
        self._quiet = Attempts(MOST_OF_ADDRESS, clock)
        self._under_way: Counter[str] = Counter()
        self._known: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._turns: OrderedDict[str, float] = OrderedDict()

    def begin(self, address: str, name: str) -> Attempt:
        """Count an attempt. Raises Withheld when the name, or its name from this address, has none left.

        Who has logged in from this address before is held to the limit of the pair alone, and goes the quiet way
        beyond it: so wrong passwords from the same address, or of the same name elsewhere, do not keep them out.
        """
        source = source_of(address)
        trusted, limits, pause = self._standing(source, name)
        quiet = not trusted and self._is_crowded(source)
        if pause and trusted:
            return Attempt(source, name, quiet=True, trusted=True, counted=(), pause=pause)
        if pause:
            raise too_many_of_pair(pause)
        if not trusted and not quiet:
            limits.append((self._addresses, source))
            self._under_way[source] += 1
        for limit, key in limits:
            limit.take(key)
        return Attempt(source, name, quiet, trusted, tuple(limits))

    def withholds(self, address: str, name: str) -> bool:
        """Return whether an attempt that began now would not be told what came of it, unless it is right."""
        source = source_of(address)
        trusted, _, pause = self._standing(source, name)
        return pause > 0 or (not trusted and self._is_crowded(source))

    def _standing(self, source: str, name: str) -> tuple[bool, list[tuple[Attempts, Hashable]], float]:
        """Return whether the user logged in from there before, what limits them there, and for how long it does."""
        pair = (source, name)
        trusted = self._clock() - self._known.get(pair, -math.inf) < REMEMBERED
        limits: list[tuple[Attempts, Hashable]] = [(self._pairs, pair)]
        if not trusted:
            limits.append((self._names, name))
        return trusted, limits, max(limit.pause(key) for limit, key in limits)

    def _is_crowded(self, source: str) -> bool:
        return self._addresses.pause(source) > 0 or self._under_way[source] >= MOST_AT_ONCE

    def take_quietly(self, attempt: Attempt) -> bool:
        """Count a quiet attempt whose name exists; False when too many were made from its address."""
        if self._quiet.pause(attempt.source):
            return False
        self._quiet.take(attempt.source)
        return True

    def turn(self, attempt: Attempt, patience: float) -> float | None:
        """Return the seconds until a quiet attempt whose name exists may be compared; None when it may not.

        Beyond the limit of the pair there is one in GUESS_EVERY seconds for an address, for whoever comes first; none
        waits longer than ``patience`` seconds.
        """
        if not attempt.pause:
            return 0.0 if self.take_quietly(attempt) else None
        now = self._clock()
        turn = max(now, self._turns.get(attempt.source, now))
        if turn - now > patience:
            return None
        self._turns[attempt.source] = turn + GUESS_EVERY
        self._turns.move_to_end(attempt.source)
        while len(self._turns) > MOST_KEPT:
            self._turns.popitem(last=False)
        return turn - now

    def end(self, attempt: Attempt) -> None:
        """Note that the comparison is over, however it ended."""
        if not attempt.trusted and not attempt.quiet:
            self._under_way[attempt.source] -= 1
            if not self._under_way[attempt.source]:
                del self._under_way[attempt.source]

    def take_back(self, attempt: Attempt) -> None:
        """Count it no longer: it was right, or nothing was compared."""
        for limit, key in attempt.counted:
            limit.give_back(key)

    def succeeded(self, attempt: Attempt) -> None:
        """Take it back, forgive the user's mistakes from there, and know that they log in from there."""
        self.take_back(attempt)
        pair = (attempt.source, attempt.name)
        self._pairs.forget(pair)
        self._known[pair] = self._clock()
        self._known.move_to_end(pair)
        while len(self._known) > MOST_KEPT:
            self._known.popitem(last=False)

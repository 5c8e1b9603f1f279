"""The time, as far as it may be believed: the host's clock may jump, and with it nothing may be lost.

The wall clock is compared with one that only counts on. After a jump of more than two minutes the time goes on as
counted, until the wall clock has kept to what it says now for ten minutes: then it is followed. What is removed for its
age is removed by both clocks together, and not at all in the first hour, nor while they disagree.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

TOLERANCE = 120.0
"""Seconds that the wall clock may be set by at once without being doubted."""
PATIENCE = 600.0
"""Seconds after which a wall clock that jumped, and kept to it, is followed."""
SETTLING = 3600.0
"""Seconds after the start in which nothing is too old: a host's clock is at its worst after it booted."""
NEVER = datetime(1970, 1, 1, tzinfo=UTC)
"""A time at which nothing is old yet."""


def _counted() -> float:
    """Return the seconds since the host booted, those in which it slept among them."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(frozen=True, slots=True)
class _Doubt:
    """The distance of the wall clock to the counted time since a jump, and the counted time of that jump."""

    offset: float
    since: float


class Clock:
    """A clock that is believed. ``wall`` gives seconds since 1970, ``counted`` seconds from any moment on.

    The second one never jumps.
    """

    def __init__(self, wall: Callable[[], float] = time.time, counted: Callable[[], float] = _counted) -> None:
        self._wall = wall
        self._counted = counted
        self._began = counted()
        self._first = self._offset = wall() - self._began
        self._doubt: _Doubt | None = None

    def seconds(self) -> float:
        """Return the believed time in seconds since 1970."""
        counted = self._counted()
        offset = self._wall() - counted
        doubt = self._doubt
        if abs(offset - self._offset) <= TOLERANCE or self._has_kept(offset, counted):
            self._offset, self._doubt = offset, None
        elif doubt is None or abs(offset - doubt.offset) > TOLERANCE:
            self._doubt = _Doubt(offset, counted)
        return counted + self._offset

    def _has_kept(self, offset: float, counted: float) -> bool:
        doubt = self._doubt
        return doubt is not None and abs(offset - doubt.offset) <= TOLERANCE and counted - doubt.since >= PATIENCE

    @property
    def jump(self) -> float:
        """The seconds by which the wall clock is ahead of the believed time; 0 while it is believed."""
        self.seconds()
        return 0.0 if self._doubt is None else self._doubt.offset - self._offset

    @property
    def followed(self) -> float:
        """The seconds by which the time was set since the start, in jumps that were followed and in small steps."""
        self.seconds()
        return self._offset - self._first

    def least(self) -> float:
        """Return the time, in seconds since 1970, that it is at least: by the wall clock and counted from the start."""
        return min(self.seconds(), self._counted() + self._first)

    def ageing(self) -> datetime:
        """Return the time by which things are old: ``NEVER`` while the clocks disagree, and in the first hour."""
        if self.jump or self._counted() - self._began < SETTLING:
            return NEVER
        return datetime.fromtimestamp(self.least(), UTC)


CLOCK = Clock()


def now() -> datetime:
    """Return the believed time."""
    return datetime.fromtimestamp(CLOCK.seconds(), UTC)


def at(moment: float) -> float:
    """Return the time, in seconds since 1970, of a moment on the monotonic clock."""
    return CLOCK.seconds() + moment - time.monotonic()


def least() -> float:
    """Return the time, in seconds since 1970, that it is at least, whichever clock is right."""
    return CLOCK.least()


def ageing() -> datetime:
    """Return the time by which things are too old to be kept."""
    return CLOCK.ageing()


@lru_cache(maxsize=4096)
def timestamp(moment: datetime) -> str:
    """Return a moment in UTC with milliseconds, as the standard has its dateTime (ISO 8601).

    The last ones are remembered: a resource's times are written and shown again and again.
    """
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

"""The lanes of a connection, and their seats: who makes a call takes a seat, and with it a virConnect and its threads.

libvirt before 10.3 crashes its client when several threads wait for answers on one connection that is lost: who waits
next works with what the one before had on its stack. So a connection to a remote host has one call at a time, and calls
beside it have connections of their own, which are made when they are needed first.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from enum import StrEnum
from typing import NamedTuple

CALLS_IN_FLIGHT = 4
"""Of each lane: libvirtd serves five requests of a client at once, and keepalive needs one of them."""
THREADS = "libvirt"
"""Begins the names of the threads on which calls are made."""


class Lane(StrEnum):
    """Connections apart, so that slow work does not hold up quick work."""

    CONTROL = "control"
    STORAGE = "storage"
    NETWORK = "network"
    STREAM = "stream"
    EVENTS = "events"
    STATISTICS = "statistics"


ISOLATED = frozenset({Lane.STATISTICS})
"""Lanes whose stuck calls say nothing of the hypervisor: one guest may be the cause. They alone are opened anew."""
BOUND = frozenset({Lane.STREAM, Lane.EVENTS})
"""Lanes whose calls work with what an earlier call has left on the same connection: a stream, what is registered."""


class Seat(NamedTuple):
    """A place for calls: the first of each lane is there from the beginning."""

    lane: Lane
    number: int = 0

    @property
    def comes_later(self) -> bool:
        """Return whether its connection is made when it is needed, while others are up."""
        return self.number > 0 or self.lane in ISOLATED


class Seats:
    """The seats of all lanes with their threads, and which are free."""

    def __init__(self, *, local: bool) -> None:
        self.at_once = CALLS_IN_FLIGHT if local else 1
        """Calls of one seat at a time."""
        self._free = {lane: self._of(lane) for lane in Lane}
        self._threads = {seat: self._new_threads(seat) for seats in self._free.values() for seat in set(seats)}

    def _of(self, lane: Lane) -> list[Seat]:
        """Return the seats that a lane has to give, each as often as it has calls at a time; the first one last."""
        number = 1 if lane in BOUND else CALLS_IN_FLIGHT // self.at_once
        return [Seat(lane, place) for place in reversed(range(number)) for _ in range(self.at_once)]

    def number(self, lane: Lane) -> int:
        """Return how many calls a lane takes at a time."""
        return len(self._free[lane])

    @contextmanager
    def taken(self, lane: Lane) -> Iterator[Seat]:
        """Take the first free seat of a lane, of which there must be one."""
        seat = self._free[lane].pop()
        try:
            yield seat
        finally:
            self._free[lane].append(seat)
            self._free[lane].sort(reverse=True)

    def threads(self, seat: Seat) -> ThreadPoolExecutor:
        """Return the threads that make a seat's calls."""
        return self._threads[seat]

    def renew(self, seat: Seat) -> None:
        """Leave the seat's threads to their fate, and give it fresh ones."""
        self._threads[seat].shutdown(wait=False)
        self._threads[seat] = self._new_threads(seat)

    def close(self) -> None:
        """Take no more calls; those that run are left to their fate."""
        for threads in self._threads.values():
            threads.shutdown(wait=False, cancel_futures=True)

    def _new_threads(self, seat: Seat) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self.at_once, thread_name_prefix=f"{THREADS} {seat.lane.value}")

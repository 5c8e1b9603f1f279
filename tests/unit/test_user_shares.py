"""The share of each user in the event loop, and the requests per second of a quota."""

from __future__ import annotations

import asyncio
import time

import pytest

from gateway.errors import TooManyRequests
from gateway.http.shares import BURST, SHARE, UserShares


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def shares(clock: Clock, rate: int | None = None) -> UserShares:
    return UserShares(lambda _project: rate, clock)


def busy(of: UserShares, clock: Clock, user: str, share: float, seconds: float = 5.0) -> None:
    """So much of the loop's time goes to the user for some seconds."""
    for _ in range(int(seconds * 100)):
        clock.now += 0.01
        of.add(user, share / 100)


def test_who_has_nearly_all_of_the_loop_while_others_ask_has_much(clock: Clock) -> None:
    of = shares(clock)
    busy(of, clock, "ann", 0.9)
    of.add("bob", 0.05)
    assert of.has_much("ann")
    assert not of.has_much("bob")


def test_who_asks_alone_may_have_all_of_the_loop(clock: Clock) -> None:
    of = shares(clock)
    busy(of, clock, "ann", 1.0)
    assert not of.has_much("ann")


def test_who_has_less_than_a_fair_share_waits_for_nobody(clock: Clock) -> None:
    of = shares(clock)
    busy(of, clock, "ann", SHARE - 0.1)
    of.add("bob", 0.05)
    assert not of.has_much("ann")


def test_what_somebody_had_is_soon_forgotten(clock: Clock) -> None:
    of = shares(clock)
    busy(of, clock, "ann", 0.9)
    clock.now += 2
    of.add("bob", 0.05)
    assert not of.has_much("ann")


async def test_a_request_of_who_has_much_is_put_off_and_not_for_ever(clock: Clock) -> None:
    of = shares(clock)
    busy(of, clock, "ann", 0.9)
    of.add("bob", 0.05)
    put_off = asyncio.ensure_future(of.turn("ann"))
    await asyncio.sleep(0.05)
    assert not put_off.done()
    clock.now += 1.1
    await put_off


async def test_the_time_of_the_loop_is_counted_and_not_the_time_that_is_waited() -> None:
    of = UserShares()

    async def work() -> str:
        await asyncio.sleep(0.2)
        until = time.perf_counter() + 0.02
        while time.perf_counter() < until:
            pass
        return "done"

    assert await of.measured("ann", work()) == "done"
    assert 0.01 < of._accounts["ann"].had.amount < 0.15


async def test_what_goes_wrong_in_measured_work_is_raised() -> None:
    async def work() -> None:
        await asyncio.sleep(0)
        raise KeyError("ann")

    with pytest.raises(KeyError):
        await UserShares().measured("ann", work())


async def test_measured_work_can_be_cancelled_and_cleans_up() -> None:
    cleaned: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append("ann")

    task = asyncio.ensure_future(UserShares().measured("ann", work()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cleaned == ["ann"]


def test_more_requests_than_a_quota_allows_are_refused_until_time_has_passed(clock: Clock) -> None:
    of = shares(clock, rate=2)
    for _ in range(int(2 * BURST)):
        of.demand("ann", "ann")
    with pytest.raises(TooManyRequests, match="the quota requests_per_second of this project allows 2"):
        of.demand("ann", "ann")
    of.demand("bob", "bob")
    clock.now += 0.5
    of.demand("ann", "ann")


def test_without_a_quota_requests_are_not_counted(clock: Clock) -> None:
    of = shares(clock)
    for _ in range(1000):
        of.demand("ann", "ann")

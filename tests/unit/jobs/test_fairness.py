"""Places and work are shared among projects: one that has much to do keeps no other from its first Job."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.jobs.queues import Place, Workers
from gateway.jobs.shares import FORGOTTEN_AFTER, HEAD_START, MOST_LEAD, Shares
from tests.patience import eventually


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def work(workers: Workers, project: str, done: list[str], name: str) -> AsyncIterator[Place]:
    async with workers.place(asyncio.Event(), project) as place:
        done.append(name)
        yield place


async def at_work(workers: Workers, project: str, done: list[str], name: str) -> None:
    async with work(workers, project, done, name):
        await asyncio.sleep(0)


def queued(workers: Workers) -> int:
    return sum(map(len, workers._waiting.values()))


async def test_places_are_given_out_to_the_projects_in_turn() -> None:
    workers, done = Workers(1), list[str]()
    async with work(workers, "ann", done, "first"):
        waiting = [asyncio.ensure_future(at_work(workers, "ann", done, f"a{number}")) for number in range(3)]
        await eventually(lambda: queued(workers) == 3, "three wait")
        waiting += [asyncio.ensure_future(at_work(workers, name, done, name)) for name in ("bob", "cid")]
        await eventually(lambda: queued(workers) == 5, "five wait")
    await asyncio.gather(*waiting)
    assert done == ["first", "a0", "bob", "cid", "a1", "a2"]


async def test_a_project_has_no_more_places_than_it_may() -> None:
    workers, done = Workers(8, {"ann": 2, "bob": None}.get), list[str]()
    hold = asyncio.Event()

    async def held(project: str) -> None:
        async with work(workers, project, done, project):
            await hold.wait()

    waiting = [asyncio.ensure_future(held(project)) for project in ("ann", "ann", "ann", "bob", "bob")]
    await eventually(lambda: len(done) == 4, "four have places")
    assert sorted(done) == ["ann", "ann", "bob", "bob"]
    hold.set()
    await asyncio.gather(*waiting)
    assert sorted(done) == ["ann"] * 3 + ["bob"] * 2


async def test_a_place_that_is_given_to_one_who_went_away_goes_to_the_next() -> None:
    workers, done = Workers(1), list[str]()
    async with work(workers, "ann", done, "first"):
        gone = asyncio.ensure_future(at_work(workers, "bob", done, "gone"))
        next_one = asyncio.ensure_future(at_work(workers, "cid", done, "next"))
        await eventually(lambda: queued(workers) == 2, "two wait")
        gone.cancel()
    await next_one
    assert done == ["first", "next"]
    assert not workers.at_work


# Shares of work


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def shares(clock: Clock) -> Shares:
    return Shares(clock)


def test_a_project_alone_steps_back_for_nobody(shares: Shares, clock: Clock) -> None:
    for _ in range(8):
        shares.take("ann")
    clock.now = 100
    assert shares.lead("ann") <= 0


def test_who_comes_has_a_head_start_and_makes_up_for_no_more(shares: Shares, clock: Clock) -> None:
    shares.take("ann")
    clock.now = 100
    shares.take("bob")
    assert shares.lead("ann") == HEAD_START
    assert shares.lead("bob") == -HEAD_START


def test_a_project_with_many_places_is_ahead_of_one_with_few(shares: Shares, clock: Clock) -> None:
    shares.take("bob")
    for _ in range(8):
        shares.take("ann")
    clock.now = 1
    assert shares.lead("ann") == pytest.approx(7)


def test_a_long_step_is_made_up_for_within_bounds(shares: Shares, clock: Clock) -> None:
    shares.take("bob")
    for _ in range(8):
        shares.take("ann")
    clock.now = 600
    for _ in range(8):
        shares.give("ann")
    assert shares.lead("ann") == MOST_LEAD


def test_jobs_one_after_another_have_no_head_start_each(shares: Shares, clock: Clock) -> None:
    shares.take("ann")
    clock.now = 10
    shares.take("bob")
    shares.give("ann")  # She steps back.
    for _ in range(2):
        clock.now += 1
        shares.give("bob")
        shares.take("bob")
    assert shares.lead("ann") <= 0


def test_who_has_worked_alone_for_long_has_to_make_up_for_no_more_than_a_head_start(
    shares: Shares, clock: Clock
) -> None:
    shares.take("ann")
    clock.now = 1000
    shares.give("ann")
    shares.take("bob")
    assert shares.lead("ann") == HEAD_START


def test_a_project_that_was_away_for_long_is_forgotten(shares: Shares, clock: Clock) -> None:
    shares.take("bob")
    shares.give("bob")
    clock.now += FORGOTTEN_AFTER + 1
    shares.take("ann")
    assert list(shares._accounts) == ["ann"]


async def test_between_two_steps_who_has_had_more_waits_without_a_place(clock: Clock) -> None:
    workers, done = Workers(2), list[str]()
    workers.shares = Shares(clock)
    async with work(workers, "ann", done, "ann") as ann:
        clock.now = 10
        async with work(workers, "bob", done, "bob"):
            waiting = asyncio.ensure_future(ann.turn())
            await eventually(lambda: workers.at_work["ann"] == 0, "ann has stepped back")
            assert not waiting.done()
        await waiting
        assert workers.at_work["ann"] == 1


async def test_between_two_steps_a_place_is_left_to_another_project_that_waits_for_one() -> None:
    workers, done = Workers(1), list[str]()
    async with work(workers, "ann", done, "ann") as ann:
        others = [asyncio.ensure_future(at_work(workers, name, done, name)) for name in ("bob", "ann")]
        await eventually(lambda: queued(workers) == 2, "two wait")
        await ann.turn()
        assert "bob" in done
    await asyncio.gather(*others)


async def test_between_two_steps_a_place_is_left_to_no_other_job_of_the_project() -> None:
    workers, done = Workers(1), list[str]()
    async with work(workers, "ann", done, "first") as first:
        other = asyncio.ensure_future(at_work(workers, "ann", done, "second"))
        await eventually(lambda: queued(workers) == 1, "one waits")
        await first.turn()
        assert done == ["first"]
    await other


async def test_a_job_that_is_to_stop_waits_for_no_turn(clock: Clock) -> None:
    workers, stop = Workers(2), asyncio.Event()
    workers.shares = Shares(clock)
    async with workers.place(stop, "ann") as ann:
        clock.now = 10
        async with workers.place(asyncio.Event(), "bob"):
            waiting = asyncio.ensure_future(ann.turn())
            await eventually(lambda: workers.at_work["ann"] == 0, "ann has stepped back")
            stop.set()
            await waiting

"""Repeated occurrences: nobody who makes up many sorts hides what others do."""

from __future__ import annotations

import pytest

from gateway.orchestration.monitoring import repeats
from gateway.orchestration.monitoring.occurrences import Occurrence, Request, accessed
from gateway.orchestration.monitoring.repeats import Allowance, Repeats

ONCE = Allowance(1, 60.0)


def occurrence(user: str) -> Occurrence:
    return accessed(Request("login", user, "192.0.2.1", "r"), "machines", None, "Failure", "no")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def told(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Repeats:
    monkeypatch.setattr(repeats, "MOST_KEPT", 20)
    monkeypatch.setattr(repeats, "MOST_OF_A_SOURCE", 5)
    return Repeats(clock)


def flood(told: Repeats, source: str, number: int) -> int:
    """How many are told of so many sorts that an address makes up."""
    names = (f"user{count}" for count in range(number))
    return sum(told.is_new(("login", source, name), ONCE, occurrence(name)) for name in names)


def test_who_makes_up_names_is_told_a_few_times_and_then_counted(told: Repeats, clock: Clock) -> None:
    assert flood(told, "a", 1000) == 6
    clock.now = 61
    [summary] = told.over()
    assert summary.document["content"]["detail"].startswith("994 more")


def test_what_another_address_does_is_told_beside_a_flood(told: Repeats) -> None:
    flood(told, "a", 1000)
    assert told.is_new(("login", "b", "ann"), ONCE, occurrence("ann"))


def test_another_kind_of_request_is_told_beside_a_flood_from_many_addresses(told: Repeats) -> None:
    for number in range(100):
        flood(told, f"a{number}", 10)
    assert told.is_new(("taken", "b", "ann"), Allowance(1, 600.0), occurrence("ann"))


def test_a_flood_that_is_over_is_forgotten(told: Repeats, clock: Clock) -> None:
    for number in range(100):
        flood(told, f"a{number}", 1)
    clock.now = 61
    told.over()
    clock.now = 122
    told.over()
    clock.now = 183
    told.over()
    assert flood(told, "a", 5) == 5


def test_the_allowance_of_one_kind_is_not_that_of_another(told: Repeats) -> None:
    for number in range(100):
        told.is_new(("metrics", f"a{number}", "m"), Allowance(1, 3600.0), occurrence("m"))
    some = Allowance(3, 60.0)
    assert [told.is_new(("refused", "b", "ann"), some, occurrence("ann")) for _ in range(4)] == [True] * 3 + [False]

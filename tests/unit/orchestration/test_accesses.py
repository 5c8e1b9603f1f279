"""Access events while the store takes nothing: they wait, as many as there is room for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gateway.errors import NoSpace
from gateway.orchestration.monitoring import accesses
from gateway.orchestration.monitoring.accesses import Accesses
from gateway.orchestration.monitoring.occurrences import Occurrence, Request

MINUTE = 61.0


class FullDisk:
    """In the place of the store: it takes nothing while it is full."""

    def __init__(self) -> None:
        self.full = True
        self.written: list[Occurrence] = []

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[FullDisk]:
        if self.full:
            raise NoSpace("full")
        yield self


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> FullDisk:
    async def tell(transaction: FullDisk, *occurrences: Occurrence) -> None:
        transaction.written += occurrences

    monkeypatch.setattr(accesses, "tell", tell)
    return FullDisk()


@pytest.fixture
def now() -> list[float]:
    return [0.0]


@pytest.fixture
def told(disk: FullDisk, now: list[float]) -> Accesses:
    store: Any = disk
    return Accesses(store, lambda: now[0])


async def refuse(told: Accesses, user: str) -> None:
    await told.login_refused(Request("login", user, "192.0.2.1", "r"), "machines", "wrong password")


async def test_what_a_full_disk_does_not_take_is_written_when_it_does(told: Accesses, disk: FullDisk) -> None:
    await refuse(told, "ann")
    await refuse(told, "bob")
    disk.full = False
    await told.turn()
    assert [occurrence.document["content"]["initiator"] for occurrence in disk.written] == ["ann", "bob"]
    await told.turn()
    assert len(disk.written) == 2


async def test_the_numbers_of_repeats_wait_too(told: Accesses, disk: FullDisk, now: list[float]) -> None:
    for _ in range(5):
        await refuse(told, "ann")
    now[0] += MINUTE
    await told.turn()
    disk.full = False
    await told.turn()
    assert [occurrence.document["content"]["detail"][:6] for occurrence in disk.written] == ["wrong ", "4 more"]


async def test_no_more_wait_than_there_is_room_for(
    told: Accesses, disk: FullDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accesses, "MOST_WAITING", 3)
    for number in range(10):
        await refuse(told, f"user{number}")
    disk.full = False
    await told.turn()
    assert len(disk.written) == 3

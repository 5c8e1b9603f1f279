"""The watch over the clock while the store takes nothing: what is to be told waits until it can be."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.errors import NoSpace
from gateway.orchestration.monitoring import clock_watch
from gateway.orchestration.monitoring.clock_watch import ClockWatch
from gateway.orchestration.monitoring.occurrences import Occurrence
from gateway.store.model import Resource

ENTRY = Resource("cloudEntryPoint", "CloudEntryPoint", None, {}, datetime.now(UTC), datetime.now(UTC))


class FullDisk:
    """In the place of the store: it takes nothing while it is full."""

    def __init__(self) -> None:
        self.full = True
        self.codes: list[str] = []

    async def get(self, _path: str) -> Resource:
        return ENTRY

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[FullDisk]:
        if self.full:
            raise NoSpace("full")
        yield self


async def test_a_jump_that_a_full_disk_does_not_take_is_told_when_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    async def tell(transaction: FullDisk, occurrence: Occurrence) -> None:
        transaction.codes.append(occurrence.document["content"]["code"])

    host = SimpleNamespace(jump=0.0, followed=0.0)
    monkeypatch.setattr(clock_watch, "tell", tell)
    monkeypatch.setattr("gateway.clock.CLOCK", host)
    disk: Any = FullDisk()
    watch = ClockWatch(disk)
    host.jump = 3600.0
    await watch.turn()
    disk.full = False
    for _ in range(2):
        await watch.turn()
    host.jump = 0.0
    await watch.turn()
    assert disk.codes == ["clock-jumped", "clock-back"]

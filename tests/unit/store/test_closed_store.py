"""A store that is closed while a task still writes."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.store.model import Resource
from gateway.store.store import Store

START = datetime(2026, 1, 1, tzinfo=UTC)
MACHINE = Resource("machines/1", "Machine", "me", {"state": "STARTED"}, START, START)


async def test_a_transaction_that_is_cancelled_after_the_store_was_closed_ends_as_cancelled(tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "closed.db")
    begun = asyncio.Event()

    async def write() -> None:
        async with store.transaction() as transaction:
            await transaction.insert(MACHINE)
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(write())
    await begun.wait()
    await store.close()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

"""The store and those who depend on it: who follows its commits, and who counts the bytes of what it gives."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.store.model import Query, Resource
from gateway.store.store import Store


def machine(number: int, **document: object) -> Resource:
    now = datetime.now(UTC)
    return Resource(f"machines/{number:04}", "Machine", "me", {"name": f"m{number}", **document}, now, now)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(tmp_path / "test.db")
    yield opened
    await opened.close()


async def test_one_who_fails_to_follow_a_commit_fails_neither_that_nor_the_others(store: Store) -> None:
    seen: list[str] = []

    def fail(_changes: object) -> None:
        raise KeyError("a surprise")

    store.watch(fail)
    store.watch(lambda changes: seen.extend(changes))
    async with store.transaction() as transaction:
        await transaction.insert(machine(1))
    assert seen == ["machines/0001"]
    assert await store.get("machines/0001") is not None


async def test_a_page_ends_by_the_bytes_of_its_items_in_any_script(store: Store) -> None:
    async with store.transaction() as transaction:
        for number in (1, 2):
            await transaction.insert(machine(number, description="\u6f22" * 500))
    page = await store.page(Query("Machine", most_bytes=1500))
    assert [item.name for item in page.items] == ["m1"]
    assert page.items[0].size >= 1500

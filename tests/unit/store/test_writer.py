"""The connection that writes, and whose turn it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.errors import Conflict
from gateway.store import schema
from gateway.store.keyring import keyring
from gateway.store.sealing import Sealing
from gateway.store.store import UNDER_WAY, Turns
from gateway.store.transaction import Writer
from tests.patience import PATIENCE

FULL, NORMAL = 2, 1


@pytest.fixture
async def writer(tmp_path: Path) -> AsyncIterator[Writer]:
    path = tmp_path / "test.db"
    sealing = Sealing(keyring(path))
    await asyncio.to_thread(schema.migrate, path, sealing)
    opened = await schema.writer(path, sealing)
    await opened.execute("CREATE TABLE things (name TEXT PRIMARY KEY)")
    yield opened
    await opened.close()


async def names(writer: Writer) -> list[str]:
    return [row[0] for row in await writer.execute_fetchall("SELECT name FROM things ORDER BY name")]


async def test_what_was_put_is_seen_by_what_is_fetched_after_it(writer: Writer) -> None:
    writer.begin(durable=True)
    writer.put("INSERT INTO things VALUES (?)", ("a",))
    writer.put_each("INSERT INTO things VALUES (?)", [("b",), ("c",)])
    assert await writer.fetch("SELECT count(*) FROM things") == [(3,)]
    await writer.commit()
    assert await names(writer) == ["a", "b", "c"]


async def test_what_was_put_last_is_committed(writer: Writer) -> None:
    writer.begin(durable=True)
    writer.put("INSERT INTO things VALUES (?)", ("a",))
    await writer.commit()
    assert await names(writer) == ["a"]
    assert not writer.in_transaction


async def test_what_was_put_and_rolled_back_is_never_done(writer: Writer) -> None:
    writer.begin(durable=True)
    writer.put("INSERT INTO things VALUES (?)", ("a",))
    await writer.fetch("SELECT 1")
    writer.put("INSERT INTO things VALUES (?)", ("b",))
    await writer.rollback()
    writer.begin(durable=True)
    await writer.fetch("SELECT 1")
    await writer.commit()
    assert await names(writer) == []


async def test_a_transaction_that_says_nothing_does_not_reach_the_file(writer: Writer) -> None:
    said: list[str] = []
    await writer.set_trace_callback(said.append)
    writer.begin(durable=True)
    await writer.commit()
    assert said == []


async def test_a_broken_rule_is_told_in_the_words_that_came_with_it(writer: Writer) -> None:
    writer.begin(durable=True)
    writer.put_each("INSERT INTO things VALUES (?)", [("a",)])
    writer.put("INSERT INTO things VALUES (?)", ("a",), conflict="a exists already")
    with pytest.raises(Conflict, match="a exists already"):
        await writer.commit()
    await writer.rollback()
    assert await names(writer) == []


@pytest.mark.parametrize(("durable", "synchronous"), [(True, FULL), (False, NORMAL), (True, FULL)])
async def test_a_commit_waits_for_the_disk_when_it_must_be_durable(
    writer: Writer, durable: bool, synchronous: int
) -> None:
    writer.begin(durable=not durable)
    await writer.fetch("SELECT 1")
    await writer.commit()
    writer.begin(durable=durable)
    assert await writer.fetch("PRAGMA synchronous") == [(synchronous,)]
    await writer.commit()


async def test_it_tells_how_many_rows_changed(writer: Writer) -> None:
    writer.begin(durable=True)
    writer.put_each("INSERT INTO things VALUES (?)", [("a",), ("b",)])
    assert await writer.change("DELETE FROM things") == 2
    await writer.commit()


async def turn_of(turns: Turns, name: str, order: list[str], *, under_way: bool = False) -> None:
    UNDER_WAY.set(under_way)
    await turns.acquire()
    order.append(name)
    await asyncio.sleep(0)
    turns.release()


async def test_what_is_under_way_comes_before_what_is_new() -> None:
    turns, order = Turns(), list[str]()
    await turns.acquire()
    waiting = [
        asyncio.create_task(turn_of(turns, "new 1", order)),
        asyncio.create_task(turn_of(turns, "new 2", order)),
        asyncio.create_task(turn_of(turns, "job 1", order, under_way=True)),
        asyncio.create_task(turn_of(turns, "job 2", order, under_way=True)),
    ]
    await asyncio.sleep(0)
    turns.release()
    await asyncio.gather(*waiting)
    assert order == ["job 1", "job 2", "new 1", "new 2"]


@pytest.mark.parametrize("after_release", [False, True])
async def test_who_is_cancelled_while_waiting_holds_up_nobody(after_release: bool) -> None:
    turns, order = Turns(), list[str]()
    await turns.acquire()
    gone = asyncio.create_task(turn_of(turns, "gone", order))
    stays = asyncio.create_task(turn_of(turns, "stays", order))
    await asyncio.sleep(0)
    if after_release:
        turns.release()
        gone.cancel()
    else:
        gone.cancel()
        await asyncio.sleep(0)
        turns.release()
    await asyncio.wait_for(stays, PATIENCE)
    assert order == ["stays"]
    assert gone.cancelled()


async def test_it_is_free_again_when_nobody_waits() -> None:
    turns, order = Turns(), list[str]()
    await turn_of(turns, "first", order)
    await asyncio.wait_for(turn_of(turns, "second", order), PATIENCE)
    assert order == ["first", "second"]

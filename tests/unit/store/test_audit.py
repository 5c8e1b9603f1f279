"""The audit log in the store: it is appended to, and loses its oldest entries and no others."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.store import transaction as transactions
from gateway.store.audit import AuditEntry
from gateway.store.store import Store

LONG_AGO, LATER = "2000-01-01T00:00:00+00:00", "2100-01-01T00:00:00+00:00"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = await Store.open(tmp_path / "gateway.db")
    yield store
    await store.close()


async def append(store: Store, *operations: str, stranger: bool = False) -> None:
    async with store.transaction() as transaction:
        transaction.append_audit([AuditEntry(entry, "Success", user="ann", stranger=stranger) for entry in operations])


async def kept(store: Store) -> list[str]:
    rows = await store.fetch("SELECT json_extract(entry, '$.operation') FROM audit ORDER BY position")
    return [operation for (operation,) in rows]


async def forget(store: Store, *, before: str = LONG_AGO, most: int = 1000, stranger: bool = False) -> bool:
    async with store.transaction() as transaction:
        return await transaction.forget_audit(stranger=stranger, before=before, most=most)


async def test_entries_stand_in_their_order(store: Store) -> None:
    await append(store, "add", "start")
    await append(store, "stop")
    assert await kept(store) == ["add", "start", "stop"]


async def test_an_entry_of_a_transaction_that_fails_is_not_kept(store: Store) -> None:
    with pytest.raises(RuntimeError):
        async with store.transaction() as transaction:
            transaction.append_audit([AuditEntry("add", "Success")])
            raise RuntimeError
    assert await kept(store) == []


async def test_who_follows_is_given_the_entries_of_each_commit(store: Store) -> None:
    followed: list[str] = []
    store.audit(lambda entries: followed.extend(entry.operation for entry in entries))
    await append(store, "add", "start")
    assert followed == ["add", "start"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET entry = '{}' WHERE position = 2",
        "DELETE FROM audit WHERE position = 2",
        "INSERT OR REPLACE INTO audit VALUES (2, '', 0, '{}')",
    ],
)
async def test_no_entry_is_rewritten_or_taken_out_of_the_middle(store: Store, statement: str) -> None:
    await append(store, "add", "start", "stop")
    await store.close()
    with sqlite3.connect(store.path) as connection, pytest.raises(sqlite3.DatabaseError):
        connection.execute("PRAGMA recursive_triggers = ON")
        connection.execute(statement)


async def test_entries_that_are_too_old_go(store: Store) -> None:
    await append(store, "add", "start")
    assert not await forget(store, before=LATER)
    assert await kept(store) == []


async def test_of_entries_that_are_too_many_the_oldest_go(store: Store) -> None:
    await append(store, "add", "start", "stop")
    await forget(store, most=2)
    assert await kept(store) == ["start", "stop"]


async def test_entries_of_strangers_push_out_none_of_users(store: Store) -> None:
    await append(store, "add")
    await append(store, "POST", "PUT", stranger=True)
    await append(store, "start")
    await forget(store, most=1, stranger=True)
    assert await kept(store) == ["add", "PUT", "start"]


async def test_many_entries_are_removed_some_at_a_time(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transactions, "AT_ONCE", 2)
    await append(store, "add", "start", "stop")
    assert await forget(store, most=0)
    assert not await forget(store, most=0)
    assert await kept(store) == []


@pytest.mark.parametrize(
    ("credential", "key", "value"),
    [
        ("token 7f3c", "token", "7f3c"),
        ("certificate ab:cd", "certificate", "ab:cd"),
        ("uid 1000", "uid", "1000"),
        ("gateway its host has booted", "gateway", "its host has booted"),
    ],
)
def test_what_a_user_came_in_by_has_a_key_of_its_own(credential: str, key: str, value: str) -> None:
    assert AuditEntry("add", "Success", user="ann", credential=credential).document()[key] == value


def test_what_is_empty_is_left_out() -> None:
    assert AuditEntry("add", "Success", user="ann").document() == {
        "user": "ann",
        "operation": "add",
        "outcome": "Success",
    }

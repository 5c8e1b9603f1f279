"""Sealed secrets in the store: an older store's, those under another key, and those of other rows."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.store import schema
from gateway.store.answered import recall
from gateway.store.keyring import Key, Keyring, derived, keyring
from gateway.store.model import Resource
from gateway.store.sealing import MARK, Sealing, holds_sealed
from gateway.store.store import Store
from gateway.store.transaction import PlanRow

SECRET = "a-secret-that-is-long-enough-to-be-found"
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
TIME = "2026-01-01T00:00:00.000Z"
ROW = f"INSERT INTO resources VALUES (?, ?, 'me', 0, 'me', '', 'n', ?, '{TIME}', '{TIME}', 1, ?, ?)"
BEFORE_SEALING = 6


def template(number: int = 1, **internal: Any) -> Resource:
    facts = internal or {"secrets": {"userData": SECRET}}
    path = f"machineTemplates/{number}"
    return Resource(path, "MachineTemplate", "me", {"name": "t"}, MOMENT, MOMENT, internal=facts)


def sealing(mark: bytes = b"k", *former: bytes) -> Sealing:
    return Sealing(Keyring(key(mark), tuple(map(key, former))))


def key(mark: bytes) -> Key:
    return derived(mark * 40)


def beside(path: Path) -> bytes:
    """All that the store has on disk, but its key."""
    files = [file for file in path.parent.glob(f"{path.name}*") if file.suffix != ".key"]
    return b"".join(file.read_bytes() for file in files)


# The texts


def test_only_what_is_secret_is_sealed() -> None:
    text = json.dumps({"host": "local", "secrets": {"userData": SECRET}, "disks": [{"bytes": 1}]})
    kept = json.loads(sealing().sealed("a", text))
    assert (kept["host"], kept["disks"]) == ("local", [{"bytes": 1}])
    assert json.dumps(kept["secrets"]["userData"], separators=(",", ":")).startswith(MARK)


@pytest.mark.parametrize("value", [SECRET, "", '\u00e4"\\\n', {"a": SECRET}, [SECRET], True, 1])
def test_what_was_sealed_opens_to_the_same(value: Any) -> None:
    text = json.dumps({"x": [{"password": value}]})
    assert json.loads(sealing().opened("a", sealing().sealed("a", text))) == {"x": [{"password": value}]}


def test_the_same_secret_is_never_sealed_alike() -> None:
    text = json.dumps({"password": SECRET})
    assert sealing().sealed("a", text) != sealing().sealed("a", text)


def test_what_belongs_to_another_row_does_not_open() -> None:
    moved = json.loads(sealing().opened("b", sealing().sealed("a", json.dumps({"password": SECRET}))))
    assert holds_sealed(moved["password"])


def test_what_was_changed_on_disk_does_not_open() -> None:
    kept = json.loads(sealing().sealed("a", json.dumps({"password": SECRET})))
    text = kept["password"]["sealed"]
    kept["password"]["sealed"] = text[:-8] + ("A" if text[-8] != "A" else "B") + text[-7:]
    assert holds_sealed(json.loads(sealing().opened("a", json.dumps(kept, separators=(",", ":")))))


def test_what_does_not_open_is_written_back_as_it_was() -> None:
    text = sealing(b"k").sealed("a", json.dumps({"password": SECRET}))
    other = sealing(b"o")
    assert other.sealed("a", other.opened("a", text)) == text


def test_a_former_key_opens_and_the_current_one_seals_anew() -> None:
    text = sealing(b"k").sealed("a", json.dumps({"password": SECRET}))
    anew = sealing(b"n", b"k").resealed("a", text)
    assert json.loads(sealing(b"n").opened("a", anew)) == {"password": SECRET}


def test_a_property_is_the_clients_own_whatever_it_is_called() -> None:
    text = json.dumps({"properties": {"password": "x", "sealed": "v1.a.b"}, "url": None})
    assert json.loads(sealing().sealed("a", text)) == json.loads(text)
    assert json.loads(sealing().opened("a", text)) == json.loads(text)


@pytest.mark.parametrize("text", ["v1.a.b", "v1.0123456789abcdef.AAAA"])
def test_a_secret_that_looks_as_if_it_were_sealed_is_sealed_and_opens_to_the_same(text: str) -> None:
    document = {"values": {"sealed": text}}
    kept = sealing().sealed("a", json.dumps(document))
    assert text not in kept
    opened = json.loads(sealing().opened("a", kept))
    assert (opened, holds_sealed(opened)) == (document, False)
    assert json.loads(sealing().opened("a", sealing().resealed("a", kept))) == document


@pytest.mark.parametrize("text", ["v1.a.b", "v1.0123456789abcdef.AAAA"])
def test_what_is_no_secret_is_not_lost_whatever_it_looks_like(text: str) -> None:
    document = {"name": {"sealed": text}, "properties": {"sealed": text}, "url": "x"}
    opened = json.loads(sealing().opened("a", sealing().sealed("a", json.dumps(document))))
    assert (opened, holds_sealed(opened)) == (document, False)


def test_what_does_not_open_is_lost_when_it_is_read_and_sealed_when_it_is_written() -> None:
    kept = sealing(b"k").sealed("a", json.dumps({"password": SECRET}))
    lost = sealing(b"o").opened("a", kept)
    assert holds_sealed(json.loads(lost))
    assert sealing(b"k").opened("a", sealing(b"o").sealed("a", lost)) == json.dumps(
        {"password": SECRET}, separators=(",", ":")
    )


async def test_facts_that_look_as_if_they_were_sealed_are_not_told_as_lost(tmp_path: Path) -> None:
    resource = template(properties={"sealed": "v1.0123456789abcdef.AAAA"}, secrets={"userData": SECRET})
    path = tmp_path / "test.db"
    store = await Store.open(path)
    async with store.transaction() as transaction:
        await transaction.insert(resource)
    await store.close()
    store = await Store.open(path)
    assert (store.lost, await store.get(resource.path)) == ({}, resource)
    await store.close()


def test_a_digest_is_known_again_by_former_keys_too_and_by_no_other() -> None:
    digest = sealing(b"k").digested("text")
    assert sealing(b"k").matches(digest, "text")
    assert sealing(b"n", b"k").matches(digest, "text")
    assert not sealing(b"k").matches(digest, "other")
    assert not sealing(b"n").matches(digest, "text")


# A store


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(tmp_path / "test.db")
    yield opened
    await opened.close()


async def test_every_way_of_reading_gives_the_secret(store: Store) -> None:
    async with store.transaction() as transaction:
        await transaction.insert(template())
    store._cache.clear()
    async with store.transaction() as transaction:
        assert await transaction.get("machineTemplates/1") == template()
    read = [await store.get("machineTemplates/1"), *[one async for one in store.every("MachineTemplate")]]
    assert read == [template(), template()]


async def test_a_plan_keeps_its_secrets_sealed(store: Store) -> None:
    plan = {"steps": [{"step": "make components", "arguments": {"components": [{"userData": SECRET}]}}]}
    async with store.transaction() as transaction:
        await transaction.insert(Resource("jobs/1", "Job", "me", {}, MOMENT, MOMENT))
        await transaction.write_plan(PlanRow("jobs/1", plan, "run", 0))
    [[kept, opened]] = await store.fetch("SELECT plan, opened(job, plan) FROM plans")
    assert SECRET not in kept
    assert json.loads(opened) == plan


# An older store


def _fill(path: Path) -> None:
    """As a gateway before this one left it: secrets in rows, in free pages, and in the copies that upgrades made."""
    connection = sqlite3.connect(path)
    rows = [
        ("machineTemplates/1", "MachineTemplate", None, {"secrets": {"userData": SECRET}}),
        ("credentials/1", "Credential", None, {"password_hash": SECRET}),
        ("machines/1", "Machine", "STARTED", {"seed": {"user": "ops", "user_data": SECRET, "environment": SECRET}}),
        ("machines/2", "Machine", "CREATING", {"seed": {"user_data": SECRET}}),
        ("jobs/1", "Job", "RUNNING", {}),
    ]
    for name, kind, state, internal in rows:
        connection.execute(ROW, (name, kind, state, "{}", json.dumps(internal)))
    plan = json.dumps({"steps": [{"arguments": {"userData": SECRET}}]})
    connection.execute("INSERT INTO plans VALUES ('jobs/1', ?, 'run', 0, 0, 'null')", (plan,))
    connection.execute("INSERT INTO answered VALUES ('me', 'k', 'print', 'machines/1', 'jobs/1', '2026-01-01')")
    connection.execute(ROW, ("machines/9", "Machine", None, "{}", json.dumps({"seed": {"user_data": SECRET * 999}})))
    connection.commit()
    connection.execute("DELETE FROM resources WHERE path = 'machines/9'")
    connection.commit()
    connection.close()
    path.with_name(f"{path.name}.before-5").write_bytes(SECRET.encode() * 10_000)


@pytest.fixture
async def older(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "old.db"
    steps = schema.migrations()
    with monkeypatch.context() as patched:
        patched.setattr(schema, "migrations", lambda: steps[:BEFORE_SEALING])
        patched.setattr(schema, "PRAGMAS", tuple(text for text in schema.PRAGMAS if "secure_delete" not in text))
        await asyncio.to_thread(schema.migrate, path, Sealing(await asyncio.to_thread(keyring, path)))
    await asyncio.to_thread(_fill, path)
    assert SECRET.encode() in await asyncio.to_thread(beside, path)
    return path


async def test_an_older_store_is_sealed_at_the_first_start_and_keeps_no_plain_page(older: Path) -> None:
    store = await Store.open(older)
    assert SECRET.encode() not in await asyncio.to_thread(beside, older)
    assert sorted(file.name for file in older.parent.glob("old.db.before-*")) == []
    await store.close()
    assert SECRET.encode() not in await asyncio.to_thread(beside, older)


async def test_a_first_start_that_was_killed_before_the_old_pages_were_gone_is_made_up_for(
    older: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as killed:
        killed.setattr(schema, "_forget_plain", lambda *_: None)
        await (await Store.open(older)).close()
    assert SECRET.encode() in await asyncio.to_thread(beside, older)
    await (await Store.open(older)).close()
    assert SECRET.encode() not in await asyncio.to_thread(beside, older)


async def test_an_older_stores_secrets_are_used_as_before(older: Path) -> None:
    store = await Store.open(older)
    kept = await store.get_many(["machineTemplates/1", "credentials/1", "machines/2"])
    [[plan]] = await store.fetch("SELECT opened(job, plan) FROM plans")
    await store.close()
    assert [resource.internal for resource in kept.values()] == [
        {"secrets": {"userData": SECRET}},
        {"password_hash": SECRET},
        {"seed": {"user_data": SECRET}},
    ]
    assert SECRET in plan


async def test_an_older_machine_whose_seed_is_made_loses_what_it_was_made_of(older: Path) -> None:
    store = await Store.open(older)
    machine = await store.get("machines/1")
    await store.close()
    assert machine is not None
    assert machine.internal["seed"] == {"user": "ops", "environment": True}


async def test_an_idempotency_key_of_before_is_known_after_the_upgrade(older: Path) -> None:
    store = await Store.open(older)
    async with store.transaction() as transaction:
        answers = [await recall(transaction, "me", "k", text) for text in ("print", "other")]
    await store.close()
    assert [answer.same for answer in answers if answer is not None] == [True, False]


# Another key


async def _filled(path: Path) -> None:
    store = await Store.open(path)
    async with store.transaction() as transaction:
        await transaction.insert(template())
    await store.close()


async def test_without_its_key_the_store_opens_and_says_what_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    await _filled(path)
    await asyncio.to_thread(path.with_name("test.db.key").unlink)
    store = await Store.open(path)
    assert store.lost == {"MachineTemplate": 1}
    await store.close()


async def test_a_key_that_comes_back_opens_all_again_and_all_is_sealed_with_the_new_one(tmp_path: Path) -> None:
    path, former = tmp_path / "test.db", tmp_path / "former"
    await _filled(path)
    await asyncio.to_thread(path.with_name("test.db.key").rename, former)
    await (await Store.open(path)).close()
    store = await Store.open(path, former_keys=[str(former)])
    assert (store.lost, await store.get("machineTemplates/1")) == ({}, template())
    await store.close()
    store = await Store.open(path)
    assert (store.lost, await store.get("machineTemplates/1")) == ({}, template())
    await store.close()

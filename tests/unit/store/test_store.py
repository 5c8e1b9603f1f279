"""The store: transactions, versions, pages, migrations."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import unicodedata
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.cimi.filter import parse
from gateway.cimi.registry import type_of
from gateway.errors import Conflict, NotFound, PreconditionFailed
from gateway.store import schema
from gateway.store.answered import Answered, recall
from gateway.store.keyring import keyring
from gateway.store.model import SORT_KEY, Document, Query, Resource, SortKey, sort_key, to_row
from gateway.store.schema import StoreError
from gateway.store.sealing import Sealing, register
from gateway.store.store import Store

START = datetime(2026, 1, 1, tzinfo=UTC)
TYPES = type_of("Machine").filter_types


def machine(number: int, owner: str | None = "me", **document: object) -> Resource:
    moment = START + timedelta(seconds=number)
    known = {"name": f"m{number}", "state": "STARTED", "cpu": number, "memory": 1, **document}
    return Resource(f"machines/{number:04}", "Machine", owner, known, moment, moment)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(tmp_path / "test.db")
    yield opened
    await opened.close()


async def filled(store: Store) -> None:
    async with store.transaction() as transaction:
        for number in range(1, 11):
            owner = "me" if number % 2 else "other"
            properties = {"tier": "web" if number > 5 else "db"}
            await transaction.insert(machine(number, owner, properties=properties))


async def names(store: Store, text: str = "", visible_to: str | None = None, **rest: object) -> list[str | None]:
    filters = (parse(text, TYPES),) if text else ()
    page = await store.page(Query("Machine", filters=filters, visible_to=visible_to, **rest))  # type: ignore[arg-type]
    return [item.name for item in page.items]


async def test_a_failed_transaction_leaves_nothing(store: Store) -> None:
    with pytest.raises(RuntimeError):
        async with store.transaction() as transaction:
            await transaction.insert(machine(1))
            raise RuntimeError
    assert await store.get("machines/0001") is None
    assert (await store.page(Query("Machine"))).count == 0


async def test_a_task_that_is_cancelled_at_any_point_leaves_the_store_whole(store: Store) -> None:
    async def insert(number: int) -> None:
        async with store.transaction() as transaction:
            await transaction.insert(machine(number))

    for number in range(200):
        task = asyncio.create_task(insert(number))
        for _ in range(number % 40):
            await asyncio.sleep(0)
        if number % 3:
            await asyncio.sleep(0.0001 * (number % 7))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        path = f"machines/{number:04}"
        rows = await store.fetch("SELECT 1 FROM resources WHERE path = ?", (path,))
        assert (store.peek(path) is not None) == bool(rows)
    await insert(1000)


async def test_two_tasks_do_not_share_a_transaction(store: Store) -> None:
    async def fail() -> None:
        async with store.transaction() as transaction:
            await transaction.insert(machine(1))
            await asyncio.sleep(0.05)
            raise RuntimeError

    async def succeed() -> None:
        await asyncio.sleep(0.01)
        async with store.transaction() as transaction:
            await transaction.insert(machine(2))

    await asyncio.gather(fail(), succeed(), return_exceptions=True)
    assert await names(store) == ["m2"]


async def test_an_update_bumps_the_version_and_refuses_an_old_one(store: Store) -> None:
    async with store.transaction() as transaction:
        await transaction.insert(machine(1))
    async with store.transaction() as transaction:
        updated = await transaction.update(machine(1, cpu=4), expected_version=1)
    assert updated.version == 2
    with pytest.raises(PreconditionFailed):
        async with store.transaction() as transaction:
            await transaction.update(machine(1, cpu=5), expected_version=1)
    with pytest.raises(NotFound):
        async with store.transaction() as transaction:
            await transaction.update(machine(9))


async def test_one_path_is_inserted_once(store: Store) -> None:
    with pytest.raises(Conflict):
        async with store.transaction() as transaction:
            await transaction.insert(machine(1))
            await transaction.insert(machine(1))


async def test_components_die_with_their_owner(store: Store) -> None:
    disk = Resource("machines/0001/disks/vda", "Disk", "me", {"name": "vda"}, START, START, parent="machines/0001")
    async with store.transaction() as transaction:
        await transaction.insert(machine(1))
        await transaction.insert(disk)
    assert await store.children("machines/0001", "Disk") == (disk,)
    async with store.transaction() as transaction:
        await transaction.delete("machines/0001")
    assert await store.get(disk.path) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cpu>8", ["m9", "m10"]),
        ("cpu>=2 and cpu<4", ["m2", "m3"]),
        ("cpu=1 or cpu=10", ["m1", "m10"]),
        ("name='m3'", ["m3"]),
        ("name!='m3' and cpu<4", ["m1", "m2"]),
        ("property['tier']='web' and cpu<7", ["m6"]),
        ("property['tier']!='web' and cpu>3", ["m4", "m5"]),
        ("property['none']!='x'", []),
        ("nothing=1", []),
        ("cpuArch!='x86'", []),
        ("state='STARTED' and created>2026-01-01T00:00:09Z", ["m10"]),
    ],
)
async def test_filters_find_what_they_say(store: Store, text: str, expected: list[str]) -> None:
    await filled(store)
    assert await names(store, text) == expected


async def test_a_user_lists_what_is_theirs_shared_or_nobodys(store: Store) -> None:
    async with store.transaction() as transaction:
        await transaction.insert(machine(1, "me"))
        await transaction.insert(machine(2, "other"))
        await transaction.insert(machine(3, None))
    assert await names(store, visible_to="me") == ["m1", "m3"]
    assert await names(store) == ["m1", "m2", "m3"]


@pytest.mark.parametrize("text", ["", "state='STARTED'", "memory=1"])
async def test_what_is_a_users_is_listed_and_counted_shared_or_not(store: Store, text: str) -> None:
    async with store.transaction() as transaction:
        await transaction.insert(machine(1, None))
        await transaction.insert(replace(machine(2, "other"), shared=True))
        await transaction.insert(replace(machine(3, "me"), shared=True))
        await transaction.insert(machine(4, "me"))
    filters = (parse(text, TYPES),) if text else ()
    query = Query("Machine", filters=filters, visible_to="me")
    assert (await store.page(query)).count == 4
    page = await store.page(replace(query, project="me"))
    assert ([item.name for item in page.items], page.count) == (["m3", "m4"], 2)


async def test_order_page_and_count_work_together(store: Store) -> None:
    await filled(store)
    query = Query("Machine", order=(SortKey("cpu", descending=True),), first=2, last=3)
    page = await store.page(query)
    assert [item.name for item in page.items] == ["m9", "m8"]
    assert page.count == 10


@pytest.mark.parametrize(("most_bytes", "shown"), [(1, 1), (200, 3), (100_000, 10)])
async def test_a_page_ends_where_its_items_come_to_too_many_bytes(store: Store, most_bytes: int, shown: int) -> None:
    await filled(store)
    page = await store.page(Query("Machine", most_bytes=most_bytes))
    assert [item.name for item in page.items] == [f"m{number}" for number in range(1, shown + 1)]
    assert page.count == 10


async def test_a_resource_tells_how_long_its_document_is_however_it_came_to_hand(store: Store) -> None:
    await filled(store)
    [listed, *_] = (await store.page(Query("Machine"))).items
    remembered = store.peek(listed.path)
    assert remembered is not None
    assert remembered.size == listed.size > 50
    async with store.transaction() as transaction:
        longer = await transaction.update(listed.with_document(description="d" * 1_000))
        same = await transaction.update(longer.with_internal(fact="f" * 1_000))
    assert longer.size == same.size > 1_000


async def test_counts_follow_every_change(store: Store) -> None:
    await filled(store)
    stopped = Query("Machine", filters=(parse("state='STOPPED'", TYPES),))
    assert (await store.page(stopped)).count == 0
    async with store.transaction() as transaction:
        await transaction.update(machine(1, state="STOPPED"))
        await transaction.delete("machines/0002")
    assert (await store.page(stopped)).count == 1
    assert (await store.page(Query("Machine"))).count == 9


async def test_a_second_gateway_on_one_store_is_refused(store: Store) -> None:
    with pytest.raises(StoreError, match="in use"):
        await Store.open(store.path)


async def test_a_store_of_a_newer_gateway_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    with pytest.raises(StoreError, match="newer"):
        await Store.open(path)


async def test_a_file_that_is_no_store_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.db"
    path.write_bytes(b"not a database" * 500)
    with pytest.raises(StoreError, match="no usable store"):
        await Store.open(path)


async def test_the_file_is_for_the_gateway_alone(store: Store) -> None:
    assert store.path.stat().st_mode & 0o777 == 0o600


async def test_a_walk_over_all_of_a_kind_meets_each_once_some_at_a_time(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.store.store.AT_ONCE", 3)
    async with store.transaction() as transaction:
        for number in range(1, 11):
            await transaction.insert(replace(machine(number), created=START))
    met = [found.path async for found in store.every("Machine")]
    assert met == [f"machines/{number:04}" for number in range(1, 11)]


STRANGE = ("z", "Ä", "é", "\ufb01n", "e\u0301", "\uff21", "A", "\U0001d7d9", "2", "Z")
"""Letters with marks, composed and not, a ligature, a letter of full width, a double-struck one."""


@pytest.fixture
async def strange(store: Store) -> Store:
    async with store.transaction() as transaction:
        for number, name in enumerate(STRANGE):
            await transaction.insert(machine(number, name=name, cpuArch=name, description=name))
    return store


@pytest.mark.parametrize("attribute", ["name", "cpuArch", "description"])
@pytest.mark.parametrize("visible_to", [None, "me"])
async def test_strings_are_ordered_as_nfkd_spells_them(strange: Store, attribute: str, visible_to: str | None) -> None:
    found = await names(strange, visible_to=visible_to, order=(SortKey(attribute),))
    assert found == sorted(STRANGE, key=lambda name: unicodedata.normalize("NFKD", name))
    assert found == ["\U0001d7d9", "2", "\uff21", "A", "Ä", "Z", "é", "e\u0301", "\ufb01n", "z"]


@pytest.mark.parametrize("name", STRANGE)
async def test_names_are_filtered_as_they_are_written(strange: Store, name: str) -> None:
    assert await names(strange, f"name='{name}'") == [name]
    assert name not in await names(strange, f"name!='{name}'")
    assert len(await names(strange, f"name!='{name}'")) == len(STRANGE) - 1
    assert await names(strange, f"cpu>0 and (name='{name}' or name='none')") == [name] * (name != STRANGE[0])


def insert(connection: sqlite3.Connection, row: dict[str, Any]) -> None:
    """Insert a resource into a store of an earlier version, which has fewer columns."""
    columns = {column[1] for column in connection.execute("PRAGMA table_info(resources)")}
    older = {name: value for name, value in row.items() if name in columns}
    marks = ", ".join(f":{name}" for name in older)
    connection.execute(f"INSERT INTO resources ({', '.join(older)}) VALUES ({marks})", older)


async def test_names_of_an_older_store_are_put_in_order(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executescript(f"BEGIN; {schema.migrations()[0]} PRAGMA user_version = 1; COMMIT;")
    insert(connection, {**to_row(machine(1, name="é")), "name": "é"})
    connection.close()
    store = await Store.open(path)
    try:
        assert await names(store, "name='é'") == ["é"]
        assert [row[0] for row in await store.fetch("SELECT name FROM resources")] == ["e\u0301"]
    finally:
        await store.close()


async def test_interfaces_of_an_older_store_learn_the_type_of_their_network(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    older = schema.migrations()[:6]
    connection = sqlite3.connect(path, isolation_level=None)
    connection.create_function(SORT_KEY, 1, sort_key, deterministic=True)
    connection.executescript(f"BEGIN; {' '.join(older)} PRAGMA user_version = {len(older)}; COMMIT;")
    network = Resource("networks/1", "Network", None, {"networkType": "PRIVATE"}, START, START)
    document = {"network": {"href": network.path}, "mtu": 1500}
    interface = Resource("machines/1/networkInterfaces/0", "MachineNetworkInterface", "a", document, START, START)
    for row in map(to_row, (network, interface)):
        insert(connection, row)
    connection.close()
    store = await Store.open(path)
    try:
        migrated = await store.get(interface.path)
        assert migrated is not None
        assert migrated.document == {**document, "networkType": "PRIVATE"}
    finally:
        await store.close()


async def test_the_job_that_holds_a_resource_of_an_older_store_still_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    older = schema.migrations()[: migration_names().index("0010_held_by.sql")]
    connection = sqlite3.connect(path, isolation_level=None)
    connection.create_function(SORT_KEY, 1, sort_key, deterministic=True)
    register(connection, Sealing(keyring(path)))
    connection.executescript(f"BEGIN; {' '.join(older)} PRAGMA user_version = {len(older)}; COMMIT;")
    for place, facts in enumerate(({"job": "jobs/1", "host": "local"}, {"host": "local"})):
        row = {**to_row(machine(place)), "internal": json.dumps(facts)}
        insert(connection, row)
    connection.close()
    store = await Store.open(path)
    try:
        machines = [await store.get(machine(place).path) for place in range(2)]
        assert [(one.held_by, one.internal) for one in machines if one is not None] == [
            ("jobs/1", {"host": "local"}),
            (None, {"host": "local"}),
        ]
    finally:
        await store.close()


MADE = "machines/1/volumes/1"


def _older_with_answer(path: Path, kind: str, job: Document) -> None:
    """A store of before it was kept whether a create has made anything."""
    older, sealing = schema.migrations()[:8], Sealing(keyring(path))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(schema, "migrations", lambda: older)
        schema.migrate(path, sealing)
    connection = sqlite3.connect(path, isolation_level=None)
    register(connection, sealing)
    made = Resource(MADE, kind, "me", {}, START, START)
    for row in map(to_row, (made, Resource("jobs/1", "Job", "me", job, START, START))):
        insert(connection, row)
    answer = ("me", "k", "print", MADE, "jobs/1", "2026-01-01")
    connection.execute("INSERT INTO answered VALUES (?, ?, digested(?), ?, ?, ?)", answer)
    connection.close()


@pytest.mark.parametrize(
    ("kind", "job", "existing"),
    [
        ("MachineVolume", {}, True),
        ("MachineVolume", {"affectedResources": [{"href": "machines/1"}, {"href": MADE}]}, False),
        ("VolumeVolumeImage", {}, False),
    ],
)
async def test_answers_of_an_older_store_are_given_again(
    tmp_path: Path, kind: str, job: Document, existing: bool
) -> None:
    path = tmp_path / "old.db"
    await asyncio.to_thread(_older_with_answer, path, kind, job)
    store = await Store.open(path)
    try:
        async with store.transaction() as transaction:
            assert await recall(transaction, "me", "k", "print") == Answered(MADE, "jobs/1", existing)
    finally:
        await store.close()


def migration_names() -> list[str]:
    return sorted(path.name for path in (Path(schema.__file__).parent / "migrations").glob("*.sql"))


def test_migrations_are_numbered_one_after_another() -> None:
    names = migration_names()
    assert [int(name.partition("_")[0]) for name in names] == list(range(1, len(names) + 1))

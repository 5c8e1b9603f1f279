"""What a page is read from: an index, so that a large collection costs what a small one does."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.cimi.filter import AttributeType, parse
from gateway.cimi.registry import TYPES, type_of
from gateway.store.filter_sql import index_of
from gateway.store.model import Page, Query, Resource, SortKey
from gateway.store.pages import FEW, read_page
from gateway.store.store import CountCache, Store

START = datetime(2026, 1, 1, tzinfo=UTC)
MANY = FEW + 100
OPERANDS = {
    AttributeType.STRING: "'x'",
    AttributeType.REFERENCE: "'machines/1'",
    AttributeType.INTEGER: "7",
    AttributeType.BOOLEAN: "true",
    AttributeType.DATE: "2026-01-01T00:00:00Z",
    AttributeType.DURATION: "'PT5M'",
    AttributeType.ACTION: "'start'",
    AttributeType.TERM: "'x'",
}
SOUGHT = [
    (declared.kind, attribute)
    for declared in TYPES.values()
    if not declared.series and not declared.singleton
    for attribute in declared.filter_types
    if index_of(declared, attribute)
]


def machine(number: int, owner: str) -> Resource:
    moment = START + timedelta(seconds=number)
    state = "STOPPED" if number % 50 == 0 else "STARTED"
    document = {"name": f"m{number}", "state": state, "cpu": number, "properties": {"rack": f"r{number}"}}
    return Resource(f"machines/{number:04}", "Machine", owner, document, moment, moment)


@pytest.fixture
async def empty(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(tmp_path / "test.db")
    yield opened
    await opened.close()


@pytest.fixture
async def store(empty: Store) -> Store:
    async with empty.transaction() as transaction:
        for number in range(1, MANY + 1):
            await transaction.insert(machine(number, "few" if number <= 3 else "many"))
    return empty


async def plans(store: Store, text: str = "", **rest: Any) -> tuple[Page, list[str]]:
    """The page, and how SQLite read the machines for each statement of it."""
    read: list[str] = []

    async def fetch(sql: str, parameters: Sequence[Any]) -> list[Any]:
        steps = await store.fetch(f"EXPLAIN QUERY PLAN {sql}", parameters)
        read.extend(step[3] for step in steps if step[3].startswith(("SEARCH resources", "SCAN resources")))
        return await store.fetch(sql, parameters)

    filters = (parse(text, type_of("Machine").filter_types),) if text else ()
    return await read_page(fetch, CountCache().count, Query("Machine", filters=filters, last=20, **rest)), read


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("state='STOPPED'", "resources_by_state (kind=? AND state=?)"),
        ("name='m7'", "resources_by_name (kind=? AND name=?)"),
        ("cpu=7", "by_Machine_cpu (<expr>=?)"),
        ("cpu<7", "by_Machine_cpu (<expr><?)"),
        ("memory=1 and cpu>0", "by_Machine_memory (<expr>=?)"),
    ],
)
async def test_a_filtered_page_is_sought_in_the_index_of_the_attribute(store: Store, text: str, index: str) -> None:
    _page, read = await plans(store, text)
    assert read[-1] == f"SEARCH resources USING INDEX {index}"


@pytest.mark.parametrize(("text", "count"), [("cpu=7", 1), ("cpu>0", MANY), ("cpu=7 and cpu>0", 1)])
async def test_a_filtered_page_is_counted_in_the_index_of_the_attribute(store: Store, text: str, count: int) -> None:
    page, read = await plans(store, text)
    assert "by_Machine_cpu" in read[0]
    assert page.count == count


async def test_a_rare_property_is_sought_by_its_value_in_any_order(store: Store) -> None:
    page, read = await plans(store, "property['rack']='r7'", order=(SortKey("name"),))
    assert [item.name for item in page.items] == ["m7"]
    assert set(read) == {"SEARCH resources USING PRIMARY KEY (path=?)"}


async def test_a_page_by_name_is_read_from_the_index_of_names(store: Store) -> None:
    _page, read = await plans(store, order=(SortKey("name"),))
    assert read == ["SEARCH resources USING INDEX resources_by_name (kind=?)"]


async def test_a_page_by_name_of_a_common_state_is_read_from_the_index_of_names(store: Store) -> None:
    page, read = await plans(store, "state='STARTED'", order=(SortKey("name"),))
    assert read[-1] == "SEARCH resources USING INDEX resources_by_name (kind=?)"
    assert page.items[0].name == "m1"


async def test_the_few_of_a_user_are_read_without_the_many_of_others(store: Store) -> None:
    page, read = await plans(store, "state='STARTED'", visible_to="few")
    assert [item.name for item in page.items] == ["m1", "m2", "m3"]
    assert set(read) == {"SEARCH resources USING INDEX resources_by_audience (kind=? AND parent=? AND audience=?)"}


@pytest.mark.parametrize("kind", sorted({kind for kind, _attribute in SOUGHT}))
async def test_every_index_serves_the_filter_that_it_is_for(empty: Store, kind: str) -> None:
    types = type_of(kind).filter_types
    for attribute in (attribute for sought, attribute in SOUGHT if sought == kind):
        equal = parse(f"{attribute}={OPERANDS[types[attribute]]}", types)
        assert (await empty.page(Query(kind, filters=(equal,)))).count == 0


async def test_an_index_that_is_declared_otherwise_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    await (await Store.open(path)).close()
    connection = sqlite3.connect(path, isolation_level=None)
    names = "SELECT sql FROM sqlite_master WHERE type = 'index' AND name LIKE 'by\\_%' ESCAPE '\\'"
    declared = {row[0] for row in connection.execute(names)}
    connection.execute("DROP INDEX by_Machine_cpu")
    connection.execute("CREATE INDEX by_Machine_cpu ON resources (created) WHERE kind = 'Machine'")
    connection.execute("CREATE INDEX by_Machine_colour ON resources (updated) WHERE kind = 'Machine'")
    await (await Store.open(path)).close()
    assert {row[0] for row in connection.execute(names)} == declared
    connection.close()

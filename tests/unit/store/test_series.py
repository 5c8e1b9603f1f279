"""Series: pages of a log by position, by time and by filter; positions that are never given twice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.cimi.filter import parse
from gateway.cimi.registry import type_of
from gateway.clock import timestamp
from gateway.orchestration.monitoring.retention import Retention
from gateway.store.events import EVENTS, NewEvent
from gateway.store.model import Page, Query, Resource, SortKey
from gateway.store.store import Store

START = datetime(2026, 1, 1, tzinfo=UTC)
LOG = "eventLogs/1"
TYPES = type_of("Event").filter_types
SEVERITIES = ("low", "medium", None)


def moment(number: int) -> datetime:
    return START + timedelta(minutes=number)


def event(number: int, log: str = LOG) -> NewEvent:
    document: dict[str, Any] = {
        "type": "state" if number % 2 else "access",
        "content": {"code": str(number)},
        "outcome": "Status" if number % 5 else "Failure",
    }
    severity = SEVERITIES[number % 3]
    if severity:
        document["severity"] = severity
    return NewEvent(log, moment(number), ("", "me", "other", None)[number % 4], document)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(tmp_path / "test.db")
    async with opened.transaction() as transaction:
        for log in (LOG, "eventLogs/2"):
            await transaction.insert(Resource(log, "EventLog", "me", {"persistence": "daily"}, START, START))
        await transaction.append_events([event(number) for number in range(1, 101)])
        await transaction.append_events([event(number, "eventLogs/2") for number in range(1, 4)])
    yield opened
    await opened.close()


async def page(store: Store, text: str = "", **rest: Any) -> Page:
    filters = (parse(text, TYPES, "http://host/cimi/"),) if text else ()
    return await store.series(EVENTS, Query("Event", LOG, filters=filters, **rest))


def numbers(found: Page) -> list[int]:
    return [int(item.document["content"]["code"]) for item in found.items]


def expected(fits: Any) -> list[int]:
    return [number for number in range(1, 101) if fits(number)]


async def test_a_page_is_the_stretch_that_was_asked(store: Store) -> None:
    found = await page(store, first=41, last=45)
    assert (numbers(found), found.count) == ([41, 42, 43, 44, 45], 100)
    assert found.items[0].path == f"{LOG}/events/41"
    assert found.items[0].document["timestamp"] == timestamp(moment(41))


async def test_the_newest_come_first_when_asked(store: Store) -> None:
    found = await page(store, first=2, last=3, order=(SortKey("timestamp", True),))
    assert numbers(found) == [99, 98]


async def test_a_page_past_the_end_is_empty(store: Store) -> None:
    assert numbers(await page(store, first=101, last=200)) == []
    assert numbers(await page(store, first=99, last=200)) == [99, 100]
    assert (await page(store, last=0)).count == 100


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        (f"timestamp>{timestamp(moment(90))}", lambda n: n > 90),
        (f"timestamp>={timestamp(moment(90))}", lambda n: n >= 90),
        (f"timestamp<{timestamp(moment(10))}", lambda n: n < 10),
        (f"timestamp<={timestamp(moment(10))}", lambda n: n <= 10),
        (f"timestamp={timestamp(moment(10))}", lambda n: n == 10),
        (f"timestamp!={timestamp(moment(10))}", lambda n: n != 10),
        (f"created>{timestamp(moment(10))} and timestamp<={timestamp(moment(20))}", lambda n: 10 < n <= 20),
        (f"timestamp>{timestamp(moment(500))}", lambda n: False),
        (f"timestamp<{timestamp(moment(-500))}", lambda n: False),
        ("type='state'", lambda n: n % 2),
        ("type='http://schemas.dmtf.org/cimi/1/event/state'", lambda n: n % 2),
        ("type!='state'", lambda n: not n % 2),
        ("severity='low' and outcome='Failure'", lambda n: n % 3 == 0 and n % 5 == 0),
        ("severity!='low'", lambda n: n % 3 == 1),
        ("severity='low' or severity='medium'", lambda n: n % 3 != 2),
        (f"type='state' and timestamp>{timestamp(moment(90))}", lambda n: n % 2 and n > 90),
        (f"type='state' or timestamp>{timestamp(moment(90))}", lambda n: n % 2 or n > 90),
        ("nonsense='x'", lambda n: False),
        ("property['a']='b'", lambda n: False),
        (f"id='http://host/cimi/{LOG}/events/7'", lambda n: n == 7),
        ("contact='nobody'", lambda n: False),
    ],
)
async def test_filters_find_what_fits_and_count_it(store: Store, text: str, fits: Any) -> None:
    found = await page(store, text)
    assert (numbers(found), found.count) == (expected(fits), len(expected(fits)))
    middle = await page(store, text, first=2, last=4)
    assert (numbers(middle), middle.count) == (expected(fits)[1:4], len(expected(fits)))


@pytest.mark.parametrize("text", ["", "type='state'", f"timestamp>{timestamp(moment(50))}", "contact='x'"])
async def test_a_user_sees_their_own_and_what_is_for_all(store: Store, text: str) -> None:
    found = await page(store, text, visible_to="me")
    whole = numbers(await page(store, text))
    assert numbers(found) == [number for number in whole if number % 4 in (0, 1)]
    assert found.count == len(found.items)


async def test_other_orders_sort(store: Store) -> None:
    found = await page(store, order=(SortKey("severity"), SortKey("timestamp", True)), last=2)
    assert numbers(found) == [99, 96]
    assert numbers(await page(store, order=(SortKey("severity", True),), last=2)) == [1, 4]


async def test_times_never_fall_even_when_the_clock_does(store: Store) -> None:
    async with store.transaction() as transaction:
        await transaction.append_events([event(7)])
    newest = (await page(store, order=(SortKey("timestamp", True),), last=1)).items[0]
    assert newest.document["timestamp"] == timestamp(moment(100))


async def test_a_log_that_is_emptied_goes_on_counting(store: Store) -> None:
    async with store.transaction() as transaction:
        assert await transaction.forget_events(LOG, 101, 1000) == 100
    assert (await page(store)).count == 0
    async with store.transaction() as transaction:
        await transaction.append_events([event(7)])
    assert [item.path for item in (await page(store)).items] == [f"{LOG}/events/101"]
    assert (await page(store, "type='state'")).count == 1


async def test_events_die_with_their_log_and_no_others(store: Store) -> None:
    async with store.transaction() as transaction:
        await transaction.delete(LOG)
    rows = await store.fetch(
        "SELECT (SELECT count(*) FROM events), (SELECT sum(size) FROM event_counts), (SELECT count(*) FROM event_heads)"
    )
    assert rows[0] == (3, 3, 1)


async def test_an_event_of_no_log_is_passed_over(store: Store) -> None:
    async with store.transaction() as transaction:
        await transaction.append_events([event(1, "eventLogs/none"), event(4)])
    assert (await page(store)).count == 101


async def test_a_transaction_that_fails_keeps_no_event_and_tells_none(store: Store) -> None:
    told: list[Any] = []
    store.listen(told.append)
    with pytest.raises(RuntimeError):
        async with store.transaction() as transaction:
            await transaction.append_events([event(1)])
            raise RuntimeError
    assert (await page(store)).count == 100
    assert told == []


# Retention


async def test_what_is_older_than_the_persistence_goes(store: Store) -> None:
    await Retention(store, 1000, 1000, 1000).expire(moment(60) + timedelta(days=1))
    assert numbers(await page(store))[0] == 60
    assert (await page(store, "type='state'")).count == 20


async def test_more_than_the_bound_goes_oldest_first(store: Store) -> None:
    await Retention(store, 10, 1000, 1000).expire(START)
    assert numbers(await page(store)) == list(range(91, 101))
    assert (await store.series(EVENTS, Query("Event", "eventLogs/2"))).count == 3


async def test_long_logs_are_shortened_in_many_small_transactions(store: Store) -> None:
    async with store.transaction() as transaction:
        await transaction.append_events([event(number) for number in range(101, 3101)])
    await Retention(store, 100, 1000, 1000).expire(START)
    assert (await page(store)).count == 100

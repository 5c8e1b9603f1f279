"""Samples in their tiers: pages over all of them, thinning out, and what is left of meters that are gone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.cimi.filter import parse
from gateway.cimi.registry import type_of
from gateway.orchestration.monitoring.sample_retention import DAY, HOUR, SampleRetention
from gateway.store.model import Query, Resource, SortKey
from gateway.store.samples import append_samples
from gateway.store.store import Store

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
BEGAN = round(MOMENT.timestamp() * 1000)
MINUTE = 60_000
AGES = (HOUR, DAY, 10 * DAY)
METER = "meters/1"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(tmp_path / "gateway.db")
    async with opened.transaction() as transaction:
        await transaction.insert(Resource(METER, "Meter", "me", {"aspect": "cpu"}, MOMENT, MOMENT))
    yield opened
    await opened.close()


async def fill(store: Store, minutes: int, *, every: int = MINUTE, series: int = 1) -> None:
    """Samples at 00:01, 00:02, ... with the values 1, 2, ..."""
    rows = [(series, n, BEGAN + n * every, float(n)) for n in range(1, minutes + 1)]
    async with store.transaction() as transaction:
        await append_samples(transaction, rows)


async def page(store: Store, text: str = "", **asked: object) -> tuple[list[str], int]:
    filters = (parse(text, type_of("Sample").filter_types),) if text else ()
    found = await store.samples(Query("Sample", METER, filters=filters, **asked))  # type: ignore[arg-type]
    return [item.document["value"] for item in found.items], found.count


async def tiers(store: Store) -> list[tuple[int, int, int, int]]:
    """Of each tier the first and last position, and how many there are."""
    sql = "SELECT tier, min(position), max(position), count(*) FROM samples GROUP BY tier ORDER BY tier"
    return [tuple(row) for row in await store.fetch(sql)]


async def test_positions_and_moments_find_samples_on_both_sides_of_the_marks(store: Store) -> None:
    await fill(store, 200)
    for n in (1, 2, 63, 64, 65, 127, 128, 129, 199, 200):
        moment = f"2026-01-01T{n // 60:02}:{n % 60:02}:00Z"
        assert await page(store, f"timestamp={moment}") == ([str(n)], 1)
        assert (await page(store, f"timestamp>={moment}", last=1)) == ([str(n)], 201 - n)
        assert (await page(store, f"timestamp<={moment}", order=(SortKey("timestamp", True),), last=1)) == ([str(n)], n)
        assert (await page(store, f"timestamp>{moment}"))[1] == 200 - n
        assert (await page(store, f"timestamp<{moment}"))[1] == n - 1


async def test_a_window_without_samples_is_empty(store: Store) -> None:
    assert await page(store) == ([], 0)
    await fill(store, 100)
    for text in ("timestamp>2027-01-01", "timestamp<2026-01-01", "value='x'", "name='x'", "property['a']='b'"):
        assert await page(store, text) == ([], 0)


async def test_values_are_found_and_sorted_as_numbers(store: Store) -> None:
    await fill(store, 12)
    assert await page(store, "value='7' or value='11'") == (["7", "11"], 2)
    assert (await page(store, order=(SortKey("value", True),), last=3))[0] == ["12", "11", "10"]
    assert (await page(store, "value!='1'"))[1] == 11


async def test_old_samples_become_means_and_older_ones_coarser_means(store: Store) -> None:
    await fill(store, 300)
    await SampleRetention(store, AGES).thin(BEGAN + 5 * HOUR)
    assert await tiers(store) == [(0, 241, 300, 60), (1, 1, 48, 48)]
    values, count = await page(store)
    assert (values[0], values[47], values[48], count) == ("3", "238", "241", 108)
    await SampleRetention(store, AGES).thin(BEGAN + 28 * HOUR)
    assert await tiers(store) == [(1, 49, 60, 12), (2, 1, 4, 4)]
    assert (await page(store))[0][:5] == ["30.5", "90.5", "150.5", "210.5", "243"]


async def test_a_page_reaches_over_the_tiers_in_either_direction(store: Store) -> None:
    await fill(store, 300)
    await SampleRetention(store, AGES).thin(BEGAN + 5 * HOUR)
    assert (await page(store, first=47, last=50))[0] == ["233", "238", "241", "242"]
    newest_first = (SortKey("timestamp", True),)
    assert (await page(store, first=59, last=62, order=newest_first))[0] == ["242", "241", "238", "233"]
    assert (await page(store, "timestamp>2026-01-01T03:51:00Z", last=3))[0] == ["233", "238", "241"]
    assert (await page(store, "value='238' or value='241'"))[0] == ["238", "241"]


async def test_each_sample_has_a_place_of_its_own_over_all_tiers(store: Store) -> None:
    await fill(store, 300)
    await SampleRetention(store, AGES).thin(BEGAN + 5 * HOUR)
    listed = (await store.samples(Query("Sample", METER))).items
    assert len({item.path for item in listed}) == 108
    for item in (listed[0], listed[47], listed[48], listed[-1]):
        assert await store.sample(METER, int(item.path.rpartition("/")[2])) == item
    assert await store.sample(METER, BEGAN + 1) is None


async def test_what_is_older_than_everything_is_kept_goes(store: Store) -> None:
    await fill(store, 300)
    for hours in (5, 28, 30 * 24):
        await SampleRetention(store, AGES).thin(BEGAN + hours * HOUR)
    assert await page(store) == ([], 0)


async def test_thinning_out_again_changes_nothing(store: Store) -> None:
    await fill(store, 300)
    for _ in range(2):
        await SampleRetention(store, AGES).thin(BEGAN + 5 * HOUR)
        assert await tiers(store) == [(0, 241, 300, 60), (1, 1, 48, 48)]


async def test_what_adds_up_is_added_up(store: Store) -> None:
    async with store.transaction() as transaction:
        term = "http://cimi-gateway.org/ns/1/aspect/runningTime"
        await transaction.update(Resource(METER, "Meter", "me", {"aspect": term}, MOMENT, MOMENT))
    await fill(store, 300)
    await SampleRetention(store, AGES).thin(BEGAN + 5 * HOUR)
    assert (await page(store, last=2))[0] == ["15", "40"]


async def test_a_meter_that_is_gone_takes_its_samples_along_and_gets_no_new_ones(store: Store) -> None:
    await fill(store, 300)
    async with store.transaction() as transaction:
        await transaction.delete(METER)
    await fill(store, 10)
    await SampleRetention(store, AGES).thin(BEGAN + HOUR)
    assert await tiers(store) == []
    assert await store.fetch("SELECT * FROM dead_series") == []

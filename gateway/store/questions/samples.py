"""Questions about the series of samples: each Meter has one, with a number that its samples have."""

from __future__ import annotations

from typing import NamedTuple

from gateway.store.questions import Fetching


class SeriesEnd(NamedTuple):
    """The end of a Meter's series of samples, where the series goes on."""

    number: int
    position: int
    """Position of the newest sample; 0 without any."""
    last: int
    """Time of the newest sample in milliseconds; 0 without any."""
    began: int | None
    """Beginning of an open interval in milliseconds."""
    total: float
    readings: int


async def measured_meters(store: Fetching) -> list[str]:
    """Return the Meters that have a series; the table of series has a row for each."""
    return [meter for (meter,) in await store.fetch("SELECT meter FROM sample_series")]


async def series_end(store: Fetching, meter: str) -> SeriesEnd | None:
    """Return the end of a Meter's series; by the index of Meters, and by the primary key of samples."""
    rows = await store.fetch("SELECT number, began, total, readings FROM sample_series WHERE meter = ?", (meter,))
    if not rows:
        return None
    number, began, total, readings = rows[0]
    newest = "SELECT position, time FROM samples WHERE series = ? AND tier = 0 ORDER BY position DESC LIMIT 1"
    ends = await store.fetch(newest, (number,))
    position, last = ends[0] if ends else (0, 0)
    return SeriesEnd(number, position, last, began, total, readings)


async def series_after(store: Fetching, number: int, most: int) -> list[tuple[int, str]]:
    """Return number and aspect of the next series; by the primary key."""
    sql = (
        "SELECT number, json_extract(document, '$.aspect') FROM sample_series JOIN resources ON path = meter "
        "WHERE number > ? ORDER BY number LIMIT ?"
    )
    return [(number, aspect) for number, aspect in await store.fetch(sql, (number, most))]

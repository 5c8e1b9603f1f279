"""A page of 20 of a filtered collection with 100,000 stored machines against one with 100."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from bench.private import fill
from bench.report import Row
from gateway.cimi.filter import parse
from gateway.cimi.registry import type_of
from gateway.store.model import Query
from gateway.store.store import Store

FILTERS = ("state='STARTED'", "cpu=2", "name='machine 7'", "property['tier']='t1'")
ROUNDS = 60
SMALL, LARGE = 100, 100_000


async def measure() -> list[Row]:
    with tempfile.TemporaryDirectory() as home:
        paths = {count: Path(home) / f"{count}.db" for count in (SMALL, LARGE)}
        for count, path in paths.items():
            await fill(path, count)
        stores = {count: await Store.open(path) for count, path in paths.items()}
        try:
            return [await _row(stores, text) for text in FILTERS]
        finally:
            await asyncio.gather(*(store.close() for store in stores.values()))


async def _row(stores: dict[int, Store], text: str) -> Row:
    expression = parse(text, type_of("Machine").filter_types)
    query = Query("Machine", filters=(expression,), last=20)
    times: dict[int, list[float]] = {count: [] for count in stores}
    for _ in range(ROUNDS):
        for count, store in stores.items():
            began = time.perf_counter()
            await store.page(query)
            times[count].append(time.perf_counter() - began)
    ratio = statistics.median(times[LARGE]) / statistics.median(times[SMALL])
    return Row(f"page of 20, {text}, {LARGE:,} machines against {SMALL}", ratio, 1.5)

"""A page of 20 of a large collection against one of a small one, filtered and not."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp

from bench.private import fill, serving, stored, volume
from bench.report import Row
from drivers.memory import MemoryDriver
from gateway.app import Gateway
from gateway.cimi.filter import parse
from gateway.cimi.registry import type_of
from gateway.store.model import Query
from gateway.store.store import Store

FILTERS = ("state='STARTED'", "cpu=2", "name='machine 7'", "property['tier']='t1'")
ROUNDS = 60
SMALL, LARGE = 100, 100_000
VOLUMES = 20_000


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
    ratio = await _ratio(stores, Query("Machine", filters=(expression,), last=20))
    return Row(f"page of 20, {text}, {LARGE:,} machines against {SMALL}", ratio, 1.5)


async def _ratio(stores: dict[int, Store], query: Query) -> float:
    """Median time in the largest store against that in the smallest."""
    times: dict[int, list[float]] = {count: [] for count in stores}
    for _ in range(ROUNDS):
        for count, store in stores.items():
            began = time.perf_counter()
            await store.page(query)
            times[count].append(time.perf_counter() - began)
    return statistics.median(times[max(stores)]) / statistics.median(times[min(stores)])


async def measure_volumes() -> list[Row]:
    """By the API, as a client sees it: the page, its count, and the operations of each Volume."""
    times: dict[int, list[float]] = {SMALL: [], VOLUMES: []}
    async with AsyncExitStack() as stack:
        gets = {}
        for count in times:
            home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            await fill(home / "gateway.db", count, volume)
            driver = MemoryDriver()
            driver.stored = {("default", facts.name): facts for facts in map(stored, map(volume, range(count)))}
            running = await stack.enter_async_context(serving(home, driver))
            gets[count] = await stack.enter_async_context(_getting(running))
        for _ in range(ROUNDS):
            for count, get in gets.items():
                began = time.perf_counter()
                await get("volumes?$last=20")
                times[count].append(time.perf_counter() - began)
    ratio = statistics.median(times[VOLUMES]) / statistics.median(times[SMALL])
    return [Row(f"page of 20, {VOLUMES:,} volumes against {SMALL}", ratio, 1.5)]


@asynccontextmanager
async def _getting(running: Gateway) -> AsyncIterator[Callable[[str], Awaitable[bytes]]]:
    base = f"http://{running.settings.server.listen}/cimi/"
    headers = {"Authorization": aiohttp.encode_basic_auth("admin", "secret")}
    async with aiohttp.ClientSession(headers=headers) as session:

        async def get(url: str) -> bytes:
            async with session.get(base + url) as answer:
                body = await answer.read()
                assert answer.status == 200, body
                return body

        yield get

"""GETs of a Machine beside 500 readers of the live stream and 100 events a second; pages of a long event log."""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.private import gateway, machine
from bench.report import Row
from gateway.app import Gateway
from gateway.cimi.filter import parse
from gateway.cimi.registry import type_of
from gateway.orchestration.monitoring.occurrences import alarm
from gateway.orchestration.monitoring.recorder import tell
from gateway.store.events import EVENTS, NewEvent
from gateway.store.model import Query, Resource
from gateway.store.store import Store

READERS = 500
EVENTS_PER_SECOND = 100
GETS = 400
ROUNDS = 5
SMALL, LARGE = 1_000, 100_000
START = datetime(2026, 1, 1, tzinfo=UTC)
LOG = "eventLogs/1"


async def measure() -> list[Row]:
    return [await _beside_readers(), *await _pages()]


async def _beside_readers() -> Row:
    with tempfile.TemporaryDirectory() as home:
        async with gateway(Path(home), 10) as running:
            url = f"http://{running.settings.server.listen}/cimi/{machine(1).path}"
            alone, beside = [], []
            for _ in range(ROUNDS):
                alone.append(await _median_latency(url))
                async with _readers(running), _happening(running):
                    beside.append(await _median_latency(url))
    added = statistics.median(beside) - statistics.median(alone)
    what = f"GET of a Machine beside {READERS} event readers, {EVENTS_PER_SECOND} events/s, added"
    return Row(what, added * 1000, 2.0, " ms")


async def _median_latency(url: str) -> float:
    """Measure the median seconds of a GET by a process of its own, one GET at a time with pauses."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.latency", url, str(GETS), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    return float(output)


@asynccontextmanager
async def _readers(running: Gateway) -> AsyncIterator[None]:
    """Connected readers in a process of their own."""
    url = f"http://{running.settings.server.listen}/cimi/eventStream"
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "bench.stream_readers", url, str(READERS))
    await _until(lambda: running.stream.readers == READERS)
    try:
        yield
    finally:
        assert running.stream.dropped == 0
        process.kill()
        await process.wait()
        await tell_one(running)
        await _until(lambda: running.stream.readers == 0)


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - nothing tells us
        await asyncio.sleep(0.1)


@asynccontextmanager
async def _happening(running: Gateway) -> AsyncIterator[None]:
    async def happen() -> None:
        due = time.monotonic()
        while True:
            await tell_one(running)
            due += 1 / EVENTS_PER_SECOND
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    task = asyncio.create_task(happen())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def tell_one(running: Gateway) -> None:
    resource = await running.store.get(machine(1).path)
    assert resource is not None
    async with running.store.transaction() as transaction:
        await tell(transaction, alarm(resource, "bench", "one of many"))


# Pages


async def _pages() -> list[Row]:
    with tempfile.TemporaryDirectory() as home:
        stores = {count: await _filled(Path(home) / f"{count}.db", count) for count in (SMALL, LARGE)}
        try:
            return [await _page_row(stores, text) for text in ("", "type='alarm'", "timestamp>2026-01-01T00:05:00Z")]
        finally:
            await asyncio.gather(*(store.close() for store in stores.values()))


async def _filled(path: Path, count: int) -> Store:
    store = await Store.open(path)
    for start in range(0, count, 5000):
        async with store.transaction() as transaction:
            if start == 0:
                await transaction.insert(Resource(LOG, "EventLog", "me", {"persistence": "yearly"}, START, START))
            await transaction.append_events([_event(number) for number in range(start, min(start + 5000, count))])
    return store


def _event(number: int) -> NewEvent:
    kind = ("state", "access", "alarm", "model")[number % 4]
    document = {"type": kind, "content": {"code": str(number)}, "outcome": "Status", "severity": "low"}
    return NewEvent(LOG, START + timedelta(seconds=number), "me", document)


async def _page_row(stores: dict[int, Store], text: str) -> Row:
    """Compare the page of the last 100 events that fit the filter in the large store with that in the small one."""
    filters = (parse(text, type_of("Event").filter_types),) if text else ()
    times: dict[int, list[float]] = {count: [] for count in stores}
    for _ in range(60):
        for count, store in stores.items():
            last = count if not text else 200
            query = Query("Event", LOG, filters=filters, first=last - 99, last=last)
            began = time.perf_counter()
            page = await store.series(EVENTS, query)
            times[count].append(time.perf_counter() - began)
            assert len(page.items) == 100
    ratio = statistics.median(times[LARGE]) / statistics.median(times[SMALL])
    return Row(f"page of 100 events, {text or 'the newest'}, {LARGE:,} against {SMALL:,}", ratio, 1.5)

"""A page of 20 of a large collection against one of a small one, filtered and not, as a client sees it."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import aiohttp

from bench.private import RARE_CPU, fill, hold, machine, serving, volume
from bench.report import Row
from demo.basic_auth import basic_auth
from drivers.memory import MemoryDriver
from gateway.app import Gateway
from gateway.store.model import Resource

Get = Callable[[str], Awaitable[bytes]]
FILTERS = ("state='STARTED'", "cpu=2", f"cpu={RARE_CPU}", "name='machine 7'", "property['tier']='t1'")
ROUNDS = 100
SMALL, MACHINES, VOLUMES = 100, 100_000, 20_000


async def measure() -> list[Row]:
    async with AsyncExitStack() as stack:
        small, large = [await stack.enter_async_context(_many(count, machine)) for count in (SMALL, MACHINES)]
        # After its start a gateway compares all Machines with the hypervisor, which takes a while and is not meant.
        await _ratio(small, large, "machines?$last=20")
        return [
            Row(
                f"page of 20, {text}, {MACHINES:,} machines against {SMALL}",
                await _ratio(small, large, f"machines?$last=20&$filter={quote(text)}"),
                1.5,
            )
            for text in FILTERS
        ]


async def measure_volumes() -> list[Row]:
    """Compare a page of many Volumes, with the count and the operations of each, to one of few."""
    async with AsyncExitStack() as stack:
        small, large = [await stack.enter_async_context(_many(count, volume)) for count in (SMALL, VOLUMES)]
        ratio = await _ratio(small, large, "volumes?$last=20")
    return [Row(f"page of 20, {VOLUMES:,} volumes against {SMALL}", ratio, 1.5)]


async def _ratio(small: Get, large: Get, url: str) -> float:
    """Return the median time in the large collection against that in the small one.

    The two take turns, each first in turn.
    """
    times: dict[Get, list[float]] = {small: [], large: []}
    for number in range(ROUNDS):
        for get in (small, large)[:: 1 if number % 2 else -1]:
            began = time.perf_counter()
            await get(url)
            times[get].append(time.perf_counter() - began)
    return statistics.median(times[large]) / statistics.median(times[small])


@asynccontextmanager
async def _many(count: int, make: Callable[[int], Resource]) -> AsyncIterator[Get]:
    """Serve so many Machines or Volumes over a hypervisor that has them all."""
    driver = MemoryDriver()
    for resource in map(make, range(count)):
        hold(driver, resource)
    with tempfile.TemporaryDirectory() as home:
        await fill(Path(home) / "gateway.db", count, make)
        async with serving(Path(home), driver) as running, _getting(running) as get:
            yield get


@asynccontextmanager
async def _getting(running: Gateway) -> AsyncIterator[Get]:
    base = f"http://{running.settings.server.listen}/cimi/"
    headers = {"Authorization": basic_auth("admin", "secret")}
    async with aiohttp.ClientSession(headers=headers) as session:

        async def get(url: str) -> bytes:
            async with session.get(base + url) as answer:
                body = await answer.read()
                assert answer.status == 200, body
                return body

        yield get

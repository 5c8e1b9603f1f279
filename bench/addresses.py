"""The thousandth address of a network against the first; a page of 50,000 addresses against one of 100."""

from __future__ import annotations

import asyncio
import base64
import json
import statistics
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp

from bench.private import settings
from bench.report import Row
from drivers.base import AddressPool
from drivers.memory import MemoryDriver
from gateway.app import Gateway
from gateway.cimi.filter import parse
from gateway.cimi.registry import type_of
from gateway.store.model import Query, Resource
from gateway.store.store import Store

COUNT, AT_ONCE = 1000, 25
SMALL, LARGE = 100, 50_000
ROUNDS = 60
NETWORK = "networks/00000000-0000-4000-8000-000000000001"


async def measure() -> list[Row]:
    return [await _allocation(), *await _pages()]


async def _allocation() -> Row:
    """Compare the medians of the last and the first addresses that are reserved over HTTP, each with its Job."""
    with tempfile.TemporaryDirectory() as home:
        configured = settings(Path(home))
        hypervisor = replace(configured.hypervisors[0], address_pools=(AddressPool("10.0.0.0/8", 20),))
        running = Gateway(replace(configured, hypervisors=(hypervisor,)), {"local": MemoryDriver()})
        await running.start()
        try:
            times = await _reserve(f"http://{configured.server.listen}/cimi/")
        finally:
            await running.stop()
    ratio = statistics.median(times[-AT_ONCE:]) / statistics.median(times[:AT_ONCE])
    return Row(f"address number {COUNT:,} of a network against the first ones", ratio, 1.5)


async def _reserve(base: str) -> list[float]:
    token = base64.b64encode(b"admin:secret").decode()
    headers = {"Authorization": f"Basic {token}", "Content-Type": "application/json"}
    async with aiohttp.ClientSession(headers=headers) as session:
        network = {"networkTemplate": {"networkConfig": {"networkType": "PRIVATE"}}}
        place = (await _post(session, base + "networks", network))["id"]
        wish = {"addressTemplate": {"network": {"href": place}}}
        times = []
        for _ in range(COUNT):
            began = time.perf_counter()
            await _post(session, base + "addresses", wish)
            times.append(time.perf_counter() - began)
        return times


async def _post(session: aiohttp.ClientSession, url: str, document: dict[str, Any]) -> dict[str, Any]:
    async with session.post(url, data=json.dumps(document)) as answer:
        made: dict[str, Any] = await answer.json()
        if answer.status != 201:
            raise SystemExit(f"{url} answered {answer.status}: {made}")
        return made


async def _pages() -> list[Row]:
    with tempfile.TemporaryDirectory() as home:
        paths = {count: Path(home) / f"{count}.db" for count in (SMALL, LARGE)}
        stores = {count: await _filled(path, count) for count, path in paths.items()}
        try:
            of_network = parse(f"network='{NETWORK}'", type_of("Address").filter_types)
            return [
                await _page(stores, Query("Address", last=20), "page of 20"),
                await _page(stores, Query("Address", filters=(of_network,), last=20), "page of 20 of one network"),
            ]
        finally:
            await asyncio.gather(*(store.close() for store in stores.values()))


async def _filled(path: Path, count: int) -> Store:
    store = await Store.open(path)
    for start in range(0, count, 5000):
        async with store.transaction() as transaction:
            for number in range(start, min(start + 5000, count)):
                await transaction.insert(_address(number))
    return store


def _address(number: int) -> Resource:
    made = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number)
    document = {
        "ip": f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}",
        "allocation": "static",
        "protocol": "IPv4",
        "mask": "255.0.0.0",
        "network": {"href": NETWORK},
        "source": "reservation",
    }
    path = f"addresses/00000000-0000-4000-8000-{number:012}"
    return Resource(path, "Address", "admin", document, made, made, internal={"host": "local"})


async def _page(stores: dict[int, Store], query: Query, words: str) -> Row:
    times: dict[int, list[float]] = {count: [] for count in stores}
    for _ in range(ROUNDS):
        for count, store in stores.items():
            began = time.perf_counter()
            await store.page(query)
            times[count].append(time.perf_counter() - began)
    ratio = statistics.median(times[LARGE]) / statistics.median(times[SMALL])
    return Row(f"{words}, {LARGE:,} addresses against {SMALL}", ratio, 1.5)

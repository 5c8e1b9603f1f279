"""The cost of quotas: a create among many Machines and among few, a read with and without; one user beside many."""

from __future__ import annotations

import asyncio
import shutil
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp

from bench.machines import IMAGE_SIZE, document, started
from bench.private import fill, hold, machine, serving
from bench.report import Row
from demo.basic_auth import basic_auth
from demo.guest_image import build
from drivers.memory import MemoryDriver
from gateway.quotas import QUOTAS
from gateway.store.model import Resource
from tests import hypervisor
from tests.gateway_process import GatewayProcess

Ask = Callable[[int], Awaitable[None]]
FEW, MANY = 100, 100_000
MACHINES, PROJECTS = 10_000, 100
QUEUED = 24
ROUNDS = 300
TIMES = 7
POOL = "cimi-bench"
DELAY = 0.05
"""Seconds that the host in memory takes for what a create asks of it."""
BOOTABLE = (bytes(510) + b"\x55\xaa").ljust(65_536, b"\0")
EVERY = {quota.name: 10**15 for quota in QUOTAS if quota.counted}
"""All quotas that are counted, none of them ever full."""


async def measure() -> list[Row]:
    """Measure over the hypervisor in memory."""
    return [await _creates(), await _reads(), await _crowd()]


async def _crowd() -> Row:
    """Compare a create beside many of another project, on a host that takes its time, to the same alone."""
    driver = MemoryDriver()
    for part, call in ((driver.storage, "create_volume"), (driver.domains, "define"), (driver.domains, "start")):
        setattr(part, call, _delayed(getattr(part, call)))
    with tempfile.TemporaryDirectory() as home:
        image = Path(home) / "images" / "guest.raw"
        image.parent.mkdir()
        image.write_bytes(BOOTABLE)
        async with serving(Path(home), driver) as running, aiohttp.ClientSession() as session:
            machines = Machines(session, f"http://{running.settings.server.listen}/cimi/")
            await machines.prepare(image)
            alone, beside = [], []
            for _ in range(TIMES):
                alone.append(await machines.seconds())
                begun = [await machines.make("crowd", "respond-async") for _ in range(QUEUED)]
                beside.append(await machines.seconds())
                for job in begun:
                    await running.runner.wait(job, 60)
    ratio = statistics.median(beside) / statistics.median(alone)
    details = f"{statistics.median(alone):.2f} to {statistics.median(beside):.2f} s"
    return Row(f"create while {QUEUED} creates of another project wait, against alone", ratio, 1.5, details=details)


def _delayed(call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def later(*arguments: Any, **named: Any) -> Any:
        await asyncio.sleep(DELAY)
        return await call(*arguments, **named)

    return later


@dataclass
class Machines:
    """The creates of Machines in two projects of an admin."""

    session: aiohttp.ClientSession
    base: str
    image: str = ""

    async def prepare(self, image: Path) -> None:
        """Import the image, and make the projects."""
        for name in ("crowd", "other"):
            await self._post("projects", {"name": name}, "", "wait=30")
        headers = await self._post("machineImages", {"imageLocation": f"file://{image}"}, "", "wait=30")
        self.image = headers["Location"]

    async def seconds(self) -> float:
        """Return how long a create in the other project takes."""
        began = time.perf_counter()
        await self.make("other", "wait=60")
        return time.perf_counter() - began

    async def make(self, project: str, prefer: str) -> str:
        """Begin a create in a project; return the path of its Job."""
        headers = await self._post("machines", document(self.image), project, prefer)
        return headers["CIMI-Job-URI"].removeprefix(self.base)

    async def _post(self, path: str, wanted: dict[str, object], project: str, prefer: str) -> Mapping[str, str]:
        headers = {"Authorization": basic_auth("admin", "secret"), "Prefer": prefer}
        headers |= {"CIMI-Project": project} if project else {}
        async with self.session.post(self.base + path, json=wanted, headers=headers) as answer:
            assert answer.status in (201, 202), await answer.text()
            return dict(answer.headers)


async def _creates() -> Row:
    """Compare a create, all of whose quotas are checked, among many Machines to one among few."""
    async with AsyncExitStack() as stack:
        few, many = [await stack.enter_async_context(_creating(count)) for count in (FEW, MANY)]
        ratio = await _ratio(few, many)
    return Row(f"create with all quotas checked, {MANY:,} machines against {FEW}", ratio, 1.2)


async def _reads() -> Row:
    """Compare the reads of Machines of many projects without quotas to those with all."""
    async with AsyncExitStack() as stack:
        plain, bounded = [await stack.enter_async_context(_reading(quotas)) for quotas in ({}, EVERY)]
        ratio = 1 / await _ratio(plain, bounded)
    return Row(
        f"GET with quotas, {MACHINES:,} machines in {PROJECTS} projects, against without", ratio, 0.95, least=True
    )


async def _ratio(first: Ask, second: Ask) -> float:
    """Return the median time of the second against that of the first; the two take turns, each first in turn."""
    times: dict[Ask, list[float]] = {first: [], second: []}
    for number in range(ROUNDS):
        for ask in (first, second)[:: 1 if number % 2 else -1]:
            began = time.perf_counter()
            await ask(number)
            times[ask].append(time.perf_counter() - began)
    return statistics.median(times[second]) / statistics.median(times[first])


def of_a_project(number: int) -> Resource:
    """Return a Machine of one of the projects."""
    return replace(machine(number), project=f"project{number % PROJECTS}")


@asynccontextmanager
async def _asking(
    count: int, make: Callable[[int], Resource], quotas: Mapping[str, int]
) -> AsyncIterator[tuple[aiohttp.ClientSession, str]]:
    """Serve so many Machines, and give a session of an admin with the entry point's URL."""
    driver = MemoryDriver()
    for resource in map(make, range(count)):
        hold(driver, resource)
    with tempfile.TemporaryDirectory() as home:
        await fill(Path(home) / "gateway.db", count, make)
        async with serving(Path(home), driver, quotas) as running:
            headers = {"Authorization": basic_auth("admin", "secret")}
            async with aiohttp.ClientSession(headers=headers) as session:
                yield session, f"http://{running.settings.server.listen}/cimi/"


@asynccontextmanager
async def _creating(count: int) -> AsyncIterator[Ask]:
    async with _asking(count, machine, EVERY) as (session, base):

        async def create(number: int) -> None:
            wanted = {"name": f"c{number}", "credentialTemplate": {"userName": "ops", "password": "secret"}}
            async with session.post(base + "credentials", json=wanted) as answer:
                assert answer.status == 201, await answer.text()

        yield create


@asynccontextmanager
async def _reading(quotas: Mapping[str, int]) -> AsyncIterator[Ask]:
    async with _asking(MACHINES, of_a_project, quotas) as (session, base):

        async def read(number: int) -> None:
            async with session.get(f"{base}{machine(number).path}") as answer:
                assert answer.status == 200, await answer.text()

        yield read


def measure_fairness() -> list[Row]:
    """Compare a create of one user, while many of another wait, to the same alone, with real guests."""
    hypervisor.quiet()
    hypervisor.make_pool(POOL)
    with tempfile.TemporaryDirectory() as home:
        directory = Path(home)
        (directory / "images").mkdir()
        shutil.copy(build(directory / "built.qcow2"), directory / "images" / "guest.qcow2")
        process = GatewayProcess(directory / "gateway", POOL, directory / "images", forked=False)
        process.prepare()
        process.start()
        try:
            return [_beside(process, directory / "images" / "guest.qcow2")]
        finally:
            process.kill()
            hypervisor.remove_domains(POOL)
            hypervisor.drop_pool(POOL)


def _beside(process: GatewayProcess, image_file: Path) -> Row:
    image = process.client().added("machineImages", {"imageLocation": f"file://{image_file}"})["id"]
    crowd, other = process.client("operator"), process.client("other")
    alone, beside = [], []
    for _ in range(TIMES):
        alone.append(_seconds(lambda: other.remove(started(other, image))))
        with ThreadPoolExecutor(QUEUED) as threads:
            made = list(threads.map(lambda _n: crowd.request("POST", "machines", document(image)), range(QUEUED)))
        beside.append(_seconds(lambda: other.remove(started(other, image))))
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda answer: crowd.remove(answer.headers["location"]), made))
    details = f"{statistics.median(alone):.2f} to {statistics.median(beside):.2f} s; disks of {IMAGE_SIZE} bytes"
    ratio = statistics.median(beside) / statistics.median(alone)
    return Row(
        f"create and delete while {QUEUED} creates of another user wait, against alone", ratio, 1.5, details=details
    )


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began

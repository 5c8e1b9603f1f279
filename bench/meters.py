"""What sampling 500 domains costs; pages of a meter with a million samples against one with a thousand."""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path

import libvirt

from bench.report import Row
from drivers.base import HypervisorSettings
from drivers.libvirt.driver import LibvirtDriver
from gateway.cimi.filter import parse
from gateway.cimi.registry import type_of
from gateway.orchestration.monitoring.meters import new_meter
from gateway.orchestration.monitoring.sampler import Sampler
from gateway.store.model import Query, Resource, SortKey
from gateway.store.samples import append_samples
from gateway.store.store import Store
from tests import hypervisor
from tests.contract.private_libvirtd import PrivateLibvirtd

DOMAINS, PERIOD, LOOKS = 500, 10, 12
ASPECTS = ("disk", "disk", "runningTime", "runningTime")
SMALL, LARGE, STEP = 1_000, 1_000_000, 10_000
ROUNDS = 400
NOW = datetime(2026, 1, 1, tzinfo=UTC)


async def measure() -> list[Row]:
    return [*await _sampling(), *await _pages()]


# Sampling


async def _sampling() -> list[Row]:
    """Measure looks at domains of a private libvirtd, in each of which every meter writes a sample."""
    hypervisor.quiet()
    daemon = PrivateLibvirtd()
    daemon.start()
    try:
        machines = await asyncio.to_thread(_define, daemon)
        with tempfile.TemporaryDirectory() as home:
            store = await Store.open(Path(home) / "gateway.db")
            try:
                ours, theirs = await _cost(store, daemon, machines)
            finally:
                await store.close()
    finally:
        daemon.remove()
    what = f"sampling {DOMAINS} domains with {len(ASPECTS)} meters each, every {PERIOD} s: share of a core"
    return [Row(what, ours, 5, " %"), Row("the same with libvirtd's own share", ours + theirs, 5, " %")]


def _define(daemon: PrivateLibvirtd) -> list[Resource]:
    disk = daemon.home / "disk.raw"
    disk.write_bytes(bytes(65536))
    disk.chmod(0o666)
    machines = []
    with hypervisor.connection(daemon.uri) as host:
        for number in range(DOMAINS):
            identity = str(uuid.uuid4())
            host.defineXML(_xml(identity, disk))
            document = {"name": f"machine {number}", "state": "STOPPED", "cpu": 1, "memory": 65536}
            path, facts = f"machines/{identity}", {"host": "local"}
            machines.append(Resource(path, "Machine", "me", document, NOW, NOW, internal=facts))
    return machines


def _xml(identity: str, disk: Path) -> str:
    return (
        f"<domain type='qemu'><name>cimi-{identity}</name><uuid>{identity}</uuid><memory unit='KiB'>65536</memory>"
        "<os><type arch='x86_64'>hvm</type></os><devices>"
        f"<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{disk}'/><shareable/>"
        "<target dev='vda' bus='virtio'/></disk></devices></domain>"
    )


async def _cost(store: Store, daemon: PrivateLibvirtd, machines: list[Resource]) -> tuple[float, float]:
    """Return per cent of a core: of this process, which does nothing else, and of libvirtd."""
    driver = LibvirtDriver(HypervisorSettings("local", daemon.uri, "default", "default"))
    sampler = Sampler(store, {"local": driver}, PERIOD)
    config = {"sampleInterval": 1, "timeScope": "Point"}
    async with store.transaction() as transaction:
        for machine in machines:
            await transaction.insert(machine)
            for aspect in ASPECTS:
                term = aspect if aspect == "disk" else "http://cimi-gateway.org/ns/1/aspect/runningTime"
                await transaction.insert(new_meter(machine, "me", {"aspect": term, **config}))
    await sampler.prepare()
    await driver.open()
    try:
        for _ in range(2):
            await sampler.look(driver)
            await asyncio.sleep(1)
        before, theirs = time.process_time(), _seconds(daemon)
        for _ in range(LOOKS):
            await sampler.look(driver)
            await asyncio.sleep(1)
        used = time.process_time() - before, _seconds(daemon) - theirs
        written = (await store.fetch("SELECT count(*) FROM samples"))[0][0]
        assert written >= LOOKS * len(machines) * len(ASPECTS), written
    finally:
        await driver.close()
    return 100 * used[0] / (LOOKS * PERIOD), 100 * used[1] / (LOOKS * PERIOD)


def _seconds(daemon: PrivateLibvirtd) -> float:
    assert daemon.process is not None
    fields = Path(f"/proc/{daemon.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# Pages


async def _pages() -> list[Row]:
    with tempfile.TemporaryDirectory() as home:
        store = await Store.open(Path(home) / "gateway.db")
        try:
            meters = {count: await _filled(store, count) for count in (SMALL, LARGE)}
            return [await _row(store, meters, what, *question) for what, question in _questions().items()]
        finally:
            await store.close()


async def _filled(store: Store, count: int) -> str:
    target = Resource(f"machines/{count}", "Machine", "me", {"memory": 1}, NOW, NOW, internal={"host": "local"})
    meter = new_meter(target, "me", {"aspect": "cpu", "sampleInterval": 10, "timeScope": "Point"})
    async with store.transaction() as transaction:
        await transaction.insert(meter)
    number = (await store.fetch("SELECT number FROM sample_series WHERE meter = ?", (meter.path,)))[0][0]
    began = round(NOW.timestamp() * 1000)
    for start in range(0, count, STEP):
        rows = [(number, n + 1, began + n * 10_000, float(n % 100)) for n in range(start, min(start + STEP, count))]
        async with store.transaction() as transaction:
            await append_samples(transaction, rows)
    return meter.path


def _questions() -> dict[str, tuple[str, str, bool]]:
    """Return the questions by name: filter, position of the first sample, and whether the newest come first."""
    return {
        "the newest": ("", "first", True),
        "the oldest": ("", "first", False),
        "in the middle": ("", "middle", False),
        "since a moment": ("timestamp>=2026-01-01T01:00:00Z", "first", False),
    }


async def _row(store: Store, meters: dict[int, str], what: str, text: str, place: str, descending: bool) -> Row:
    filters = (parse(text, type_of("Sample").filter_types),) if text else ()
    order = (SortKey("timestamp", True),) if descending else ()
    times: dict[int, list[float]] = {count: [] for count in meters}
    for _ in range(ROUNDS):
        for count, meter in meters.items():
            first = count // 2 if place == "middle" else 1
            query = Query("Sample", meter, filters=filters, order=order, first=first, last=first + 99)
            began = time.perf_counter()
            page = await store.samples(query)
            times[count].append(time.perf_counter() - began)
            assert len(page.items) == 100
    ratio = statistics.median(times[LARGE]) / statistics.median(times[SMALL])
    return Row(f"page of 100 samples, {what}, {LARGE:,} samples against {SMALL:,}", ratio, 1.5)


if __name__ == "__main__":
    from bench.report import show

    libvirt.registerErrorHandler(lambda _context, _error: None, None)
    show(asyncio.run(measure()))

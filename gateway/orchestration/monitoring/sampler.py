"""The sampling of all guests of each host: one bulk read a period, of which samples are written for the meters.

Hosts are looked at apart: one that does not answer holds up no other. A value that was not seen leaves a gap.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from functools import partial

import structlog

from drivers.base import ConnectionState, DomainReading, Driver, DriverError, HostReading
from drivers.supervision import Loop, Supervision
from gateway import clock
from gateway.errors import GatewayError
from gateway.orchestration.common.apart import Apart
from gateway.orchestration.monitoring.aspects import METERED, Look
from gateway.orchestration.monitoring.looks import Looks
from gateway.orchestration.monitoring.meter_state import MeterState
from gateway.store.durable import Hosted
from gateway.store.model import Resource
from gateway.store.questions.resources import existing
from gateway.store.questions.samples import measured_meters, series_end
from gateway.store.samples import append_samples, keep_totals
from gateway.store.store import Changes, Store

AT_ONCE = 200
"""Meters that are measured before others on the loop get their turn."""
SLACK = 0.5
"""The share of the period by which a look may come too early and still count."""
FRESH = 2.5
"""The number of periods that a host's reading may be old, to stand beside those of other hosts."""
log = structlog.get_logger("meters")


class Sampler:
    """The measuring of guests for meters; ``period`` is in seconds."""

    def __init__(
        self, store: Store, drivers: dict[str, Driver], period: float, supervision: Supervision | None = None
    ) -> None:
        self._store = store
        self._drivers = drivers
        self._period = period
        self._meters: dict[str, MeterState] = {}
        self._changed: set[str] = set()
        self._readings: dict[str, HostReading] = {}
        self._machines: dict[str, bool] = {}
        self._hosts: dict[str, str] = {}
        """The host of each target of a meter, by the target's path."""
        self._supervision = supervision or Supervision()
        self._loops: list[Loop] = []
        self._following: dict[str, float] = {}
        """The time at which the next look at each hypervisor is due, by the monotonic clock."""
        self._loading = asyncio.Lock()
        self._turns = {name: asyncio.Lock() for name in drivers}
        self._apart = Apart(self._supervision, "meters")

    async def prepare(self) -> None:
        """Find the meters that there are, and follow what becomes of them."""
        self._changed.update(await measured_meters(self._store))
        self._store.watch(self._noted, "Meter", *METERED)

    def start(self) -> None:
        """Start a loop for each host, and one that removes expired meters."""
        keep = self._supervision.keep
        for name, driver in self._drivers.items():
            pause = partial(self._until_next_look, name)
            self._loops.append(keep(f"statistics of {name}", partial(self._look_when_up, driver), pause))
        self._loops.append(keep("expiry of meters", self._expire, self._period, first_pause=self._period))

    async def stop(self) -> None:
        """End all loops."""
        for loop in self._loops:
            await loop.stop()

    def guests(self) -> list[tuple[str, DomainReading]]:
        """Return what the last look showed of each Machine, with the name of its host, less hosts that are away."""
        now = time.monotonic()
        return [
            (host, domain)
            for host, reading in list(self._readings.items())
            if now - reading.moment <= FRESH * self._period
            for domain in reading.domains
            if self._machines.get(domain.uuid)
        ]

    def _noted(self, changes: Changes) -> None:
        for path, resource in changes.items():
            if path.startswith("meters/"):
                if resource is None:
                    self._meters.pop(path, None)
                    self._changed.discard(path)
                else:
                    self._changed.add(path)
            elif path.startswith("systems/") and resource is not None and resource.kind == "System":
                for meter in self._meters.values():
                    meter.is_about(resource)
            elif path.startswith("machines/"):
                self._machines.pop(path.removeprefix("machines/"), None)
            if path in self._hosts:
                self._follow(path, resource)

    def _follow(self, path: str, target: Resource | None) -> None:
        """Take over the host on which a target lives by now, since it is then seen in that one's looks."""
        if target is None:
            del self._hosts[path]
            return
        host = Hosted.of(target).host or self._hosts[target.path]
        if host == self._hosts[target.path]:
            return
        self._hosts[target.path] = host
        for meter in self._meters.values():
            meter.is_about(target)

    # Looking

    async def _look_when_up(self, driver: Driver) -> None:
        self._following.setdefault(driver.name, time.monotonic())
        try:
            if driver.connection is ConnectionState.UP:
                await self.look(driver)
        except (DriverError, GatewayError) as error:
            log.warning("guests not looked at", hypervisor=driver.name, reason=str(error))

    def _until_next_look(self, hypervisor: str) -> float:
        """Return the seconds to the next look.

        Looks are at even distances; one that takes long makes the next one late, never two at once.
        """
        now = time.monotonic()
        self._following[hypervisor] = max(self._following[hypervisor] + self._period, now)
        return self._following[hypervisor] - now

    async def look(self, driver: Driver) -> None:
        """Read all domains of the host at once, and write a sample for each of its meters whose time it is.

        There are never two looks at once of a host.
        """
        async with self._turns[driver.name]:
            await self._look(driver)

    async def _look(self, driver: Driver) -> None:
        reading = await driver.statistics.read()
        self._readings[driver.name] = reading
        await self._know_machines(reading)
        await self._load_changed()
        now = round(clock.at(reading.moment) * 1000)
        await self._close_intervals(now)
        await self._measure(driver.name, reading, now)

    async def _know_machines(self, reading: HostReading) -> None:
        """Find out which domains are Machines, once for each."""
        unknown = [domain.uuid for domain in reading.domains if domain.uuid not in self._machines]
        for start in range(0, len(unknown), 500):
            some = unknown[start : start + 500]
            machines = await existing(self._store, [f"machines/{uuid}" for uuid in some])
            self._machines.update({uuid: f"machines/{uuid}" in machines for uuid in some})

    async def _measure(self, host: str, reading: HostReading, now: int) -> None:
        looks = Looks(reading, self._together(reading.moment))
        samples: list[tuple[MeterState, float]] = []
        totals: list[MeterState] = []
        for place, meter in enumerate(list(self._meters.values())):
            if place % AT_ONCE == AT_ONCE - 1:
                await asyncio.sleep(0)
            if self._host_of(meter) != host:
                continue
            with self._apart.each(meter.path):
                value = meter.measure(looks.of(meter.target), reading.moment, now, self._period * SLACK)
                if value is None:
                    continue
                if meter.duration is None:
                    samples.append((meter, value))
                else:
                    meter.add(value, now)
                    totals.append(meter)
        await self._keep([(meter, max(now, meter.last + 1), value) for meter, value in samples], totals)

    def _host_of(self, meter: MeterState) -> str:
        """Return the host with whose looks it is measured; what is about all hosts goes with the first."""
        host = Hosted.of(meter.target).host
        return host if host is not None else next(iter(self._drivers))

    def _together(self, moment: float) -> Look | None:
        """Return the Machines of all hosts; None while one of them does not answer."""
        readings = [self._readings.get(name) for name in self._drivers]
        if any(reading is None or moment - reading.moment > FRESH * self._period for reading in readings):
            return None
        return {
            domain.uuid: domain
            for reading in readings
            if reading is not None
            for domain in reading.domains
            if self._machines.get(domain.uuid)
        }

    # Keeping

    async def _close_intervals(self, now: int) -> None:
        """Write the intervals that have ended; one that could not be written is tried again with the next look."""
        ended = [(meter, end) for meter in self._meters.values() if (end := self._ended(meter, now)) is not None]
        if ended and await self._keep([(meter, end, meter.whole) for meter, end in ended], []):
            for meter, _ in ended:
                meter.close()

    def _ended(self, meter: MeterState, now: int) -> int | None:
        with self._apart.each(meter.path):
            return meter.ended(now)
        return None

    async def _keep(self, samples: list[tuple[MeterState, int, float]], totals: Iterable[MeterState]) -> bool:
        rows = [(meter.number, meter.position + 1, moment, value) for meter, moment, value in samples]
        sums = [(meter.began, meter.total, meter.readings, meter.number) for meter in totals]
        if not rows and not sums:
            return True
        try:
            async with self._store.transaction() as transaction:
                await append_samples(transaction, rows)
                await keep_totals(transaction, sums)
        except GatewayError as error:
            log.warning("samples not kept", number=len(rows), reason=error.message)
            return False
        for meter, moment, _ in samples:
            meter.position, meter.last = meter.position + 1, moment
        return True

    # Which meters there are

    async def _load_changed(self) -> None:
        async with self._loading:
            for path in list(self._changed):
                with self._apart.each(path):
                    await self._load(path)
                    self._changed.discard(path)

    async def _load(self, path: str) -> None:
        meter = await self._store.get(path)
        if meter is not None and path in self._meters:
            self._meters[path].follow(meter)
        if meter is None or path in self._meters:
            return
        target = await self._store.get(meter.document["targetResource"]["href"])
        kept = await series_end(self._store, path)
        if target is not None and kept is not None:
            self._meters[path] = MeterState(meter, target, kept)
            host = Hosted.of(target).host
            if host is not None:
                self._hosts[target.path] = host

    async def _expire(self) -> None:
        try:
            await self.age()
        except GatewayError as error:
            log.warning("expired meters not removed", reason=error.message)

    async def age(self) -> None:
        """Remove the meters whose expiresTime has come by now, whichever clock is right."""
        await self.expire(round(clock.least() * 1000))

    async def expire(self, now: int) -> None:
        """Remove the meters whose expiresTime has come."""
        await self._load_changed()
        over = [path for path, meter in self._meters.items() if meter.expires <= now]
        if over:
            async with self._store.transaction() as transaction:
                for path in over:
                    await transaction.delete(path)

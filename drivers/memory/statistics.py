"""Statistics in memory: what tests say that the guests use."""

from __future__ import annotations

import time
from dataclasses import replace

from drivers.base import DiskFacts, DiskReading, DomainFacts, DomainReading, HostReading, InterfaceReading, Power
from drivers.memory.state import ACTIVE, MemoryState
from drivers.memory.usage import Usage


class MemoryStatistics:
    """The part ``statistics`` of the driver (drivers.base.StatisticsCalls)."""

    def __init__(self, state: MemoryState) -> None:
        self._state = state

    async def read(self) -> HostReading:
        """Return what tests have set in ``usage``; a guest that is missing there uses nothing."""
        self._state.enter("statistics.read")
        real = time.monotonic()
        stood_at = self._state.clock_stood_at
        moment = (real if stood_at is None else stood_at) + self._state.seconds_ahead
        readings = [
            self._reading(facts, self._state.usage.get(facts.uuid, Usage()), moment)
            for facts in self._state.domains.values()
        ]
        return HostReading(moment, time.time() + moment - real, tuple(readings))

    def _reading(self, facts: DomainFacts, usage: Usage, moment: float) -> DomainReading:
        running = facts.power in ACTIVE
        reading = DomainReading(
            uuid=facts.uuid,
            run=usage.run if running else None,
            moment=moment,
            power=facts.power,
            cpus=facts.cpus,
            memory_kib=facts.memory_kib,
        )
        if usage.stuck:
            return reading
        disks = tuple(self._disk(facts, disk, usage) for disk in facts.disks)
        if not running:
            return replace(reading, disks=disks)
        return replace(
            reading,
            cpu_seconds=usage.cpu_seconds,
            memory_used_kib=usage.memory_used_kib,
            disks=disks,
            interfaces=self._interfaces(facts, usage),
        )

    def _disk(self, facts: DomainFacts, disk: DiskFacts, usage: Usage) -> DiskReading:
        stored = next((volume for volume in self._state.volumes.values() if volume.path == disk.source), None)
        capacity, used = (stored.capacity, stored.allocation) if stored else (None, None)
        counts = (usage.read_bytes, usage.written_bytes) if disk.target == usage.disk else (0, 0)
        counters = counts if facts.power is not Power.OFF else (None, None)
        return DiskReading(disk.target, disk.source, capacity, used, *counters)

    def _interfaces(self, facts: DomainFacts, usage: Usage) -> tuple[InterfaceReading, ...]:
        return tuple(
            InterfaceReading(
                nic.mac,
                nic.network,
                usage.received_bytes if place == 0 else 0,
                usage.sent_bytes if place == 0 else 0,
            )
            for place, nic in enumerate(facts.interfaces)
        )

"""Statistics of all domains by one bulk call, which no stuck guest holds up.

libvirt waits without end for the monitor of a guest that does not answer, and holds the domain's job meanwhile. So
the call has a connection of its own and a short deadline. A call that overstays it is left behind with its connection;
the next call passes over every domain whose job is taken (NOWAIT), and reads all others.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import libvirt
from lxml import etree

from drivers.base import DiskReading, DomainReading, DriverUnavailable, HostReading, InterfaceReading, Power
from drivers.libvirt.connection import Connection
from drivers.libvirt.domain_facts import PARSER, keeps_running
from drivers.libvirt.lanes import Lane

GROUPS = (
    libvirt.VIR_DOMAIN_STATS_STATE
    | libvirt.VIR_DOMAIN_STATS_CPU_TOTAL
    | libvirt.VIR_DOMAIN_STATS_BALLOON
    | libvirt.VIR_DOMAIN_STATS_VCPU
    | libvirt.VIR_DOMAIN_STATS_INTERFACE
    | libvirt.VIR_DOMAIN_STATS_BLOCK
)
DEADLINE = 3.0
FRESH_SECONDS = 60
"""Seconds for which the guest's own word about its memory counts."""
NANO = 1_000_000_000
POWERS = {
    libvirt.VIR_DOMAIN_RUNNING: Power.RUNNING,
    libvirt.VIR_DOMAIN_BLOCKED: Power.RUNNING,
    libvirt.VIR_DOMAIN_PAUSED: Power.PAUSED,
    libvirt.VIR_DOMAIN_PMSUSPENDED: Power.PAUSED,
    libvirt.VIR_DOMAIN_SHUTDOWN: Power.SHUTTING_DOWN,
    libvirt.VIR_DOMAIN_CRASHED: Power.CRASHED,
}

Fields = dict[str, Any]
Taps = dict[str, tuple[str, str]]
"""Name of the host's end of an interface, to its MAC and its network."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The moment of a read, by the monotonic clock, and in seconds since 1970."""

    monotonic: float
    time: float


class Statistics:
    """The part ``statistics`` of the driver (drivers.base.StatisticsCalls)."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known: dict[str, tuple[int, Taps]] = {}

    async def read(self) -> HostReading:
        """Return the statistics by one bulk call; one that a stuck guest held up is made again, and passes over it."""
        try:
            return await self._once()
        except DriverUnavailable:
            return await self._once()

    async def _once(self) -> HostReading:
        return await self._connection.call(self._read, lane=Lane.STATISTICS, deadline=DEADLINE)

    def _read(self, handle: libvirt.virConnect) -> HostReading:
        """Read all domains on a worker thread."""
        flags = 0 if handle.getType() == "TEST" else libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT
        answers = handle.getAllDomainStats(GROUPS, flags)
        moment = Moment(time.monotonic(), time.time())
        seen, readings = {}, []
        for domain, fields in answers:
            uuid, run = domain.UUIDString(), domain.ID()
            if run >= 0 and fields.get("net.count"):
                seen[uuid] = (run, self._taps(domain, uuid, run, fields))
            readings.append(_domain(uuid, run, fields, seen.get(uuid, (run, {}))[1], moment))
        self._known = seen
        return HostReading(moment.monotonic, moment.time, tuple(readings))

    def _taps(self, domain: libvirt.virDomain, uuid: str, run: int, fields: Fields) -> Taps:
        """Return the guest's taps, which are read once a run, and again when an interface was plugged in."""
        before, taps = self._known.get(uuid, (None, {}))
        names = (fields.get(f"net.{place}.name") for place in range(fields["net.count"]))
        if before == run and all(name in taps for name in names):
            return taps
        try:
            root = etree.fromstring(domain.XMLDesc(0), PARSER)
        except libvirt.libvirtError:
            return {}
        return dict(_tap(element) for element in root.iterfind("devices/interface"))


def _tap(element: etree._Element) -> tuple[str, tuple[str, str]]:
    target, mac, source = element.find("target"), element.find("mac"), element.find("source")
    name, address, network = (
        (child.get(key) or "") if child is not None else ""
        for child, key in ((target, "dev"), (mac, "address"), (source, "network"))
    )
    return name, (address, network)


def _domain(uuid: str, run: int, fields: Fields, taps: Taps, moment: Moment) -> DomainReading:
    running = run >= 0
    nanoseconds = fields.get("cpu.time") if running else None
    return DomainReading(
        uuid=uuid,
        run=run if running else None,
        moment=moment.monotonic,
        power=_power(fields),
        cpus=fields.get("vcpu.current") or 1,
        cpu_seconds=nanoseconds / NANO if nanoseconds is not None else None,
        memory_kib=_memory(fields),
        memory_used_kib=_memory_used(fields, moment.time) if running else None,
        disks=tuple(_disk(fields, f"block.{place}", running) for place in range(fields.get("block.count", 0))),
        interfaces=_interfaces(fields, taps),
    )


def _power(fields: Fields) -> Power:
    state, reason = fields.get("state.state"), fields.get("state.reason")
    if keeps_running(state, reason):
        return Power.RUNNING
    return POWERS.get(state, Power.OFF)


def _memory(fields: Fields) -> int | None:
    """Return the KiB it has now: the guest's own word, which counts at most what it was given at its start."""
    current, most = fields.get("balloon.current"), fields.get("balloon.maximum")
    return current if current is None or most is None else min(int(current), int(most))


def _memory_used(fields: Fields, now: float) -> int | None:
    """Return the KiB that the guest tells, at most what it was given, else what it takes of the host."""
    available = fields.get("balloon.available")
    free = fields.get("balloon.usable", fields.get("balloon.unused"))
    fresh = now - fields.get("balloon.last-update", 0) < FRESH_SECONDS
    given = _memory(fields)
    if fresh and available is not None and free is not None:
        used = max(0, int(available - free))
        return used if given is None else min(used, int(given))
    resident = fields.get("balloon.rss")
    return None if resident is None or given is None else min(int(resident), int(given))


def _disk(fields: Fields, prefix: str, running: bool) -> DiskReading:
    """Return the reading of a disk.

    ``physical`` is what a running guest's QEMU takes of the pool, and of one that is off the length of the file, which
    may have holes. ``allocation`` is what the file takes then, and while the guest runs the last place written to.
    """
    taken = "physical" if running else "allocation"
    return DiskReading(
        target=fields.get(f"{prefix}.name", ""),
        source=fields.get(f"{prefix}.path", ""),
        capacity=fields.get(f"{prefix}.capacity"),
        used=fields.get(f"{prefix}.{taken}"),
        read_bytes=fields.get(f"{prefix}.rd.bytes"),
        written_bytes=fields.get(f"{prefix}.wr.bytes"),
        reads=fields.get(f"{prefix}.rd.reqs"),
        writes=fields.get(f"{prefix}.wr.reqs"),
    )


def _interfaces(fields: Fields, taps: Taps) -> tuple[InterfaceReading, ...]:
    readings = []
    for place in range(fields.get("net.count", 0)):
        prefix = f"net.{place}"
        received, sent = fields.get(f"{prefix}.rx.bytes"), fields.get(f"{prefix}.tx.bytes")
        if received is None or sent is None:
            continue
        mac, network = taps.get(fields.get(f"{prefix}.name", ""), ("", ""))
        packets = fields.get(f"{prefix}.rx.pkts", 0), fields.get(f"{prefix}.tx.pkts", 0)
        readings.append(InterfaceReading(mac, network, received, sent, *packets))
    return tuple(readings)

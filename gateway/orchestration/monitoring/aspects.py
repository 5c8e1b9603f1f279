"""The aspects that can be measured of each type of resource, how, and in which unit, in one table (DSP0263 5.18.3).

A measurement compares two looks at the same domains. It is None where the hypervisor did not tell, where there was no
look before, or where a domain was started anew between the two: a gap, not a zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from drivers.base import DiskReading, DomainReading, InterfaceReading, Power
from gateway.cimi.dialects import EXTENSION_NAMESPACE
from gateway.cimi.registry import CLOUD_ENTRY_POINT, TYPES
from gateway.orchestration.common.names import name_of
from gateway.orchestration.monitoring.facts import Measured
from gateway.store.model import Resource

Look = Mapping[str, DomainReading]
"""The domains that a meter is about, at one moment, by UUID."""
Measurement = Callable[[Resource, Look, Look | None], float | None]
KILO = 1000
BITS = 8
METERED = tuple(kind for kind, declared in TYPES.items() if "meters" in declared.attributes)
"""The types whose resources may have meters."""


@dataclass(frozen=True, slots=True)
class Aspect:
    """A quantity that can be measured of a resource.

    ``limits`` are the expected bounds for a resource; ``adds_up`` says that intervals are sums, not means.
    """

    name: str
    units: tuple[str, ...]
    """The spellings of the unit; the first is shown."""
    measure: Measurement
    limits: Callable[[Resource], tuple[str | None, str | None]]
    adds_up: bool = False
    is_continuous: bool = True
    own: bool = False
    """The aspect is the gateway's own, and none of the standard's."""

    @property
    def term(self) -> str:
        """The name that documents have: the standard's word, or a URI of the gateway's own."""
        return f"{EXTENSION_NAMESPACE}/aspect/{self.name}" if self.own else self.name


def aspect_of(kind: str, term: str) -> Aspect | None:
    """Return the aspect of a kind of resource by its word or its URI; None when the kind does not have it."""
    return next((aspect for aspect in MEASURED.get(kind, ()) if term in (aspect.term, aspect.name)), None)


# Counters


def _rates(now: Look, before: Look | None, count: Callable[[DomainReading], float | None]) -> Iterable[float | None]:
    """Yield for each running domain what it counted a second; None for one that cannot be compared."""
    for uuid, reading in now.items():
        if reading.run is None:
            continue
        earlier = before.get(uuid) if before is not None else None
        yield None if earlier is None else _rate(reading, earlier, count)


def _rate(now: DomainReading, before: DomainReading, count: Callable[[DomainReading], float | None]) -> float | None:
    seconds, counted, earlier = now.moment - before.moment, count(now), count(before)
    if now.run != before.run or seconds <= 0 or counted is None or earlier is None or counted < earlier:
        return None
    return (counted - earlier) / seconds


def _added(values: Iterable[float | None], *, every: bool = True) -> float | None:
    """Return the sum; None when there is nothing, and, with ``every``, when a part is not known."""
    entries = list(values)
    numbers = [value for value in entries if value is not None]
    if not numbers or (every and len(numbers) < len(entries)):
        return None
    return sum(numbers)


def _disks(disks: Iterable[DiskReading], value: Callable[[DiskReading], int | None]) -> float | None:
    return _added(value(disk) for disk in disks)


def _guest_disks(reading: DomainReading) -> list[DiskReading]:
    """Return the disks less the seed and others that are not the guest's own to write to."""
    return [disk for disk in reading.disks if not disk.source.endswith(".iso")]


def _traffic(interfaces: Iterable[InterfaceReading], value: Callable[[InterfaceReading], int]) -> float:
    return float(sum(value(interface) for interface in interfaces))


# Machines, alone or together


def _cpu(_target: Resource, now: Look, before: Look | None) -> float | None:
    """Return per cent of the virtual CPUs of the running Machines."""
    busy = _added(_rates(now, before, lambda reading: reading.cpu_seconds), every=False)
    cpus = sum(reading.cpus for reading in now.values() if reading.run is not None)
    return None if busy is None or cpus == 0 else 100 * busy / cpus


def _memory(_target: Resource, now: Look, _before: Look | None) -> float | None:
    return _added(reading.memory_used_kib for reading in now.values() if reading.run is not None)


def _used(_target: Resource, now: Look, _before: Look | None) -> float | None:
    return _kilo(_added(_disks(_guest_disks(reading), lambda disk: disk.used) for reading in now.values()))


def _capacity(_target: Resource, now: Look, _before: Look | None) -> float | None:
    return _kilo(_added(_disks(_guest_disks(reading), lambda disk: disk.capacity) for reading in now.values()))


def _kilo(value: float | None) -> float | None:
    return None if value is None else value / KILO


def _read(_target: Resource, now: Look, before: Look | None) -> float | None:
    return _kilo(_added(_rates(now, before, lambda reading: _disks(reading.disks, lambda disk: disk.read_bytes))))


def _written(_target: Resource, now: Look, before: Look | None) -> float | None:
    return _kilo(_added(_rates(now, before, lambda reading: _disks(reading.disks, lambda disk: disk.written_bytes))))


def _running(_target: Resource, now: Look, before: Look | None) -> float | None:
    """Return the seconds in power since the look before; a change in between is taken for the middle of the time."""
    seconds = []
    for reading in now.values():
        earlier = before.get(reading.uuid) if before is not None else None
        if earlier is not None:
            on = [entry.power is Power.RUNNING for entry in (earlier, reading)]
            seconds.append((reading.moment - earlier.moment) * sum(on) / 2)
    return _added(seconds)


def _kilobits(value: float | None) -> float | None:
    return None if value is None else value * BITS / KILO


def _received(_target: Resource, now: Look, before: Look | None) -> float | None:
    return _kilobits(_added(_rates(now, before, lambda r: _traffic(r.interfaces, lambda nic: nic.received_bytes))))


def _sent(_target: Resource, now: Look, before: Look | None) -> float | None:
    return _kilobits(_added(_rates(now, before, lambda r: _traffic(r.interfaces, lambda nic: nic.sent_bytes))))


# Networks


def _bandwidth(target: Resource, now: Look, before: Look | None) -> float | None:
    """Return what the guests on the Network send and receive; on the Cloud Entry Point, on all Networks."""
    name = name_of(target) if target.kind == "Network" else None

    def traffic(reading: DomainReading) -> float:
        mine = (nic for nic in reading.interfaces if name is None or nic.network == name)
        return _traffic(mine, lambda nic: nic.received_bytes + nic.sent_bytes)

    if not any(reading.run is not None for reading in now.values()):
        return 0.0
    return _kilobits(_added(_rates(now, before, traffic), every=False))


def _port(value: Callable[[InterfaceReading], int]) -> Measurement:
    """Return the measurement of what passes the interface that uses the NetworkPort, as the guest sees it."""

    def measure(target: Resource, now: Look, before: Look | None) -> float | None:
        mac = target.document["macAddress"]

        def passed(reading: DomainReading) -> float:
            return _traffic((nic for nic in reading.interfaces if nic.mac == mac), value)

        return _kilobits(_added(_rates(now, before, passed), every=False))

    return measure


# Volumes, as the running guests have them


def disk_name(disk: DiskReading) -> str:
    """Return the name of the disk's volume, the last part of its source."""
    return disk.source.rpartition("/")[2]


def _connected(target: Resource, reading: DomainReading) -> list[DiskReading]:
    return [disk for disk in reading.disks if disk_name(disk) == Measured.of(target).volume]


def _of_volume(value: Callable[[DiskReading], int | None]) -> Measurement:
    """Return the measurement of a size, which all guests that share the Volume tell alike."""

    def measure(target: Resource, now: Look, _before: Look | None) -> float | None:
        entries = [value(disk) for reading in now.values() for disk in _connected(target, reading)]
        sizes = [size for size in entries if size is not None]
        return max(sizes) / KILO if sizes else None

    return measure


def _through_volume(value: Callable[[DiskReading], int | None], factor: float) -> Measurement:
    """Return the measurement of what all guests together move in a second."""

    def measure(target: Resource, now: Look, before: Look | None) -> float | None:
        rates = _rates(now, before, lambda reading: _disks(_connected(target, reading), value))
        moved = _added(rates, every=False)
        return None if moved is None else moved * factor

    return measure


# Expected bounds


def _own_capacity(target: Resource) -> tuple[str | None, str | None]:
    return "0", str(target.document["capacity"])


def _percent(_target: Resource) -> tuple[str | None, str | None]:
    return "0", "100"


def _own_memory(target: Resource) -> tuple[str | None, str | None]:
    memory = target.document.get("memory")
    return "0", str(memory) if memory else None


def _from_zero(_target: Resource) -> tuple[str | None, str | None]:
    return "0", None


RATE = 1 / KILO
BIT_RATE = BITS / KILO
PERCENT = ("percent", "%")
KIBIBYTES = ("kibibytes", "KiB")
KILOBYTES = ("kilobytes", "kB")
KILOBITS = ("kilobits per second", "kbit/s", "kbps")
KILOBYTES_PER_SECOND = ("kilobytes per second", "kB/s")

CPU = Aspect("cpu", PERCENT, _cpu, _percent)
MEMORY = Aspect("memory", KIBIBYTES, _memory, _own_memory)
DISK = Aspect("disk", KILOBYTES, _used, _from_zero, is_continuous=False)
DISK_CAPACITY = Aspect("diskCapacity", KILOBYTES, _capacity, _from_zero, is_continuous=False, own=True)
DISK_READ = Aspect("diskRead", KILOBYTES_PER_SECOND, _read, _from_zero, own=True)
DISK_WRITE = Aspect("diskWrite", KILOBYTES_PER_SECOND, _written, _from_zero, own=True)
INPUT = Aspect("inputBandwidth", KILOBITS, _received, _from_zero)
OUTPUT = Aspect("outputBandwidth", KILOBITS, _sent, _from_zero)
BANDWIDTH = Aspect("bandwidth", KILOBITS, _bandwidth, _from_zero)
RUNNING_TIME = Aspect("runningTime", ("seconds", "s"), _running, _from_zero, adds_up=True, own=True)

VOLUME = (
    Aspect("disk", KILOBYTES, _of_volume(lambda disk: disk.used), _own_capacity, is_continuous=False),
    Aspect("diskCapacity", KILOBYTES, _of_volume(lambda d: d.capacity), _own_capacity, is_continuous=False, own=True),
    Aspect("diskRead", KILOBYTES_PER_SECOND, _through_volume(lambda d: d.read_bytes, RATE), _from_zero, own=True),
    Aspect("diskWrite", KILOBYTES_PER_SECOND, _through_volume(lambda d: d.written_bytes, RATE), _from_zero, own=True),
    Aspect("inputBandwidth", KILOBITS, _through_volume(lambda disk: disk.written_bytes, BIT_RATE), _from_zero),
    Aspect("outputBandwidth", KILOBITS, _through_volume(lambda disk: disk.read_bytes, BIT_RATE), _from_zero),
)

MEASURED: dict[str, tuple[Aspect, ...]] = {
    "Machine": (CPU, MEMORY, DISK, DISK_CAPACITY, DISK_READ, DISK_WRITE, INPUT, OUTPUT, RUNNING_TIME),
    "System": (CPU, MEMORY, DISK, DISK_CAPACITY, DISK_READ, DISK_WRITE, INPUT, OUTPUT, RUNNING_TIME),
    "Volume": VOLUME,
    "Network": (BANDWIDTH,),
    "NetworkPort": (
        Aspect("inputBandwidth", KILOBITS, _port(lambda nic: nic.received_bytes), _from_zero),
        Aspect("outputBandwidth", KILOBITS, _port(lambda nic: nic.sent_bytes), _from_zero),
    ),
    CLOUD_ENTRY_POINT.kind: (CPU, MEMORY, DISK, BANDWIDTH),
}
"""The aspects that can be measured of each kind of resource."""

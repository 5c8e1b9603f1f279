"""The guests' figures for Prometheus, from the last bulk read: no hypervisor is asked for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from drivers.base import DomainReading, Power

Guests = Callable[[], list[tuple[str, DomainReading]]]
Values = Iterator[tuple[tuple[str, ...], float | None]]
LABELS = ("hypervisor", "machine")
KIB = 1024


class GuestMetrics(Collector):
    """A collector of the guests' figures.

    A guest that is off, or a host that is away, has no samples: a gap, not zeros.
    """

    def __init__(self, guests: Guests) -> None:
        self._guests = guests

    def collect(self) -> Iterator[Metric]:
        """Yield the figures as they were read last."""
        guests = [((host, domain.uuid), domain) for host, domain in self._guests()]
        yield _gauge("cimi_guest_running", "1 while the guest runs", LABELS, _running(guests))
        yield _gauge("cimi_guest_cpus", "Virtual CPUs", LABELS, ((names, d.cpus) for names, d in guests))
        yield _counter("cimi_guest_cpu_seconds", "CPU time", LABELS, ((names, d.cpu_seconds) for names, d in guests))
        memory = ((names, _bytes(d.memory_kib)) for names, d in guests)
        yield _gauge("cimi_guest_memory_bytes", "What the guest has", LABELS, memory)
        used = ((names, _bytes(d.memory_used_kib)) for names, d in guests)
        yield _gauge("cimi_guest_memory_used_bytes", "What of it is in use", LABELS, used)
        yield from _disks(guests)
        yield from _interfaces(guests)


Named = list[tuple[tuple[str, str], DomainReading]]


def _running(guests: Named) -> Values:
    yield from ((names, float(domain.power is Power.RUNNING)) for names, domain in guests)


def _bytes(kib: int | None) -> float | None:
    return None if kib is None else float(kib * KIB)


def _disks(guests: Named) -> Iterator[Metric]:
    labels = (*LABELS, "disk")
    disks = [((*names, disk.target), disk) for names, domain in guests for disk in domain.disks]
    yield _gauge("cimi_guest_disk_bytes", "Its capacity", labels, ((names, disk.capacity) for names, disk in disks))
    used = ((names, disk.used) for names, disk in disks)
    yield _gauge("cimi_guest_disk_used_bytes", "What it takes of its pool", labels, used)
    read = ((names, disk.read_bytes) for names, disk in disks)
    yield _counter("cimi_guest_disk_read_bytes", "Read from it", labels, read)
    written = ((names, disk.written_bytes) for names, disk in disks)
    yield _counter("cimi_guest_disk_written_bytes", "Written to it", labels, written)


def _interfaces(guests: Named) -> Iterator[Metric]:
    labels = (*LABELS, "interface")
    interfaces = [((*names, nic.mac), nic) for names, domain in guests for nic in domain.interfaces]
    received = ((names, nic.received_bytes) for names, nic in interfaces)
    yield _counter("cimi_guest_received_bytes", "What came to the guest", labels, received)
    sent = ((names, nic.sent_bytes) for names, nic in interfaces)
    yield _counter("cimi_guest_sent_bytes", "What the guest sent", labels, sent)


def _gauge(name: str, text: str, labels: tuple[str, ...], values: Values) -> Metric:
    return _filled(GaugeMetricFamily(name, text, labels=labels), values)


def _counter(name: str, text: str, labels: tuple[str, ...], values: Values) -> Metric:
    return _filled(CounterMetricFamily(name, text, labels=labels), values)


def _filled(family: GaugeMetricFamily | CounterMetricFamily, values: Values) -> Metric:
    for names, value in values:
        if value is not None:
            family.add_metric(names, value)
    return family

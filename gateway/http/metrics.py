"""`/metrics` for Prometheus: requests, Jobs, the store, readers of events, calls to the hypervisors, guests, the door.

Each part has a collector of prometheus_client, which ``add`` takes in. Collectors read facts at hand, never the
hypervisor, so that several scrapers are cheap and a stuck guest holds up none.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, GCCollector, Histogram, ProcessCollector, exposition
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from drivers.base import ConnectionState, DomainReading, Driver, Load, Power
from drivers.supervision import Supervision
from gateway.cimi.registry import collection_at, type_at
from gateway.http.door import Door
from gateway.http.event_stream import EventStream
from gateway.jobs.records import ended
from gateway.jobs.runner import JobRunner
from gateway.store.model import Resource
from gateway.store.questions.resources import sizes_by_state
from gateway.store.store import Changes, Store

Guests = Callable[[], list[tuple[str, DomainReading]]]
"""Gives each guest of the last look with the name of its host."""
Named = list[tuple[tuple[str, str], DomainReading]]
Value = tuple[tuple[str, ...], float | None]
"""The values of a figure's labels, and the figure; None leaves a gap."""
OF_GUESTS = ("hypervisor", "machine")
KIB = 1024
JOB_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts that are read on the loop right before the text is written."""

    resources: tuple[tuple[str, str, int], ...] = ()
    jobs: tuple[int, int] = (0, 0)
    writers: int = 0
    readers: tuple[int, int, int] = (0, 0, 0)
    connections: Mapping[str, ConnectionState] = field(default_factory=dict)
    loads: Mapping[str, tuple[Load, ...]] = field(default_factory=dict)


class Metrics:
    """The gateway's own figures, and the collectors of others'."""

    def __init__(self, store: Store, runner: JobRunner, drivers: Mapping[str, Driver], stream: EventStream) -> None:
        self._store = store
        self._runner = runner
        self._drivers = drivers
        self._stream = stream
        self._running: dict[str, float] = {}
        self._quick: dict[tuple[str, int], tuple[Counter, Histogram]] = {}
        self._requests = Counter(
            "cimi_http_requests", "Requests to the CIMI entry point", ("method", "target", "status"), registry=None
        )
        self._seconds = Histogram(
            "cimi_http_request_seconds", "Time to answer a request", ("method", "target"), registry=None
        )
        self._job_seconds = Histogram(
            "cimi_job_seconds", "Time a Job took", ("action", "state"), buckets=JOB_SECONDS, registry=None
        )
        calls = ("hypervisor", "connection", "outcome")
        self._call_seconds = Histogram("cimi_libvirt_call_seconds", "Time a call took", calls, registry=None)
        self._gauges = _Gauges()
        self._registry = CollectorRegistry()
        for counting in (self._requests, self._seconds, self._job_seconds, self._call_seconds):
            self.add(counting)
        self.add(self._gauges)
        ProcessCollector(registry=self._registry)
        GCCollector(registry=self._registry)
        store.watch(self._changed, "Job")
        for name, driver in drivers.items():
            driver.observe(self._observer(name))

    def add(self, collector: Collector) -> None:
        """Show what this collector knows too; its ``collect`` runs on a worker thread."""
        self._registry.register(collector)

    # Counting as it happens

    def answered(self, method: str, path: str | None, status: int, seconds: float) -> None:
        """Count a request that was answered; ``path`` is None where the URL is none of the entry point's."""
        target = target_of(path)
        self._requests.labels(method, target, str(status)).inc()
        self._seconds.labels(method, target).observe(seconds)

    def answered_quickly(self, target: str, status: int, seconds: float) -> None:
        """Count a GET that was answered from memory; ``target`` is what ``target_of`` returns for its path."""
        counting = self._quick.get((target, status))
        if counting is None:
            labels = (self._requests.labels("GET", target, str(status)), self._seconds.labels("GET", target))
            counting = self._quick[target, status] = labels
        counting[0].inc()
        counting[1].observe(seconds)

    def _changed(self, changes: Changes) -> None:
        for path, job in changes.items():
            if path.startswith("jobs/") and job is not None:
                self._job_changed(job)

    def _job_changed(self, job: Resource) -> None:
        """Measure how long a Job took. Jobs that are written already ended took no time, and are not counted."""
        if not ended(job):
            self._running.setdefault(job.path, time.monotonic())
            return
        began = self._running.pop(job.path, None)
        if began is not None:
            self._job_seconds.labels(job.document["action"], job.state).observe(time.monotonic() - began)

    def _observer(self, name: str) -> Any:
        def observe(connection: str, seconds: float, succeeded: bool) -> None:
            outcome = "success" if succeeded else "failure"
            self._call_seconds.labels(name, connection, outcome).observe(seconds)

        return observe

    # Answering

    async def respond(self, _request: web.Request) -> web.Response:
        """Return the figures as Prometheus reads them."""
        self._gauges.facts = await self._facts()
        text = await asyncio.to_thread(exposition.generate_latest, self._registry)
        return web.Response(body=text, headers={"Content-Type": exposition.CONTENT_TYPE_LATEST})

    def application(self) -> web.Application:
        """Return an application of the metrics alone, for the listener without credentials ([metrics] listen)."""
        application = web.Application()
        application.router.add_get("/metrics", self.respond)
        return application

    async def _facts(self) -> Facts:
        return Facts(
            resources=tuple(await sizes_by_state(self._store)),
            jobs=(self._runner.active, self._runner.waiting),
            writers=self._store.writers_waiting,
            readers=(self._stream.readers, self._stream.backlog, self._stream.dropped),
            connections={name: driver.connection for name, driver in self._drivers.items()},
            loads={name: driver.load() for name, driver in self._drivers.items()},
        )


def target_of(path: str | None) -> str:
    """Return a label with few values: ``Machine``, ``Machine collection``, ``Machine start``, or ``other``."""
    if path is None:
        return "other"
    path = path.strip("/") or "cloudEntryPoint"
    declared = collection_at(path)
    if declared is not None:
        return f"{declared.kind} collection"
    declared = type_at(path)
    if declared is not None:
        return declared.kind
    owner, _, verb = path.rpartition("/")
    declared = type_at(owner) if owner else None
    return f"{declared.kind} {verb}" if declared is not None and declared.action(verb) is not None else "other"


class _Gauges(Collector):
    """A collector of what is so at this moment."""

    def __init__(self) -> None:
        self.facts = Facts()

    def collect(self) -> Iterator[Metric]:
        """Yield the figures by ``facts``."""
        facts = self.facts
        resources = [((kind, state), float(size)) for kind, state, size in facts.resources]
        yield _gauge("cimi_resources", "Resources by type and state", ("kind", "state"), resources)
        active, waiting = facts.jobs
        yield _gauge("cimi_jobs_active", "Jobs that have begun, and not ended", (), [((), active)])
        yield _gauge("cimi_jobs_waiting", "Jobs that wait for a lock or a worker", (), [((), waiting)])
        yield _gauge("cimi_store_writers_waiting", "Transactions that wait for their turn", (), [((), facts.writers)])
        readers, backlog, dropped = facts.readers
        yield _gauge("cimi_event_readers", "Connected readers of the event stream", (), [((), readers)])
        yield _gauge("cimi_event_backlog_bytes", "What waits for all event readers together", (), [((), backlog)])
        yield _gauge("cimi_event_readers_dropped", "Readers that did not keep up, since the start", (), [((), dropped)])
        yield from self._hypervisors(facts)

    def _hypervisors(self, facts: Facts) -> Iterator[Metric]:
        up = [((name,), float(state is ConnectionState.UP)) for name, state in facts.connections.items()]
        yield _gauge("cimi_libvirt_up", "1 while the hypervisor is connected", ("hypervisor",), up)
        states = [
            ((name, state.value), float(state is now))
            for name, now in facts.connections.items()
            for state in ConnectionState
        ]
        yield _gauge("cimi_libvirt_connection", "1 for the connection's state", ("hypervisor", "state"), states)
        loads = [(name, load) for name, entries in facts.loads.items() for load in entries]
        labels = ("hypervisor", "connection")
        running = [((name, load.connection), float(load.running)) for name, load in loads]
        yield _gauge("cimi_libvirt_calls_running", "Calls to the hypervisor which run now", labels, running)
        waiting = [((name, load.connection), float(load.waiting)) for name, load in loads]
        yield _gauge("cimi_libvirt_calls_waiting", "Calls that wait for their turn", labels, waiting)


class GuestMetrics(Collector):
    """A collector of the guests' figures.

    A guest that is off, or a host that is away, has no samples: a gap, not zeros.
    """

    def __init__(self, guests: Guests) -> None:
        self._guests = guests

    def collect(self) -> Iterator[Metric]:
        """Yield the figures as they were read last."""
        guests = [((host, domain.uuid), domain) for host, domain in self._guests()]
        yield _gauge("cimi_guest_running", "1 while the guest runs", OF_GUESTS, _running(guests))
        yield _gauge("cimi_guest_cpus", "Virtual CPUs", OF_GUESTS, ((names, d.cpus) for names, d in guests))
        yield _counter("cimi_guest_cpu_seconds", "CPU time", OF_GUESTS, ((names, d.cpu_seconds) for names, d in guests))
        memory = ((names, _bytes(d.memory_kib)) for names, d in guests)
        yield _gauge("cimi_guest_memory_bytes", "What the guest has", OF_GUESTS, memory)
        used = ((names, _bytes(d.memory_used_kib)) for names, d in guests)
        yield _gauge("cimi_guest_memory_used_bytes", "What of it is in use", OF_GUESTS, used)
        yield from _disks(guests)
        yield from _interfaces(guests)


def _running(guests: Named) -> Iterator[Value]:
    yield from ((names, float(domain.power is Power.RUNNING)) for names, domain in guests)


def _bytes(kib: int | None) -> float | None:
    return None if kib is None else float(kib * KIB)


def _disks(guests: Named) -> Iterator[Metric]:
    labels = (*OF_GUESTS, "disk")
    disks = [((*names, disk.target), disk) for names, domain in guests for disk in domain.disks]
    yield _gauge("cimi_guest_disk_bytes", "Its capacity", labels, ((names, disk.capacity) for names, disk in disks))
    used = ((names, disk.used) for names, disk in disks)
    yield _gauge("cimi_guest_disk_used_bytes", "What it takes of its pool", labels, used)
    read = ((names, disk.read_bytes) for names, disk in disks)
    yield _counter("cimi_guest_disk_read_bytes", "Read from it", labels, read)
    written = ((names, disk.written_bytes) for names, disk in disks)
    yield _counter("cimi_guest_disk_written_bytes", "Written to it", labels, written)


def _interfaces(guests: Named) -> Iterator[Metric]:
    labels = (*OF_GUESTS, "interface")
    interfaces = [((*names, nic.mac), nic) for names, domain in guests for nic in domain.interfaces]
    received = ((names, nic.received_bytes) for names, nic in interfaces)
    yield _counter("cimi_guest_received_bytes", "What came to the guest", labels, received)
    sent = ((names, nic.sent_bytes) for names, nic in interfaces)
    yield _counter("cimi_guest_sent_bytes", "What the guest sent", labels, sent)


class DoorMetrics(Collector):
    """A collector that reads the counts of one door."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def collect(self) -> Iterator[Metric]:
        """Yield the counts as they are now."""
        admission, ends = self._door.admission, self._door.ends
        yield GaugeMetricFamily("cimi_http_connections", "Connections that are open", value=admission.open)
        for name, text, value in (
            ("cimi_http_connections_refused", "Connections refused for their number", admission.refused),
            ("cimi_http_connections_overdue", "Connections closed by a deadline", ends.overdue),
            ("cimi_http_client_aborts", "Clients that hung up before the end of their answer", ends.aborts),
            ("cimi_http_malformed", "Requests that were no HTTP", ends.malformed),
        ):
            yield CounterMetricFamily(name, text, value=value)


class LoopMetrics(Collector):
    """Surprises by loop, counted since the start, and which loops are in trouble now."""

    def __init__(self, supervision: Supervision) -> None:
        self._supervision = supervision

    def collect(self) -> Iterator[Metric]:
        """Yield the figures as they are now."""
        failures = CounterMetricFamily(
            "cimi_gateway_loop_failures", "Errors that nobody thought of in a background loop", labels=("loop",)
        )
        for name, count in dict(self._supervision.failures).items():
            failures.add_metric((name,), count)
        yield failures
        troubles = GaugeMetricFamily(
            "cimi_gateway_loop_in_trouble", "1 while the last turn of a background loop failed", labels=("loop",)
        )
        in_trouble = self._supervision.in_trouble
        for name in tuple(self._supervision.loops):
            troubles.add_metric((name,), float(name in in_trouble))
        yield troubles


# Families of figures


def _gauge(name: str, text: str, labels: tuple[str, ...], values: Iterable[Value]) -> Metric:
    return _filled(GaugeMetricFamily(name, text, labels=labels), values)


def _counter(name: str, text: str, labels: tuple[str, ...], values: Iterable[Value]) -> Metric:
    return _filled(CounterMetricFamily(name, text, labels=labels), values)


def _filled(family: GaugeMetricFamily | CounterMetricFamily, values: Iterable[Value]) -> Metric:
    for names, value in values:
        if value is not None:
            family.add_metric(names, value)
    return family

"""`/metrics` for Prometheus: the gateway's requests, jobs, store, event readers, and its calls to the hypervisors.

What others know (the guests' statistics) comes in through ``add``: a collector of prometheus_client which reads facts
at hand, never the hypervisor, so that several scrapers are cheap and a stuck guest holds up none.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, GCCollector, Histogram, ProcessCollector, exposition
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from drivers.base import ConnectionState, Driver, Load
from gateway.cimi.registry import collection_at, type_at
from gateway.http.event_stream import EventStream
from gateway.jobs.records import ended
from gateway.jobs.runner import JobRunner
from gateway.store.model import Resource
from gateway.store.questions.resources import sizes_by_state
from gateway.store.store import Changes, Store

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
        store.watch(self._changed)
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


def _gauge(name: str, text: str, labels: tuple[str, ...], values: Iterable[tuple[tuple[str, ...], float]]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=labels)
    for names, value in values:
        family.add_metric(names, value)
    return family


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

"""The whole program but for its command line: what happens at start and at stop, in a list that shows the order."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import structlog

from drivers.base import ConnectionState, Driver
from drivers.confined.readers import ConfinedReaders
from drivers.supervision import Loop, Supervision
from gateway import wiring
from gateway.config import Settings
from gateway.entrance import host_users, listen_here, open_directory, open_to_scrapers, scrapers_door
from gateway.http import local_socket
from gateway.http.admission import Admission, Limits
from gateway.http.answers import Answers
from gateway.http.audit import Audit
from gateway.http.authentication import Authentication
from gateway.http.bodies import Bodies, Transfers
from gateway.http.connection import Deadlines
from gateway.http.door import Door, DoorSettings, possible
from gateway.http.event_stream import EventStream
from gateway.http.handlers import Handlers
from gateway.http.local_socket import HostUsers
from gateway.http.metrics import DoorMetrics, GuestMetrics, LoopMetrics, Metrics
from gateway.http.quick_reads import QuickReads
from gateway.http.readiness import Readiness, away
from gateway.http.remembered import Memory
from gateway.http.representation import Representations
from gateway.http.server import Server, ServerParts
from gateway.http.shares import UserShares
from gateway.http.stream_places import StreamPlaces
from gateway.http.tls import Certificate, configured_certificate
from gateway.http.ways_in import Doors
from gateway.jobs.plan import StepRegistry
from gateway.jobs.runner import JobRunner
from gateway.listening import named
from gateway.orchestration.access import uses
from gateway.orchestration.access.uses import TokenUses
from gateway.orchestration.commit_rules import commit_rules
from gateway.orchestration.common.capacity import Capacities
from gateway.orchestration.common.hosts import ConfiguredDrivers, ConfiguredHypervisors
from gateway.orchestration.common.resource_service import ResourceService
from gateway.orchestration.common.room import Room
from gateway.orchestration.entry_point.service import CloudEntryPointService
from gateway.orchestration.images.catalog import ship_catalog
from gateway.orchestration.images.sweeping import StagingSweeper
from gateway.orchestration.machines.templates import ship
from gateway.orchestration.monitoring import accesses, audit_log
from gateway.orchestration.monitoring.accesses import Accesses
from gateway.orchestration.monitoring.feed import Feed
from gateway.orchestration.monitoring.hypervisor_events import ConfinementLog, HypervisorEvents
from gateway.orchestration.monitoring.recorder import Recorder
from gateway.orchestration.monitoring.sampler import Sampler
from gateway.orchestration.monitoring.templates import ship_configurations
from gateway.orchestration.networks.host_network import show_networks
from gateway.orchestration.quotas.counting import Quotas
from gateway.orchestration.quotas.live import LiveQuotas
from gateway.orchestration.reconciliation import Reconciliation
from gateway.orchestration.registry import build_services, register_steps
from gateway.stages import Stage, opened_store
from gateway.store.store import Store

DRAIN_SECONDS = 20.0
"""Seconds that running steps have to reach a safe point at the gateway's end."""
log = structlog.get_logger("gateway")


class Gateway:
    """The whole program but for its command line. ``start``, then ``stop``."""

    store: Store
    runner: JobRunner
    room: Room
    services: dict[str, ResourceService]
    authentication: Authentication
    stream: EventStream
    metrics: Metrics
    sampler: Sampler
    accesses: Accesses
    server: Server
    door: Door

    def __init__(self, settings: Settings, drivers: Mapping[str, Driver]) -> None:
        self.settings = settings
        self.drivers = ConfiguredDrivers(drivers)
        self.supervision = Supervision()
        for driver in self.drivers.values():
            driver.supervise(self.supervision)
        self.quotas: LiveQuotas
        self._feed: Feed
        self._alarms: HypervisorEvents
        self._staging: StagingSweeper
        self.reconciliation: Reconciliation
        self._confinement: ConfinementLog
        self._audit: Audit
        self._repeats: Loop
        self._loops: tuple[Loop, ...]
        self._readers = ConfinedReaders()
        self._certificate: Certificate | None = None
        self._host_users: HostUsers | None = None
        self._memory: Memory
        self._open = AsyncExitStack()
        """How to end what was begun, the last first."""

    def stages(self) -> tuple[Stage, ...]:
        """Return what happens at the start, in this order, and at the stop, in the reverse one."""
        return (
            Stage("the store", self._open_store, self._close_store),
            Stage("readers of foreign bytes", stop=self._readers.close),
            Stage("services", self._build_services),
            Stage("what a gateway has from its first start on, and the rules of each commit", self._ship),
            Stage("the live stream of events", self._open_stream, self._close_authentication),
            Stage("measuring", self._prepare_metrics),
            Stage("hypervisors", stop=self._close_drivers),
            Stage("running jobs", stop=self._drain),
            # They listen before the hypervisors tell anything.
            Stage("watchers of the hypervisors", self._watch_hypervisors, self._stop_watching),
            Stage("connections to the hypervisors", self._open_drivers),
            Stage("what lies in the staging directory", self._start_staging),
            # Jobs are taken up again when everything is as the hypervisors say.
            Stage("the first comparison", self._first_look),
            Stage("interrupted jobs", self._recover),
            Stage("loops", self._start_loops, self._stop_loops),
            Stage("the stream's readers", self._start_stream, self._stop_stream),
            Stage("told accesses", self._start_audit, self._stop_audit),
            # Only now, when everything behind it works.
            Stage("the doors", self._listen),
            # Readers of the stream leave first: they would keep its door open.
            Stage("requests", stop=self._refuse_requests),
        )

    async def start(self) -> None:
        """Begin all stages.

        The stages that began are ended again when one fails: the store's threads would live for ever.
        """
        try:
            for stage in self.stages():
                if stage.start is not None:
                    await stage.start()
                if stage.stop is not None:
                    self._open.push_async_callback(stage.stop)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End all stages: no new requests; running steps reach a safe point; guests keep running."""
        await self._open.aclose()
        log.info("stopped")

    # The store and what stands on it

    async def _open_store(self) -> None:
        self.store = await opened_store(self.settings)

    async def _close_store(self) -> None:
        await self.store.close()

    async def _build_services(self) -> None:
        registry = StepRegistry()
        settings = self.settings
        self.quotas = LiveQuotas(settings.quotas)
        await self.quotas.look(self.store)
        self.runner = wiring.job_runner(settings, self.store, registry, self.supervision, self.quotas.jobs_at_once)
        # No link leads to what is put down and read there.
        staging = await asyncio.to_thread(Path(settings.images.staging).resolve)
        hypervisors = ConfiguredHypervisors((entry.name, entry) for entry in settings.hypervisors)
        self.room = Room(
            store=self.store,
            runner=self.runner,
            drivers=self.drivers,
            hypervisors=hypervisors,
            policy=wiring.policy(settings),
            images=wiring.image_tools(settings, self._readers, staging, self.store),
            capacities=Capacities(hypervisors),
            supervision=self.supervision,
        )
        register_steps(registry, self.room)
        self.services = build_services(self.room)

    async def _ship(self) -> None:
        await ship(self.store)
        await ship_catalog(self.store, self.settings.catalog, self.settings.images.directories)
        entry = self.services["CloudEntryPoint"]
        assert isinstance(entry, CloudEntryPointService)
        await entry.ensure()
        events = self.settings.events
        recorder = Recorder(events.persistence, events.changes_persistence)
        await recorder.prepare(self.store)
        await open_directory(self.settings, self.store, self.room.directory)
        quotas = Quotas(self.settings.default_quotas, self.room.capacities)
        await quotas.prepare(self.store)
        self.store.obey(commit_rules(recorder, quotas))
        if self.settings.audit.journal:
            self.store.audit(audit_log.write_to_journal)
        for hypervisor in self.settings.hypervisors:
            await show_networks(self.store, hypervisor)
        await ship_configurations(self.store, self.room.policy)

    # Events and measures

    async def _open_stream(self) -> None:
        self._feed = Feed(self.store)
        await self._feed.open()
        self._host_users = await host_users(self.settings)
        self._certificate = await asyncio.to_thread(configured_certificate, self.settings.server)
        self.authentication = Authentication(
            self.room.directory, Doors(self._host_users, self._certificate, wiring.openid(self.settings))
        )
        events = self.settings.events
        streams = partial(self.quotas.limit, quota="event_streams")
        places = StreamPlaces(events.most_streams, events.most_streams_per_user, streams)
        self.stream = EventStream(self._feed, self.authentication, places, supervision=self.supervision)

    async def _close_authentication(self) -> None:
        self.authentication.close()

    async def _prepare_metrics(self) -> None:
        self.metrics = Metrics(self.store, self.runner, self.drivers, self.stream)
        self.sampler = Sampler(self.store, self.drivers, self.settings.monitoring.period, self.supervision)
        await self.sampler.prepare()
        self.metrics.add(GuestMetrics(self.sampler.guests))
        self.metrics.add(LoopMetrics(self.supervision))
        self.metrics.add(self.authentication.outcomes)

    # Hypervisors

    async def _close_drivers(self) -> None:
        """Close all at once, since each that does not answer takes its time."""
        await asyncio.gather(*(driver.close() for driver in self.drivers.values()))

    async def _drain(self) -> None:
        await self.runner.drain(DRAIN_SECONDS)

    async def _watch_hypervisors(self) -> None:
        self._alarms = HypervisorEvents(self.room)
        self._staging = StagingSweeper(self.room)
        self.reconciliation = Reconciliation(self.room)
        self._confinement = ConfinementLog(self.room)

    async def _stop_watching(self) -> None:
        for watcher in (self._confinement, self.reconciliation, self._staging, self._alarms):
            await watcher.stop()

    async def _open_drivers(self) -> None:
        await asyncio.gather(*(driver.open() for driver in self.drivers.values()))

    async def _start_staging(self) -> None:
        await self._staging.start()

    async def _first_look(self) -> None:
        await self.reconciliation.first_look()

    async def _recover(self) -> None:
        await self.runner.recover()

    # What goes on beside the requests

    async def _start_loops(self) -> None:
        self.runner.start()
        self.reconciliation.start()
        self.sampler.start()
        keep = self.supervision.keep
        written = TokenUses(self.store, self.authentication.others.uses)
        self._loops = (
            *wiring.background_loops(self.settings, self.store, keep, self.quotas),
            keep("uses of tokens", written.turn, uses.WRITE_EVERY),
        )

    async def _stop_loops(self) -> None:
        for loop in reversed(self._loops):
            await loop.stop()
        await self.sampler.stop()

    async def _start_stream(self) -> None:
        self.stream.start()

    async def _stop_stream(self) -> None:
        await self.stream.stop()

    async def _start_audit(self) -> None:
        self.accesses = Accesses(self.store, supervision=self.supervision)
        self._repeats = self.supervision.keep("repeated accesses", self.accesses.turn, accesses.LOOK_EVERY)
        self._audit = Audit(self.accesses, tuple(self.settings.server.trusted_proxies))

    async def _stop_audit(self) -> None:
        await self._repeats.stop()
        await self.accesses.tell_repeats(all_of_them=True)

    # The door

    async def _listen(self) -> None:
        settings, server = self.settings, self.settings.server
        self._memory = Memory()
        self.store.watch(self._memory.changed)
        shares = UserShares(partial(self.quotas.limit, quota="requests_per_second"))
        parts = ServerParts(
            self._handlers(),
            self.authentication,
            self.readiness,
            self.stream,
            self._audit,
            self.metrics,
            self._memory,
            QuickReads(self.authentication, self._memory, self.metrics, shares),
            shares,
        )
        self.server = Server(parts, wiring.wire_settings(settings))
        context = self._certificate.context if self._certificate is not None else None
        limits = possible(Limits(server.connections, server.connections_per_address))
        deadlines = Deadlines(server.header_seconds, server.idle_seconds)
        admission = Admission(limits, server.trusted_proxies)
        self.door = Door(
            self.server.application(),
            admission,
            self.supervision,
            DoorSettings(deadlines, context, quick=self.server.quickly),
        )
        self.metrics.add(DoorMetrics(self.door))
        self._open.push_async_callback(self.door.close)
        with named("server", server.listen):
            await self.door.open(server.host, server.port)
        log.info("listening", listen=server.listen, tls=bool(context))
        await self._listen_here()
        await self._listen_for_scrapers(deadlines)

    async def _listen_here(self) -> None:
        path = Path(self.settings.server.socket)
        if self._host_users is not None and await listen_here(path, self.door, self._host_users):
            self._open.push_async_callback(asyncio.to_thread, local_socket.remove, path)

    def _handlers(self) -> Handlers:
        representations = Representations(self.services, self._memory, old_names=self.room.policy.deltacloud)
        return Handlers(
            self.services,
            representations,
            Answers(self.runner, self.store.get, representations, self.settings.jobs.answer_wait),
            Bodies(self.settings.server.document_seconds),
            Transfers(self._audit, self.settings.images.stall_seconds),
        )

    async def _listen_for_scrapers(self, deadlines: Deadlines) -> None:
        listen = self.settings.metrics.listen
        if listen:
            door = scrapers_door(self.metrics, self.supervision, deadlines)
            self._open.push_async_callback(door.close)
            await open_to_scrapers(door, listen)

    async def _refuse_requests(self) -> None:
        self.server.draining = True
        await self.stream.stop()

    # What others ask of the gateway

    def readiness(self) -> Readiness:
        """Return whether changes are possible: a gateway that serves nine of ten hosts is not to be taken out.

        A background loop that fails makes the gateway not ready until the loop works again.
        """
        away_ones = [away(driver) for driver in self.drivers.values() if driver.connection is not ConnectionState.UP]
        in_trouble = [f"{name}: failed, and is tried again" for name in self.supervision.in_trouble]
        return Readiness(len(away_ones) < len(self.drivers) and not in_trouble, (*away_ones, *in_trouble))

    def alive(self) -> bool:
        """Return whether libvirt's own thread lives, for the watchdog; a lost connection is no death."""
        from drivers.libvirt import event_loop

        return event_loop.alive()

    async def reload(self) -> None:
        """Take up a new certificate, and those of clients."""
        if self._certificate is not None:
            await self._certificate.reload()
            self.room.directory.renew()

"""Wires the rooms together, and carries the order of starting and stopping."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path

import structlog

from drivers.base import ConnectionState, Driver, Loop, Supervision
from drivers.confined.readers import ConfinedReaders
from drivers.images.cautious import CautiousReader
from drivers.images.convert import QemuImg
from drivers.images.file_systems import Mkfs
from drivers.web.fetch import FetchRules, HttpFetcher
from gateway.config import Settings
from gateway.confined_packages import ConfinedPackageReader
from gateway.http.admission import Admission, Limits
from gateway.http.answers import Answers
from gateway.http.audit import Audit
from gateway.http.authentication import Authentication
from gateway.http.bodies import Bodies
from gateway.http.connections import Deadlines
from gateway.http.door import Door, possible
from gateway.http.door_metrics import DoorMetrics
from gateway.http.event_stream import EventStream
from gateway.http.guest_metrics import GuestMetrics
from gateway.http.handlers import Handlers
from gateway.http.hosts import HostNames
from gateway.http.loop_metrics import LoopMetrics
from gateway.http.metrics import Metrics
from gateway.http.readiness import Readiness, away
from gateway.http.representation import Representations
from gateway.http.server import Server, WireSettings
from gateway.http.stream_places import StreamPlaces
from gateway.http.tls import Certificate, configured_certificate
from gateway.http.transfers import Transfers
from gateway.jobs import crash
from gateway.jobs.runner import JobRunner
from gateway.jobs.steps import StepRegistry
from gateway.listening import named
from gateway.orchestration.commit_rules import commit_rules
from gateway.orchestration.common.confinement import ConfinementTold
from gateway.orchestration.common.driver_errors import failure
from gateway.orchestration.common.image_tools import ImageTools
from gateway.orchestration.common.reserve import Reserve
from gateway.orchestration.common.resource_service import Policy, ResourceService, Room
from gateway.orchestration.common.staging import Staging
from gateway.orchestration.common.unconfigured import ConfiguredDrivers, ConfiguredHypervisors
from gateway.orchestration.entry_point.service import CloudEntryPointService
from gateway.orchestration.images.keeping import StagingKeeper
from gateway.orchestration.machines.defaults import ship
from gateway.orchestration.monitoring import accesses, clock_watch
from gateway.orchestration.monitoring.accesses import Accesses
from gateway.orchestration.monitoring.clock_watch import ClockWatch
from gateway.orchestration.monitoring.feed import Feed
from gateway.orchestration.monitoring.hypervisor_events import HypervisorEvents
from gateway.orchestration.monitoring.meter_defaults import ship_configurations
from gateway.orchestration.monitoring.recorder import Recorder
from gateway.orchestration.monitoring.retention import LOOK_EVERY, Retention
from gateway.orchestration.monitoring.sample_retention import DAY, HOUR, ROUND_EVERY, SampleRetention
from gateway.orchestration.monitoring.sampler import Sampler
from gateway.orchestration.networks.host_network import show_networks
from gateway.orchestration.registry import build_services, register_steps
from gateway.orchestration.sync import Sync
from gateway.store.store import Store

DRAIN_SECONDS = 20.0
OF_SCRAPERS = Limits(overall=100, of_one=50)
"""Connections to the listener for scrapers."""
log = structlog.get_logger("gateway")


def libvirt_drivers(settings: Settings) -> dict[str, Driver]:
    """A libvirt driver for each hypervisor of the configuration."""
    from drivers.libvirt.driver import LibvirtDriver
    from drivers.libvirt.host_claims import HostClaims

    claims = HostClaims(hypervisor.name for hypervisor in settings.hypervisors)
    return {hypervisor.name: LibvirtDriver(hypervisor, claims) for hypervisor in settings.hypervisors}


class Gateway:
    """The whole program but for its command line. ``start``, then ``stop``."""

    def __init__(self, settings: Settings, drivers: Mapping[str, Driver]) -> None:
        self.settings = settings
        self.drivers = ConfiguredDrivers(drivers)
        self.supervision = Supervision()
        for driver in self.drivers.values():
            driver.supervise(self.supervision)
        self.server: Server
        self.store: Store
        self.runner: JobRunner
        self.stream: EventStream
        self.metrics: Metrics
        self.sampler: Sampler
        self.accesses: Accesses
        self._sync: Sync
        self._staging: StagingKeeper
        self._staged: Path
        self._readers = ConfinedReaders()
        self._certificate: Certificate | None = None
        self._open = AsyncExitStack()
        """How to close what was opened, the last first."""

    async def start(self) -> None:
        """Store, hypervisors, interrupted jobs, comparison, and only then the door.

        What began is stopped again when the rest fails: the store's threads would keep the process alive for ever.
        """
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def _start(self) -> None:
        kept = self.settings.store
        self.store = await Store.open(Path(kept.path), kept.key, kept.former_keys)
        self._open.push_async_callback(self.store.close)
        self._open.push_async_callback(self._readers.close)
        for kind, number in self.store.lost.items():
            log.error(
                "secrets cannot be read: the store's key is another one than they were sealed with",
                kind=kind,
                resources=number,
                help="give the key back as [store] former_keys, or set them anew",
            )
        registry = StepRegistry()
        self.runner = self._job_runner(registry)
        # No link leads to what is put down and read there.
        self._staged = await asyncio.to_thread(Path(self.settings.images.staging).resolve)
        room = self._room()
        register_steps(registry, room)
        services = build_services(room)
        feed = Feed(self.store)
        await self._ship(services, room.policy)
        await feed.open()
        authentication = Authentication(Path(self.settings.auth.users_file))
        self._open.callback(authentication.close)
        events = self.settings.events
        places = StreamPlaces(events.most_streams, events.most_streams_per_user)
        self.stream = EventStream(feed, authentication, places, supervision=self.supervision)
        await self._measure(room)
        await self._take_up(room)
        self._keep_going()
        self.metrics.add(authentication.outcomes)
        audit = self._audit()
        handlers = self._handlers(services, room.policy, audit)
        self.server = Server(handlers, authentication, self._wire(), self.readiness, self.stream, audit, self.metrics)
        await self._listen()
        self._open.push_async_callback(self._let_nobody_in)

    def _handlers(self, services: Mapping[str, ResourceService], policy: Policy, audit: Audit) -> Handlers:
        representations = Representations(services, old_names=policy.deltacloud)
        return Handlers(
            services,
            representations,
            Answers(self.runner, self.store.get, representations, self.settings.jobs.answer_wait),
            Bodies(self.settings.server.document_seconds),
            Transfers(audit, self.settings.images.stall_seconds),
        )

    async def _ship(self, services: Mapping[str, ResourceService], policy: Policy) -> None:
        """What a gateway has from its first start on, and what happens with each commit."""
        await ship(self.store)
        entry = services["CloudEntryPoint"]
        assert isinstance(entry, CloudEntryPointService)
        await entry.ensure()
        events = self.settings.events
        recorder = Recorder(events.persistence, events.changes_persistence)
        await recorder.prepare(self.store)
        self.store.obey(commit_rules(recorder))
        for hypervisor in self.settings.hypervisors:
            await show_networks(self.store, hypervisor)
        await ship_configurations(self.store, policy)

    async def _measure(self, room: Room) -> None:
        self.metrics = Metrics(self.store, self.runner, self.drivers, self.stream)
        self.sampler = Sampler(room.store, room.drivers, self.settings.monitoring.period, self.supervision)
        await self.sampler.prepare()
        self.metrics.add(GuestMetrics(self.sampler.guests))
        self.metrics.add(LoopMetrics(self.supervision))

    async def _take_up(self, room: Room) -> None:
        """The hypervisors, what became of them meanwhile, and the jobs that did not end."""
        self._open.push_async_callback(self._close_drivers)
        self._open.push_async_callback(self.runner.drain, DRAIN_SECONDS)
        alarms = HypervisorEvents(room)
        self._staging = StagingKeeper(room)
        self._sync = Sync(room)
        for part in (alarms, self._staging, self._sync, ConfinementTold(room)):
            self._open.push_async_callback(part.stop)
        await asyncio.gather(*(driver.open() for driver in self.drivers.values()))
        await self._staging.start()
        await self._sync.first_look()
        await self.runner.recover()

    async def _close_drivers(self) -> None:
        """At once, since each that does not answer takes its time."""
        await asyncio.gather(*(driver.close() for driver in self.drivers.values()))

    def _keep_going(self) -> None:
        """What runs beside the requests."""
        self.runner.start()
        self._sync.start()
        self._open.push_async_callback(self.sampler.stop)
        self.sampler.start()
        events, keep = self.settings.events, self.supervision.keep
        self._end_with(keep("sample retention", self._sample_retention().turn, ROUND_EVERY))
        retention = Retention(self.store, events.most_per_log, events.most_overall, events.most_changes)
        self._end_with(keep("event retention", retention.turn, LOOK_EVERY))
        self._end_with(keep("clock", ClockWatch(self.store).turn, clock_watch.LOOK_EVERY))
        self._open.push_async_callback(self.stream.stop)
        self.stream.start()

    def _end_with(self, loop: Loop) -> None:
        self._open.push_async_callback(loop.stop)

    def _audit(self) -> Audit:
        self.accesses = Accesses(self.store, supervision=self.supervision)
        self._open.push_async_callback(partial(self.accesses.tell_repeats, all_of_them=True))
        self._end_with(self.supervision.keep("repeated accesses", self.accesses.turn, accesses.LOOK_EVERY))
        return Audit(self.accesses, tuple(self.settings.server.trusted_proxies))

    def _job_runner(self, registry: StepRegistry) -> JobRunner:
        jobs = self.settings.jobs
        return JobRunner(
            self.store,
            registry,
            failure,
            workers=jobs.workers,
            retention=timedelta(minutes=jobs.retention_minutes),
            after_step=crash.from_environment(),
            supervision=self.supervision,
        )

    def _sample_retention(self) -> SampleRetention:
        kept = self.settings.monitoring
        ages = (kept.keep_raw_hours * HOUR, kept.keep_five_minutes_days * DAY, kept.keep_hours_days * DAY)
        return SampleRetention(self.store, ages)

    def _room(self) -> Room:
        settings = self.settings
        return Room(
            store=self.store,
            runner=self.runner,
            drivers=self.drivers,
            hypervisors=ConfiguredHypervisors((entry.name, entry) for entry in settings.hypervisors),
            policy=Policy(
                stop_deadline=settings.jobs.stop_deadline,
                detach_deadline=settings.jobs.detach_deadline,
                retention_minutes=settings.jobs.retention_minutes,
                event_persistence=settings.events.persistence,
                sample_period=settings.monitoring.period,
                sample_interval=settings.monitoring.default_interval,
                most_meters=settings.monitoring.most_meters,
                least_memory=settings.machines.least_memory,
                deltacloud=settings.compatibility.deltacloud,
            ),
            images=self._image_tools(),
            supervision=self.supervision,
        )

    def _image_tools(self) -> ImageTools:
        images = self.settings.images
        rules = FetchRules(
            schemes=tuple(images.url_schemes),
            private_networks=tuple(images.private_networks),
            largest=images.largest_file,
            stall=images.stall_seconds,
        )
        return ImageTools(
            reader=CautiousReader(self._readers, images.largest),
            packages=ConfinedPackageReader(self._readers),
            fetcher=HttpFetcher(rules),
            converter=QemuImg(),
            file_systems=Mkfs(),
            staging=Staging(self._staged, Reserve(self.store.path.parent, images.reserve)),
            directories=tuple(images.directories),
            export_directories=tuple(images.export_directories),
            largest_file=images.largest_file,
            stall_seconds=images.stall_seconds,
            upload_minutes=images.upload_minutes,
            waiting_uploads=images.waiting_uploads,
        )

    def _wire(self) -> WireSettings:
        server = self.settings.server
        return WireSettings(
            base_url=server.base_url,
            trusted_proxies=tuple(server.trusted_proxies),
            max_body=server.max_body,
            public_entry_point=self.settings.auth.public_entry_point,
            names=HostNames(server.hosts, server.base_url, server.listen),
            origins=tuple(server.origins),
        )

    def readiness(self) -> Readiness:
        """Ready as long as one hypervisor is up: a gateway that serves nine of ten hosts is not to be taken out.

        A background loop that fails makes it not ready until the loop works again.
        """
        away_ones = [away(driver) for driver in self.drivers.values() if driver.connection is not ConnectionState.UP]
        in_trouble = [f"{name}: failed, and is tried again" for name in self.supervision.in_trouble]
        return Readiness(len(away_ones) < len(self.drivers) and not in_trouble, (*away_ones, *in_trouble))

    def alive(self) -> bool:
        """For the watchdog: the loop runs us, and libvirt's own thread lives (a lost connection is no death)."""
        from drivers.libvirt import event_loop

        return event_loop.alive()

    async def _listen(self) -> None:
        server = self.settings.server
        self._certificate = await asyncio.to_thread(configured_certificate, server)
        context = self._certificate.context if self._certificate is not None else None
        limits = possible(Limits(server.connections, server.connections_per_address))
        deadlines = Deadlines(server.header_seconds, server.idle_seconds)
        admission = Admission(limits, server.trusted_proxies)
        self.door = Door(self.server.application(), admission, deadlines, self.supervision, context)
        self.metrics.add(DoorMetrics(self.door))
        self._open.push_async_callback(self.door.close)
        with named("server", server.listen):
            await self.door.open(server.host, server.port)
        log.info("listening", listen=server.listen, tls=bool(context))
        await self._listen_for_scrapers(deadlines)

    async def reload(self) -> None:
        """Take up a new certificate; users are taken up by themselves."""
        if self._certificate is not None:
            await self._certificate.reload()

    async def _listen_for_scrapers(self, deadlines: Deadlines) -> None:
        listen = self.settings.metrics.listen
        if listen:
            door = Door(
                self.metrics.application(),
                Admission(possible(OF_SCRAPERS)),
                deadlines,
                self.supervision,
                name="connections of scrapers",
            )
            self._open.push_async_callback(door.close)
            host, _, port = listen.rpartition(":")
            with named("metrics", listen):
                await door.open(host.strip("[]"), int(port))
            log.info("listening for scrapers", listen=listen)

    async def _let_nobody_in(self) -> None:
        """Readers of the stream leave first: they would keep its door open."""
        self.server.draining = True
        await self.stream.stop()

    async def stop(self) -> None:
        """No new requests; running steps reach a safe point; guests keep running."""
        await self._open.aclose()
        log.info("stopped")

"""Wires the rooms together, and carries the order of starting and stopping."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Coroutine, Mapping
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import structlog
from aiohttp import web

from drivers.base import ConnectionState, Driver
from drivers.images.convert import QemuImg
from drivers.images.reader import CautiousReader
from drivers.web.fetch import FetchRules, HttpFetcher
from gateway.config import Settings
from gateway.http.authentication import Authentication
from gateway.http.event_stream import EventStream
from gateway.http.guest_metrics import GuestMetrics
from gateway.http.handlers import Handlers
from gateway.http.metrics import Metrics
from gateway.http.server import Server, WireSettings
from gateway.jobs import crash
from gateway.jobs.runner import JobRunner
from gateway.jobs.steps import StepRegistry
from gateway.orchestration.commit_rules import commit_rules
from gateway.orchestration.driver_errors import failure
from gateway.orchestration.images.keeping import StagingKeeper
from gateway.orchestration.images.reserve import Reserve
from gateway.orchestration.images.staging import Staging
from gateway.orchestration.images.tools import ImageTools
from gateway.orchestration.machines.defaults import ship
from gateway.orchestration.metadata_service import CloudEntryPointService
from gateway.orchestration.monitoring.feed import Feed
from gateway.orchestration.monitoring.hypervisor_events import HypervisorEvents
from gateway.orchestration.monitoring.meter_defaults import ship_configurations
from gateway.orchestration.monitoring.recorder import Recorder
from gateway.orchestration.monitoring.refusals import Refusals
from gateway.orchestration.monitoring.retention import Retention
from gateway.orchestration.monitoring.sample_retention import DAY, HOUR, SampleRetention
from gateway.orchestration.monitoring.sampler import Sampler
from gateway.orchestration.networks.host_network import show_networks
from gateway.orchestration.resources import Policy, ResourceService, Room
from gateway.orchestration.services import build_services, register_steps
from gateway.orchestration.sync import Sync
from gateway.store.store import Store

DRAIN_SECONDS = 20.0
log = structlog.get_logger("gateway")


def libvirt_drivers(settings: Settings) -> dict[str, Driver]:
    """A libvirt driver for each hypervisor of the configuration."""
    from drivers.libvirt.driver import LibvirtDriver

    return {hypervisor.name: LibvirtDriver(hypervisor) for hypervisor in settings.hypervisors}


class Gateway:
    """The whole program but for its command line. ``start``, then ``stop``."""

    def __init__(self, settings: Settings, drivers: Mapping[str, Driver]) -> None:
        self.settings = settings
        self.drivers = dict(drivers)
        self.server: Server
        self.store: Store
        self.runner: JobRunner
        self.stream: EventStream
        self.metrics: Metrics
        self.sampler: Sampler
        self._sync: Sync
        self._staging: StagingKeeper
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
        for kind, number in self.store.lost.items():
            log.error(
                "secrets cannot be read: the store's key is another one than they were sealed with",
                kind=kind,
                resources=number,
                help="give the key back as [store] former_keys, or set them anew",
            )
        registry = StepRegistry()
        self.runner = self._job_runner(registry)
        room = self._room()
        register_steps(registry, room)
        services = build_services(room)
        feed = Feed(self.store)
        await self._ship(services, room.policy)
        await feed.open()
        authentication = Authentication(Path(self.settings.auth.users_file))
        self.stream = EventStream(feed, authentication)
        await self._measure(room)
        await self._take_up(room)
        self._keep_going()
        handlers = Handlers(services, self.runner, self.settings.jobs.answer_wait)
        self.server = Server(
            handlers, authentication, self._wire(), self.unready, self.stream, Refusals(self.store), self.metrics
        )
        await self._listen()
        self._open.push_async_callback(self._let_nobody_in)

    async def _ship(self, services: Mapping[str, ResourceService], policy: Policy) -> None:
        """What a gateway has from its first start on, and what happens with each commit."""
        await ship(self.store)
        entry = services["CloudEntryPoint"]
        assert isinstance(entry, CloudEntryPointService)
        await entry.ensure()
        recorder = Recorder(self.settings.events.persistence)
        await recorder.prepare(self.store)
        self.store.obey(commit_rules(recorder))
        for hypervisor in self.settings.hypervisors:
            await show_networks(self.store, hypervisor)
        await ship_configurations(self.store, policy)

    async def _measure(self, room: Room) -> None:
        self.metrics = Metrics(self.store, self.runner, self.drivers, self.stream)
        self.sampler = Sampler(room.store, room.drivers, self.settings.monitoring.period)
        await self.sampler.prepare()
        self.metrics.add(GuestMetrics(self.sampler.guests))

    async def _take_up(self, room: Room) -> None:
        """The hypervisors, what became of them meanwhile, and the jobs that did not end."""
        for driver in self.drivers.values():
            self._open.push_async_callback(driver.close)
        self._open.push_async_callback(self.runner.drain, DRAIN_SECONDS)
        alarms = HypervisorEvents(room)
        self._staging = StagingKeeper(room)
        self._sync = Sync(room)
        for part in (alarms, self._staging, self._sync):
            self._open.push_async_callback(part.stop)
        await asyncio.gather(*(driver.open() for driver in self.drivers.values()))
        await self._staging.start()
        await self._sync.first_look()
        await self.runner.recover()

    def _keep_going(self) -> None:
        """What runs beside the requests."""
        self.runner.start()
        self._sync.start()
        self._open.push_async_callback(self.sampler.stop)
        self.sampler.start()
        self._keep(self._sample_retention().run(), "sample retention")
        events = self.settings.events
        self._keep(Retention(self.store, events.most_per_log, events.most_overall).run(), "event retention")
        self._open.push_async_callback(self.stream.stop)
        self.stream.start()

    def _keep(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)

        async def end() -> None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        self._open.push_async_callback(end)

    def _job_runner(self, registry: StepRegistry) -> JobRunner:
        jobs = self.settings.jobs
        return JobRunner(
            self.store,
            registry,
            failure,
            workers=jobs.workers,
            retention=timedelta(minutes=jobs.retention_minutes),
            after_step=crash.from_environment(),
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
            hypervisors={hypervisor.name: hypervisor for hypervisor in settings.hypervisors},
            policy=Policy(
                stop_deadline=settings.jobs.stop_deadline,
                detach_deadline=settings.jobs.detach_deadline,
                retention_minutes=settings.jobs.retention_minutes,
                event_persistence=settings.events.persistence,
                sample_period=settings.monitoring.period,
                sample_interval=settings.monitoring.default_interval,
                most_meters=settings.monitoring.most_meters,
            ),
            images=self._image_tools(),
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
            reader=CautiousReader(images.largest),
            fetcher=HttpFetcher(rules),
            converter=QemuImg(),
            staging=Staging(Path(images.staging), Reserve(self.store.path.parent, images.reserve)),
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
        )

    def unready(self) -> list[str]:
        """Why changes are not possible now."""
        return [
            f"the hypervisor {name} is {driver.connection.value}"
            for name, driver in self.drivers.items()
            if driver.connection is not ConnectionState.UP
        ]

    def alive(self) -> bool:
        """For the watchdog: the loop runs us, and libvirt's own thread lives (a lost connection is no death)."""
        from drivers.libvirt import event_loop

        return event_loop.alive()

    async def _listen(self) -> None:
        server = self.settings.server
        door = web.AppRunner(
            self.server.application(),
            access_log=None,
            handle_signals=False,
            shutdown_timeout=5.0,
            max_line_size=262_144,
            max_field_size=16384,
        )
        await self._set_up(door)
        context = None
        if server.tls_certificate:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(server.tls_certificate, server.tls_key)
        await web.TCPSite(door, server.host, server.port, ssl_context=context).start()
        log.info("listening", listen=server.listen, tls=bool(context))
        await self._listen_for_scrapers()

    async def _listen_for_scrapers(self) -> None:
        listen = self.settings.metrics.listen
        if listen:
            door = web.AppRunner(self.metrics.application(), access_log=None, handle_signals=False)
            await self._set_up(door)
            host, _, port = listen.rpartition(":")
            await web.TCPSite(door, host.strip("[]"), int(port)).start()
            log.info("listening for scrapers", listen=listen)

    async def _set_up(self, door: web.AppRunner) -> None:
        self._open.push_async_callback(door.cleanup)
        await door.setup()

    async def _let_nobody_in(self) -> None:
        """Readers of the stream leave first: they would keep its door open."""
        self.server.draining = True
        await self.stream.stop()

    async def stop(self) -> None:
        """No new requests; running steps reach a safe point; guests keep running."""
        await self._open.aclose()
        log.info("stopped")

"""The making of the rooms from the configuration: nothing is opened or begun here, but for loops beside requests."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

from drivers.base import Driver
from drivers.confined.readers import ConfinedReaders
from drivers.images.cautious import CautiousReader
from drivers.images.convert import QemuImg
from drivers.images.file_systems import Mkfs
from drivers.supervision import Loop, Supervision
from drivers.web.fetch import FetchRules, HttpFetcher
from gateway.config import Settings
from gateway.confined_packages import ConfinedPackageReader
from gateway.http.hosts import HostNames
from gateway.http.openid import OpenIdConnect
from gateway.http.server import WireSettings
from gateway.jobs import crash
from gateway.jobs.execution import JobTools
from gateway.jobs.plan import StepRegistry
from gateway.jobs.runner import JobLimits, JobRunner
from gateway.orchestration.common.hosts import failure
from gateway.orchestration.common.reserve import Reserve
from gateway.orchestration.common.room import ImageTools, Policy
from gateway.orchestration.common.staging import Staging
from gateway.orchestration.monitoring import audit_log, clock_watch
from gateway.orchestration.monitoring.audit_log import AuditRetention
from gateway.orchestration.monitoring.clock_watch import ClockWatch
from gateway.orchestration.monitoring.retention import LOOK_EVERY, Retention
from gateway.orchestration.monitoring.sample_retention import DAY, HOUR, ROUND_EVERY, SampleRetention
from gateway.orchestration.quotas import live
from gateway.orchestration.quotas.live import LiveQuotas
from gateway.store.store import Store


def libvirt_drivers(settings: Settings) -> dict[str, Driver]:
    """Return a libvirt driver for each hypervisor of the configuration."""
    from drivers.libvirt.driver import LibvirtDriver
    from drivers.libvirt.host_claims import HostClaims

    claims = HostClaims(hypervisor.name for hypervisor in settings.hypervisors)
    return {hypervisor.name: LibvirtDriver(hypervisor, claims) for hypervisor in settings.hypervisors}


def job_runner(
    settings: Settings,
    store: Store,
    registry: StepRegistry,
    supervision: Supervision,
    at_once: Callable[[str], int | None],
) -> JobRunner:
    """Return what runs the Jobs; ``at_once`` says how many of a project work at the same time."""
    jobs = settings.jobs
    limits = JobLimits(jobs.workers, timedelta(minutes=jobs.retention_minutes), at_once=at_once)
    return JobRunner(JobTools(store, registry, failure, crash.from_environment(), supervision), limits)


def policy(settings: Settings) -> Policy:
    """Return what the configuration decides for the services."""
    return Policy(
        stop_deadline=settings.jobs.stop_deadline,
        detach_deadline=settings.jobs.detach_deadline,
        retention_minutes=settings.jobs.retention_minutes,
        event_persistence=settings.events.persistence,
        sample_period=settings.monitoring.period,
        sample_interval=settings.monitoring.default_interval,
        most_meters=settings.monitoring.most_meters,
        least_memory=settings.machines.least_memory,
        default_quotas=settings.default_quotas,
        deltacloud=settings.compatibility.deltacloud,
    )


def image_tools(settings: Settings, readers: ConfinedReaders, staging: Path, store: Store) -> ImageTools:
    """Return the tools that images and packages are read and made with; ``staging`` is where files are put down."""
    images = settings.images
    rules = FetchRules(
        schemes=tuple(images.url_schemes),
        private_networks=tuple(images.private_networks),
        largest=images.largest_file,
        stall=images.stall_seconds,
    )
    return ImageTools(
        reader=CautiousReader(readers, images.largest),
        packages=ConfinedPackageReader(readers),
        fetcher=HttpFetcher(rules),
        converter=QemuImg(),
        file_systems=Mkfs(),
        staging=Staging(staging, Reserve(store.path.parent, images.reserve)),
        directories=tuple(images.directories),
        export_directories=tuple(images.export_directories),
        largest_file=images.largest_file,
        stall_seconds=images.stall_seconds,
        upload_minutes=images.upload_minutes,
        waiting_uploads=images.waiting_uploads,
    )


def openid(settings: Settings) -> OpenIdConnect | None:
    """Return the OpenID Connect provider of the configuration; None without one."""
    oidc = settings.oidc
    if not oidc.issuer:
        return None
    schemes = ("https",) if oidc.issuer.startswith("https:") else ("https", "http")
    return OpenIdConnect(oidc, HttpFetcher(FetchRules(schemes, tuple(oidc.private_networks), stall=10.0)))


def wire_settings(settings: Settings) -> WireSettings:
    """Return what the configuration decides for requests."""
    server = settings.server
    return WireSettings(
        base_url=server.base_url,
        trusted_proxies=tuple(server.trusted_proxies),
        max_body=server.max_body,
        public_entry_point=settings.auth.public_entry_point,
        proxy_user_header=settings.auth.proxy_user_header,
        names=HostNames(server.hosts, server.base_url, server.listen),
        origins=tuple(server.origins),
    )


def sample_retention(settings: Settings, store: Store) -> SampleRetention:
    """Return what thins old samples out."""
    kept = settings.monitoring
    return SampleRetention(
        store, (kept.keep_raw_hours * HOUR, kept.keep_five_minutes_days * DAY, kept.keep_hours_days * DAY)
    )


def audit_retention(settings: Settings, store: Store) -> AuditRetention:
    """Return what removes old entries of the audit log."""
    kept = settings.audit
    return AuditRetention(store, timedelta(days=kept.keep_days), kept.most, kept.most_of_strangers)


def background_loops(
    settings: Settings, store: Store, keep: Callable[..., Loop], quotas: LiveQuotas
) -> tuple[Loop, ...]:
    """Begin what looks at the store now and then, and return the loops."""
    events = settings.events
    retention = Retention(store, events.most_per_log, events.most_overall, events.most_changes)
    return (
        keep("sample retention", sample_retention(settings, store).turn, ROUND_EVERY),
        keep("event retention", retention.turn, LOOK_EVERY),
        keep("audit retention", audit_retention(settings, store).turn, audit_log.LOOK_EVERY),
        keep("live quotas", partial(quotas.look, store), live.LOOK_EVERY),
        keep("clock", ClockWatch(store).turn, clock_watch.LOOK_EVERY),
    )

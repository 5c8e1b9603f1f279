"""A look at all that can be wrong on the host, and what to do about it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from drivers.base import Driver
from drivers.images.file_systems import PACKAGES
from gateway.config import Settings
from gateway.doctor import access
from gateway.doctor.files import (
    certificate,
    export_directory,
    image_directory,
    private,
    staging_directory,
    store,
    store_keys,
)
from gateway.doctor.finding import Finding
from gateway.doctor.guests import unknown_guests
from gateway.doctor.host import FORWARDING, clock, converter, file_system_tool, forwarding, kvm, packet_filter, versions
from gateway.doctor.hypervisors import hypervisor_findings, is_local
from gateway.doctor.quotas import quotas
from gateway.doctor.router_advertisements import router_advertisements
from gateway.private_files import private_files


async def examine(settings: Settings, drivers: dict[str, Driver]) -> AsyncIterator[Finding]:
    """Yield what depends on who looks, and on which files it sees: to be looked at in the service's place."""
    for finding in _without_hypervisors(settings):
        yield finding
    for hypervisor in settings.hypervisors:
        async for finding in hypervisor_findings(hypervisor, drivers[hypervisor.name]):
            yield finding
        async for finding in unknown_guests(settings, hypervisor.name, drivers[hypervisor.name]):
            yield finding


def _without_hypervisors(settings: Settings) -> Iterator[Finding]:
    """Yield what the configuration and its files say of themselves."""
    yield versions()
    yield from access.findings(settings)
    yield from map(private, private_files(settings))
    if settings.server.tls_certificate:
        yield certificate(settings)
    yield store(settings)
    yield store_keys(settings)
    yield quotas(settings)
    yield from (image_directory(Path(directory)) for directory in settings.images.directories)
    yield from (export_directory(Path(directory)) for directory in settings.images.export_directories)
    yield staging_directory(Path(settings.images.staging))
    yield converter()
    yield from map(file_system_tool, PACKAGES)


def examine_host(settings: Settings) -> Iterator[Finding]:
    """Yield what is the same for everybody, and what the service's own view of the host hides (its devices)."""
    yield clock()
    if any(is_local(hypervisor.uri) for hypervisor in settings.hypervisors):
        yield kvm()
        # Before forwarding, which would take the routes of these away.
        yield from router_advertisements()
        for switch in FORWARDING:
            yield forwarding(Path(switch))
        yield packet_filter()

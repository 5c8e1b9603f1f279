"""Domains through libvirt: life cycle, definition, size."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

import libvirt
import structlog
from lxml import etree

from drivers.base import (
    Applied,
    DomainFacts,
    DomainSpec,
    DriverConflict,
    DriverError,
    DriverNotFound,
    HostFacts,
    Progress,
)
from drivers.libvirt import domain_facts, leases
from drivers.libvirt.connection import Connection, Lane
from drivers.libvirt.disk_source import DiskSource
from drivers.libvirt.domain_xml import METADATA, Placement, domain_xml, one_line, ownership
from drivers.libvirt.errors import read_each
from drivers.libvirt.release_guest import ReleaseGuests
from drivers.libvirt.uri import is_system

T = TypeVar("T")
log = structlog.get_logger("libvirt")
LOCAL = "qemu:///system"
"""The libvirt whose bridges are on this host."""
SAVE_DEADLINE = 3600.0
START_DEADLINE = 120.0
BOTH = libvirt.VIR_DOMAIN_AFFECT_CONFIG | libvirt.VIR_DOMAIN_AFFECT_LIVE


def undefine_flags(test_driver: bool) -> int:
    """Everything that belongs to the domain goes with it; libvirt's test driver knows fewer of these."""
    flags = int(libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA)
    if test_driver:
        return flags
    return flags | int(libvirt.VIR_DOMAIN_UNDEFINE_NVRAM | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA)


class Domains:
    def __init__(self, connection: Connection, release_guests: ReleaseGuests) -> None:
        self._connection = connection
        self._release_guests = release_guests
        self._test_driver = connection.uri.startswith("test:")

    async def _with(
        self, uuid: str, work: Callable[[libvirt.virDomain], T], lane: Lane = Lane.CONTROL, deadline: float = 30.0
    ) -> T:
        return await self._connection.call(
            lambda handle: work(handle.lookupByUUIDString(uuid)), lane=lane, deadline=deadline
        )

    async def every(self) -> tuple[DomainFacts, ...]:
        return await self._connection.call(_read_all, lane=Lane.EVENTS)

    async def read(self, uuid: str) -> DomainFacts:
        return await self._with(uuid, domain_facts.read, Lane.EVENTS)

    async def define(
        self, spec: DomainSpec, host: HostFacts, console_log: str, sources: dict[tuple[str, str], DiskSource]
    ) -> None:
        xml = domain_xml(spec, Placement(host.domain_type, host.cpus, console_log, sources))
        flags = 0 if self._test_driver else libvirt.VIR_DOMAIN_DEFINE_VALIDATE
        await self._connection.call(lambda handle: handle.defineXMLFlags(xml, flags))

    async def keep(self, uuid: str) -> None:
        def work(domain: libvirt.virDomain) -> None:
            if not domain.isPersistent():
                xml = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE)
                domain.connect().defineXMLFlags(xml, 0)

        await self._with(uuid, work)

    async def describe(self, uuid: str, title: str, description: str) -> None:
        def work(domain: libvirt.virDomain) -> None:
            flags = BOTH if domain.isActive() else libvirt.VIR_DOMAIN_AFFECT_CONFIG
            domain.setMetadata(libvirt.VIR_DOMAIN_METADATA_TITLE, one_line(title), None, None, flags)
            domain.setMetadata(libvirt.VIR_DOMAIN_METADATA_DESCRIPTION, description or None, None, None, flags)

        await self._with(uuid, work)

    async def mark(self, uuid: str, machine: str, owner: str) -> None:
        xml = etree.tostring(ownership(machine, owner), encoding="unicode")

        def work(domain: libvirt.virDomain) -> None:
            flags = BOTH if domain.isActive() else libvirt.VIR_DOMAIN_AFFECT_CONFIG
            domain.setMetadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, xml, "cimi", METADATA, flags)

        await self._with(uuid, work)

    async def undefine(self, uuid: str) -> None:
        """Power off first, so that the guest cannot ask for its addresses again when its leases are given back."""

        def off(domain: libvirt.virDomain) -> tuple[leases.Lease, ...]:
            held = self._leases(domain)
            if domain.isActive():
                domain.destroy()
            return held

        def away(domain: libvirt.virDomain) -> None:
            if domain.isPersistent():
                domain.undefineFlags(undefine_flags(self._test_driver))

        try:
            held = await self._with(uuid, off, deadline=START_DEADLINE)
            await asyncio.gather(*map(self._give_back, held))
            await self._with(uuid, away, deadline=START_DEADLINE)
        except DriverNotFound:
            return

    def _leases(self, domain: libvirt.virDomain, mac: str | None = None) -> tuple[leases.Lease, ...]:
        return leases.of(domain, mac) if is_system(self._connection.uri) else ()

    async def _give_back(self, lease: leases.Lease) -> None:
        """It would be a kindness to nobody to fail for a lease: neither for one that makes no message."""
        try:
            given = await self._release(lease)
        except (DriverError, OSError, ValueError) as error:
            log.info("a lease stays until it expires", ip=lease.ip, reason=str(error))
            return
        if not given:
            log.info("a lease stays until it expires", ip=lease.ip, reason="the DHCP server did not let it go")

    async def _release(self, lease: leases.Lease) -> bool:
        """From this host where the bridge is here."""
        if self._connection.uri == LOCAL:
            await asyncio.to_thread(leases.release, lease)
            return True
        return await self._release_guests.give_back(lease)

    async def give_back(self, uuid: str, mac: str) -> None:
        """The leases of one of its interfaces, which the guest has no more."""
        held = await self._with(uuid, lambda domain: self._leases(domain, mac), Lane.EVENTS)
        await asyncio.gather(*map(self._give_back, held))

    async def start(self, uuid: str, *, paused: bool, discard_saved: bool) -> None:
        def work(domain: libvirt.virDomain) -> None:
            if domain.isActive():
                return
            flags = libvirt.VIR_DOMAIN_START_PAUSED if paused else 0
            if discard_saved and domain.hasManagedSaveImage():
                domain.managedSaveRemove()
            domain.createWithFlags(flags)

        await self._with(uuid, work, deadline=START_DEADLINE)

    async def request_shutdown(self, uuid: str) -> None:
        flags = 0 if self._test_driver else libvirt.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN
        await self._with(uuid, lambda domain: domain.shutdownFlags(flags))

    async def power_off(self, uuid: str) -> None:
        def work(domain: libvirt.virDomain) -> None:
            if domain.isActive():
                domain.destroy()

        await self._with(uuid, work)

    async def pause(self, uuid: str) -> None:
        def work(domain: libvirt.virDomain) -> None:
            if domain.state()[0] != libvirt.VIR_DOMAIN_PAUSED:
                domain.suspend()

        await self._with(uuid, work)

    async def resume(self, uuid: str) -> None:
        def work(domain: libvirt.virDomain) -> None:
            state = domain.state()[0]
            if state == libvirt.VIR_DOMAIN_PMSUSPENDED:
                domain.pMWakeup()
            elif state == libvirt.VIR_DOMAIN_PAUSED:
                domain.resume()

        await self._with(uuid, work)

    async def save(self, uuid: str, progress: Progress) -> None:
        def work(domain: libvirt.virDomain) -> None:
            if domain.isActive():
                domain.managedSave(libvirt.VIR_DOMAIN_SAVE_RUNNING if not self._test_driver else 0)

        saving = asyncio.ensure_future(self._with(uuid, work, Lane.STORAGE, SAVE_DEADLINE))
        try:
            while not (await asyncio.wait({saving}, timeout=0.5))[0]:
                await self._report(uuid, progress)
            saving.result()
        except asyncio.CancelledError:
            await asyncio.shield(self.cancel_save(uuid))
            raise

    async def _report(self, uuid: str, progress: Progress) -> None:
        try:
            done = await self._with(uuid, lambda domain: domain.jobInfo(), Lane.EVENTS, 5.0)
        except (DriverNotFound, DriverConflict):
            return
        if done[3] > 0:
            progress(done[4], done[3])

    async def cancel_save(self, uuid: str) -> None:
        try:
            await self._with(uuid, lambda domain: domain.abortJob(), Lane.EVENTS)
        except (DriverConflict, DriverNotFound):
            return

    async def discard_saved(self, uuid: str) -> None:
        def work(domain: libvirt.virDomain) -> None:
            if domain.hasManagedSaveImage():
                domain.managedSaveRemove()

        await self._with(uuid, work)

    async def resize(self, uuid: str, cpus: int, memory_kib: int) -> Applied:
        def work(domain: libvirt.virDomain) -> Applied:
            active = bool(domain.isActive())
            refused = [*_resize_cpus(domain, cpus, active), *_resize_memory(domain, memory_kib, active)]
            return Applied(live=active and not refused, message="; ".join(refused))

        return await self._with(uuid, work)


def _read_all(handle: libvirt.virConnect) -> tuple[DomainFacts, ...]:
    return read_each(handle.listAllDomains(), domain_facts.read, libvirt.VIR_ERR_NO_DOMAIN)


def _resize_cpus(domain: libvirt.virDomain, cpus: int, active: bool) -> list[str]:
    config = libvirt.VIR_DOMAIN_AFFECT_CONFIG
    ceiling = domain.vcpusFlags(config | libvirt.VIR_DOMAIN_VCPU_MAXIMUM)
    if cpus > ceiling:
        domain.setVcpusFlags(cpus, config | libvirt.VIR_DOMAIN_VCPU_MAXIMUM)
    domain.setVcpusFlags(cpus, config)
    now = domain.vcpusFlags(libvirt.VIR_DOMAIN_AFFECT_LIVE) if active else cpus
    if now == cpus:
        return []
    if cpus < now and etree.fromstring(domain.XMLDesc(0), domain_facts.PARSER).get("type") == "qemu":
        return [f"{cpus} cpus take effect at the next boot (an emulated guest may crash when it loses one)"]
    try:
        domain.setVcpusFlags(cpus, libvirt.VIR_DOMAIN_AFFECT_LIVE)
    except libvirt.libvirtError as error:
        return [f"{cpus} cpus take effect at the next boot ({error.get_error_message()})"]
    return []


def _resize_memory(domain: libvirt.virDomain, memory_kib: int, active: bool) -> list[str]:
    config = libvirt.VIR_DOMAIN_AFFECT_CONFIG
    if active and domain.maxMemory() >= memory_kib:
        domain.setMemoryFlags(memory_kib, config)
        domain.setMemoryFlags(memory_kib, libvirt.VIR_DOMAIN_AFFECT_LIVE)
        return []
    domain.setMemoryFlags(memory_kib, config | libvirt.VIR_DOMAIN_MEM_MAXIMUM)
    domain.setMemoryFlags(memory_kib, config)
    return [f"{memory_kib} KiB of memory take effect at the next boot"] if active else []

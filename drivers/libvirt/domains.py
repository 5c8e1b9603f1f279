"""Domains through libvirt: life cycle, definition, size, and what their guests tell."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

import libvirt
from lxml import etree

from drivers.base import (
    Applied,
    DomainFacts,
    DomainSpec,
    DriverBusy,
    DriverConflict,
    DriverError,
    DriverNotFound,
    InterfaceAddress,
    Progress,
)
from drivers.libvirt import addresses, domain_facts
from drivers.libvirt.connection import Connection
from drivers.libvirt.console import Console
from drivers.libvirt.definitions import Definitions
from drivers.libvirt.domain_xml import one_line
from drivers.libvirt.errors import read_each
from drivers.libvirt.lanes import Lane
from drivers.libvirt.lease_returns import LeaseReturns
from drivers.libvirt.leases import Lease

T = TypeVar("T")
SAVE_DEADLINE = 3600.0
START_DEADLINE = 120.0
AGENT_DEADLINE = 15.0
"""Seconds for the addresses of a guest, whose agent is asked too."""
MOMENT = 300.0
"""Seconds that libvirt may hold a domain itself before a pause of it is given up."""
LOOK_EVERY = 0.5
ASLEEP = (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PMSUSPENDED)
BOTH = libvirt.VIR_DOMAIN_AFFECT_CONFIG | libvirt.VIR_DOMAIN_AFFECT_LIVE


def undefine_flags(test_driver: bool) -> int:
    """Return the flags by which all that belongs to a domain goes with it; libvirt's test driver knows fewer."""
    flags = int(libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA)
    if test_driver:
        return flags
    return flags | int(libvirt.VIR_DOMAIN_UNDEFINE_NVRAM | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA)


class Domains:
    """The part ``domains`` of the driver (drivers.base.DomainCalls)."""

    def __init__(
        self, connection: Connection, definitions: Definitions, console: Console, lease_returns: LeaseReturns
    ) -> None:
        self._connection = connection
        self._definitions = definitions
        self._console = console
        self._lease_returns = lease_returns
        self._test_driver = connection.uri.startswith("test:")

    async def _with(
        self, uuid: str, work: Callable[[libvirt.virDomain], T], lane: Lane = Lane.CONTROL, deadline: float = 30.0
    ) -> T:
        return await self._connection.call(
            lambda handle: work(handle.lookupByUUIDString(uuid)), lane=lane, deadline=deadline
        )

    async def list_all(self) -> tuple[DomainFacts, ...]:
        """Return all domains by one listing on the lane of events."""
        return await self._connection.call(_read_all, lane=Lane.EVENTS)

    async def read(self, uuid: str) -> DomainFacts:
        """Return the domain, read on the lane of events."""
        return await self._with(uuid, domain_facts.read, Lane.EVENTS)

    async def define(self, spec: DomainSpec) -> None:
        """Define the domain from what all parts of the driver say; libvirt validates the definition."""
        xml = await self._definitions.xml(spec)
        flags = 0 if self._test_driver else libvirt.VIR_DOMAIN_DEFINE_VALIDATE
        await self._connection.call(lambda handle: handle.defineXMLFlags(xml, flags))

    async def make_persistent(self, uuid: str) -> None:
        """Define the running domain as its next boot would be, secrets included."""

        await self._with(uuid, _persist)

    async def describe(self, uuid: str, title: str, description: str) -> None:
        """Set title and description, in the running domain too, which has a next boot from then on."""

        def work(domain: libvirt.virDomain) -> None:
            _persist(domain)
            flags = BOTH if domain.isActive() else libvirt.VIR_DOMAIN_AFFECT_CONFIG
            domain.setMetadata(libvirt.VIR_DOMAIN_METADATA_TITLE, one_line(title), None, None, flags)
            domain.setMetadata(libvirt.VIR_DOMAIN_METADATA_DESCRIPTION, description or None, None, None, flags)

        await self._with(uuid, work)

    async def undefine(self, uuid: str) -> None:
        """Power the domain off, give its leases back, and undefine it with its console.

        The guest is powered off first, so that it cannot ask for its addresses again when its leases are given back.
        """

        def off(domain: libvirt.virDomain) -> tuple[Lease, ...]:
            held = self._lease_returns.held(domain)
            if domain.isActive():
                domain.destroy()
            return held

        def away(domain: libvirt.virDomain) -> None:
            if domain.isPersistent():
                domain.undefineFlags(undefine_flags(self._test_driver))

        try:
            held = await self._with(uuid, off, deadline=START_DEADLINE)
            await self._lease_returns.give_back(held)
            await self._with(uuid, away, deadline=START_DEADLINE)
        except DriverNotFound:
            pass
        await self._console.delete(uuid)

    async def start(self, uuid: str, *, paused: bool = False, discard_saved: bool = False) -> None:
        """Start the domain, which libvirt restores itself when a saved state is there."""

        def work(domain: libvirt.virDomain) -> None:
            if domain.isActive():
                return
            flags = libvirt.VIR_DOMAIN_START_PAUSED if paused else 0
            if discard_saved and domain.hasManagedSaveImage():
                domain.managedSaveRemove()
            domain.createWithFlags(flags)

        await self._with(uuid, work, deadline=START_DEADLINE)

    async def request_shutdown(self, uuid: str) -> None:
        """Press the ACPI power button; libvirt's test driver has none, and is asked in its default way."""
        flags = 0 if self._test_driver else libvirt.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN
        await self._with(uuid, lambda domain: domain.shutdownFlags(flags))

    async def power_off(self, uuid: str) -> None:
        """Destroy the domain, as libvirt calls it, unless it is off."""

        def work(domain: libvirt.virDomain) -> None:
            if domain.isActive():
                domain.destroy()

        await self._with(uuid, work)

    async def pause(self, uuid: str) -> None:
        """Suspend the domain, as libvirt calls it, unless it is paused or asleep.

        libvirt lets a domain go on that it has paused itself for a moment, whatever was asked meanwhile: the domain is
        suspended once that is over. Raises DriverBusy when it takes longer than ``MOMENT`` seconds.
        """
        until = time.monotonic() + MOMENT
        while not await self._with(uuid, _suspend):
            if time.monotonic() > until:
                raise DriverBusy("libvirt itself holds the domain (snapshot, migration or save); try again later")
            await asyncio.sleep(LOOK_EVERY)

    async def resume(self, uuid: str) -> None:
        """Resume a paused domain, and wake one whose guest has put itself to sleep."""

        def work(domain: libvirt.virDomain) -> None:
            state, reason = domain.state()
            if state == libvirt.VIR_DOMAIN_PMSUSPENDED:
                domain.pMWakeup()
            elif state == libvirt.VIR_DOMAIN_PAUSED and not domain_facts.keeps_running(state, reason):
                domain.resume()

        await self._with(uuid, work)

    async def save(self, uuid: str, progress: Progress) -> None:
        """Save the domain by libvirt's managed save, which is broken off when the caller is cancelled."""

        def work(domain: libvirt.virDomain) -> None:
            if domain.isActive():
                _persist(domain)
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
        """Tell how far libvirt's job for the domain is; a host that is too busy to say costs nothing but that."""
        try:
            done = await self._with(uuid, lambda domain: domain.jobInfo(), Lane.STATISTICS, 5.0)
        except DriverError:
            return
        if done[3] > 0:
            progress(done[4], done[3])

    async def cancel_save(self, uuid: str) -> None:
        """Abort whatever job libvirt is at for the domain."""
        try:
            await self._with(uuid, lambda domain: domain.abortJob(), Lane.EVENTS)
        except (DriverConflict, DriverNotFound):
            return

    async def discard_saved(self, uuid: str) -> None:
        """Remove libvirt's managed save image."""

        def work(domain: libvirt.virDomain) -> None:
            if domain.hasManagedSaveImage():
                domain.managedSaveRemove()

        await self._with(uuid, work)

    async def resize(self, uuid: str, cpus: int, memory_kib: int) -> Applied:
        """Set cpus and memory; a running guest never gets more memory than it booted with."""

        def work(domain: libvirt.virDomain) -> Applied:
            _persist(domain)
            active = bool(domain.isActive())
            refused = [*_resize_cpus(domain, cpus, active), *_resize_memory(domain, memory_kib, active)]
            return Applied(live=active and not refused, message="; ".join(refused))

        return await self._with(uuid, work)

    async def interface_addresses(self, uuid: str) -> tuple[InterfaceAddress, ...]:
        """Return the addresses, read on the lane where a guest that holds a call up costs nobody the connection."""
        return await self._with(uuid, addresses.read, Lane.STATISTICS, AGENT_DEADLINE)

    async def console_text(self, uuid: str, limit: int) -> bytes:
        """Return the end of the console's log, which is read as a volume of a pool."""
        await self._console.prepare()
        return await self._console.text(uuid, limit)


def _persist(domain: libvirt.virDomain) -> None:
    """Define a running domain that would vanish when it stops: it has no next boot to be changed, nor a saved state."""
    if not domain.isPersistent():
        xml = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE)
        domain.connect().defineXMLFlags(xml, 0)


def _suspend(domain: libvirt.virDomain) -> bool:
    """Suspend the domain, and return whether it stays so: libvirt lets one go on that it has paused itself."""
    state, reason = domain.state()
    if domain_facts.keeps_running(state, reason):
        return False
    if state not in ASLEEP:
        domain.suspend()
    return not domain_facts.keeps_running(*domain.state())


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

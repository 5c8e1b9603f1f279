"""Domains in memory, with real state rules."""

from __future__ import annotations

from dataclasses import replace

from drivers.base import (
    Applied,
    DomainFacts,
    DomainSpec,
    DriverConflict,
    DriverEvent,
    EventKind,
    InterfaceAddress,
    InterfaceFacts,
    Power,
    Progress,
)
from drivers.memory.addresses import MemoryAddresses
from drivers.memory.state import ACTIVE, MemoryState


class MemoryDomains:
    """The part ``domains`` of the driver (drivers.base.DomainCalls)."""

    def __init__(self, state: MemoryState, addresses: MemoryAddresses) -> None:
        self._state = state
        self._addresses = addresses

    def _set(self, uuid: str, power: Power) -> None:
        """Bring the domain into this state by a call, so that it has no reason of its own."""
        self._state.set_power(uuid, power, reason="")

    async def list_all(self) -> tuple[DomainFacts, ...]:
        """Return the facts of all domains as they are kept."""
        self._state.enter("domains.list_all")
        return tuple(self._state.domains.values())

    async def read(self, uuid: str) -> DomainFacts:
        """Return the facts of the domain as they are kept."""
        return self._state.domain("domains.read", uuid)

    async def define(self, spec: DomainSpec) -> None:
        """Make the domain, or change it and leave its power as it is."""
        self._state.enter("domains.define")
        disks = tuple(self._state.disk_facts(disk) for disk in spec.disks)
        for interface in spec.interfaces:
            self._addresses.refuse_foreign(spec.uuid, interface.mac)
        self._state.disk_specs.update({(spec.uuid, disk.target): disk for disk in spec.disks})
        self._state.cpu_shares[spec.uuid] = spec.cpu_shares
        before = self._state.domains.get(spec.uuid)
        for interface in spec.interfaces:
            self._addresses.own_address(interface)
            self._state.interface_specs[interface.mac] = interface
        self._state.domains[spec.uuid] = DomainFacts(
            uuid=spec.uuid,
            name=f"cimi-{spec.uuid}",
            power=before.power if before else Power.OFF,
            reason="",
            persistent=True,
            cpus=spec.cpus,
            memory_kib=spec.memory_kib,
            disks=disks,
            interfaces=tuple(InterfaceFacts(nic.mac, nic.network, nic.link_up, nic.mtu) for nic in spec.interfaces),
            machine=spec.machine,
            owner=spec.owner,
            title=spec.title,
        )
        self._state.tell(spec.uuid)

    async def make_persistent(self, uuid: str) -> None:
        """Mark the domain as persistent."""
        self._state.domains[uuid] = replace(self._state.domain("domains.make_persistent", uuid), persistent=True)
        self._state.tell(uuid)

    async def describe(self, uuid: str, title: str, description: str) -> None:
        """Set the title; nobody sees the description."""
        self._state.domains[uuid] = replace(self._state.domain("domains.describe", uuid), title=title, persistent=True)

    async def undefine(self, uuid: str) -> None:
        """Forget the domain with its snapshots and its console, whatever state it is in."""
        self._state.enter("domains.undefine")
        self._state.consoles.pop(uuid, None)
        self._state.snapshots.pop(uuid, None)
        if self._state.domains.pop(uuid, None) is not None:
            self._state.emit(DriverEvent(self._state.name, EventKind.DOMAIN_UNDEFINED, uuid))

    async def start(self, uuid: str, *, paused: bool = False, discard_saved: bool = False) -> None:
        """Start the domain, whose console says that the guest is ready."""
        if self._state.domain("domains.start", uuid).power not in ACTIVE:
            self._state.consoles[uuid] = self._state.consoles.get(uuid, b"") + b"READY\r\n"
            self._set(uuid, Power.PAUSED if paused else Power.RUNNING)

    async def request_shutdown(self, uuid: str) -> None:
        """Stop the guest at once, unless guests are ``deaf``."""
        if self._state.domain("domains.request_shutdown", uuid).power not in ACTIVE:
            raise DriverConflict("the domain is not running")
        if not self._state.deaf:
            self._set(uuid, Power.OFF)

    async def power_off(self, uuid: str) -> None:
        """Stop the domain; one that is saved stays so."""
        if self._state.domain("domains.power_off", uuid).power not in (Power.OFF, Power.SAVED):
            self._set(uuid, Power.OFF)

    async def pause(self, uuid: str) -> None:
        """Pause the domain; one that is held stays so."""
        power = self._state.domain("domains.pause", uuid).power
        if power not in ACTIVE:
            raise DriverConflict("the domain is not running")
        if power is Power.RUNNING:
            self._set(uuid, Power.PAUSED)

    async def resume(self, uuid: str) -> None:
        """Let the domain go on, one that is held too."""
        if self._state.domain("domains.resume", uuid).power in (Power.PAUSED, Power.HELD):
            self._set(uuid, Power.RUNNING)

    async def save(self, uuid: str, progress: Progress) -> None:
        """Save the domain at once."""
        facts = self._state.domain("domains.save", uuid)
        if facts.power in ACTIVE:
            progress(1, 1)
            self._state.domains[uuid] = replace(facts, persistent=True)
            self._set(uuid, Power.SAVED)

    async def cancel_save(self, uuid: str) -> None:
        """Do nothing: no save is ever at work."""
        self._state.enter("domains.cancel_save")

    async def discard_saved(self, uuid: str) -> None:
        """Turn a saved domain into one that is off."""
        if self._state.domain("domains.discard_saved", uuid).power is Power.SAVED:
            self._set(uuid, Power.OFF)

    async def resize(self, uuid: str, cpus: int, memory_kib: int) -> Applied:
        """Set cpus and memory; more memory than a running domain has waits for its next boot."""
        facts = self._state.domain("domains.resize", uuid)
        live = facts.power in ACTIVE
        message = "memory takes effect at the next boot" if live and memory_kib > facts.memory_kib else ""
        self._state.domains[uuid] = replace(facts, cpus=cpus, memory_kib=memory_kib, persistent=True)
        return Applied(live and not message, message)

    async def interface_addresses(self, uuid: str) -> tuple[InterfaceAddress, ...]:
        """Return the addresses that tests have set."""
        self._state.domain("domains.interface_addresses", uuid)
        return self._state.interface_addresses.get(uuid, ())

    async def console_text(self, uuid: str, limit: int) -> bytes:
        """Return the end of the console; it is empty for a domain that is not there."""
        self._state.enter("domains.console_text")
        return self._state.consoles.get(uuid, b"")[-limit:]

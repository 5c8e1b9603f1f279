"""Domains in memory, with real state rules."""

from __future__ import annotations

from dataclasses import replace

from drivers.base import (
    Applied,
    DiskFacts,
    DiskSpec,
    DomainFacts,
    DomainSpec,
    DriverConflict,
    DriverEvent,
    DriverNotFound,
    EventKind,
    InterfaceAddress,
    InterfaceFacts,
    Power,
    Progress,
)
from drivers.memory.host import ACTIVE
from drivers.memory.own_addresses import MemoryOwnAddresses


class MemoryDomains(MemoryOwnAddresses):
    """Implements drivers.base.DomainCalls."""

    def _domain(self, method: str, uuid: str) -> DomainFacts:
        self.enter(method)
        if uuid not in self.known:
            raise DriverNotFound(f"there is no domain {uuid}")
        return self.known[uuid]

    def _set(self, uuid: str, power: Power) -> None:
        self.known[uuid] = replace(self.known[uuid], power=power, reason="")
        self.tell(uuid)

    def disk_facts(self, disk: DiskSpec) -> DiskFacts:
        return DiskFacts(disk.target, self.stored[(disk.pool, disk.volume)].path, disk.format, disk.cdrom)

    async def domains(self) -> tuple[DomainFacts, ...]:
        self.enter("domains")
        return tuple(self.known.values())

    async def domain(self, uuid: str) -> DomainFacts:
        return self._domain("domain", uuid)

    async def define_domain(self, spec: DomainSpec) -> None:
        self.enter("define_domain")
        for disk in spec.disks:
            if (disk.pool, disk.volume) not in self.stored:
                raise DriverNotFound(f"there is no volume {disk.volume}")
        before = self.known.get(spec.uuid)
        for interface in spec.interfaces:
            self.own_address(interface)
            self.interface_specs[interface.mac] = interface
        self.known[spec.uuid] = DomainFacts(
            uuid=spec.uuid,
            name=f"cimi-{spec.uuid}",
            power=before.power if before else Power.OFF,
            reason="",
            persistent=True,
            cpus=spec.cpus,
            memory_kib=spec.memory_kib,
            disks=tuple(self.disk_facts(disk) for disk in spec.disks),
            interfaces=tuple(InterfaceFacts(nic.mac, nic.network, nic.link_up, nic.mtu) for nic in spec.interfaces),
            machine=spec.machine,
            owner=spec.owner,
            title=spec.title,
        )
        self.tell(spec.uuid)

    async def keep_domain(self, uuid: str) -> None:
        self.known[uuid] = replace(self._domain("keep_domain", uuid), persistent=True)
        self.tell(uuid)

    async def describe_domain(self, uuid: str, title: str, description: str) -> None:
        self.known[uuid] = replace(self._domain("describe_domain", uuid), title=title)

    async def undefine_domain(self, uuid: str) -> None:
        self.enter("undefine_domain")
        self.taken.pop(uuid, None)
        if self.known.pop(uuid, None) is not None:
            self.emit(DriverEvent(self.name, EventKind.DOMAIN_UNDEFINED, uuid))

    async def start_domain(self, uuid: str, *, paused: bool = False, discard_saved: bool = False) -> None:
        if self._domain("start_domain", uuid).power not in ACTIVE:
            self.consoles[uuid] = self.consoles.get(uuid, b"") + b"READY\r\n"
            self._set(uuid, Power.PAUSED if paused else Power.RUNNING)

    async def request_shutdown(self, uuid: str) -> None:
        if self._domain("request_shutdown", uuid).power not in ACTIVE:
            raise DriverConflict("the domain is not running")
        if not self.deaf:
            self._set(uuid, Power.OFF)

    async def power_off(self, uuid: str) -> None:
        if self._domain("power_off", uuid).power not in (Power.OFF, Power.SAVED):
            self._set(uuid, Power.OFF)

    async def pause_domain(self, uuid: str) -> None:
        if self._domain("pause_domain", uuid).power not in ACTIVE:
            raise DriverConflict("the domain is not running")
        self._set(uuid, Power.PAUSED)

    async def resume_domain(self, uuid: str) -> None:
        if self._domain("resume_domain", uuid).power in (Power.PAUSED, Power.HELD):
            self._set(uuid, Power.RUNNING)

    async def save_domain(self, uuid: str, progress: Progress) -> None:
        if self._domain("save_domain", uuid).power in ACTIVE:
            progress(1, 1)
            self._set(uuid, Power.SAVED)

    async def cancel_save(self, uuid: str) -> None:
        self.enter("cancel_save")

    async def discard_saved(self, uuid: str) -> None:
        if self._domain("discard_saved", uuid).power is Power.SAVED:
            self._set(uuid, Power.OFF)

    async def resize_domain(self, uuid: str, cpus: int, memory_kib: int) -> Applied:
        facts = self._domain("resize_domain", uuid)
        live = facts.power in ACTIVE
        message = "memory takes effect at the next boot" if live and memory_kib > facts.memory_kib else ""
        self.known[uuid] = replace(facts, cpus=cpus, memory_kib=memory_kib)
        return Applied(live and not message, message)

    async def addresses(self, uuid: str) -> tuple[InterfaceAddress, ...]:
        self._domain("addresses", uuid)
        return self.found_addresses.get(uuid, ())

    async def console_text(self, uuid: str, limit: int) -> bytes:
        self.enter("console_text")
        return self.consoles.get(uuid, b"")[-limit:]

"""Devices in memory: plugged in at once, and out as the guest pleases."""

from __future__ import annotations

from dataclasses import replace

from drivers.base import DiskSpec, DomainFacts, DriverConflict, DriverNotFound, InterfaceFacts, InterfaceSpec
from drivers.memory.domains import MemoryDomains
from drivers.memory.host import ACTIVE


class MemoryDevices(MemoryDomains):
    """Implements drivers.base.DeviceCalls."""

    async def attach_disk(self, uuid: str, disk: DiskSpec) -> None:
        facts = self._domain("attach_disk", uuid)
        if (disk.pool, disk.volume) not in self.stored:
            raise DriverNotFound(f"there is no volume {disk.volume}")
        wanted = self.disk_facts(disk)
        present = next((known for known in facts.disks if known.target == disk.target), None)
        if present is not None and present.source != wanted.source:
            raise DriverConflict(f"the disk {disk.target} is another device already")
        others = tuple(known for known in facts.disks if known.target != disk.target)
        self._keep_devices(uuid, replace(facts, disks=(*others, wanted)))

    async def detach_disk(self, uuid: str, target: str, seconds: float) -> None:
        self.enter("detach_disk")
        facts = self.known.get(uuid)
        if facts is not None and any(disk.target == target for disk in facts.disks):
            self._must_let_go(facts, f"the disk {target}", seconds)
            kept = tuple(disk for disk in facts.disks if disk.target != target)
            self._keep_devices(uuid, replace(facts, disks=kept))

    async def grow_disk(self, uuid: str, target: str, capacity: int) -> bool:
        facts = self._domain("grow_disk", uuid)
        found = next((disk for disk in facts.disks if disk.target == target), None)
        if found is None or facts.power not in ACTIVE:
            return False
        for key, volume in self.stored.items():
            if volume.path == found.source:
                self.stored[key] = replace(volume, capacity=max(capacity, volume.capacity))
        return True

    async def attach_interface(self, uuid: str, interface: InterfaceSpec) -> None:
        facts = self._domain("attach_interface", uuid)
        wanted = InterfaceFacts(interface.mac, interface.network, interface.link_up, interface.mtu)
        present = next((known for known in facts.interfaces if known.mac == interface.mac), None)
        if present is not None and present.network != wanted.network:
            raise DriverConflict(f"the interface {interface.mac} is another device already")
        self.own_address(interface)
        self.interface_specs[interface.mac] = interface
        others = tuple(known for known in facts.interfaces if known.mac != interface.mac)
        self._keep_devices(uuid, replace(facts, interfaces=(*others, wanted)))

    async def update_interface(self, uuid: str, interface: InterfaceSpec, now: InterfaceSpec | None = None) -> None:
        facts = self._domain("update_interface", uuid)
        if not any(known.mac == interface.mac for known in facts.interfaces):
            raise DriverNotFound(f"the domain has no interface {interface.mac}")
        wanted = InterfaceFacts(interface.mac, interface.network, interface.link_up, interface.mtu)
        kept = tuple(wanted if known.mac == interface.mac else known for known in facts.interfaces)
        self.own_address(interface)
        self.interface_specs[interface.mac] = interface
        self.live_specs[interface.mac] = now or interface
        self._keep_devices(uuid, replace(facts, interfaces=kept))

    async def detach_interface(self, uuid: str, mac: str, seconds: float) -> None:
        self.enter("detach_interface")
        facts = self.known.get(uuid)
        if facts is not None and any(interface.mac == mac for interface in facts.interfaces):
            self._must_let_go(facts, f"the interface {mac}", seconds)
            kept = tuple(interface for interface in facts.interfaces if interface.mac != mac)
            self._keep_devices(uuid, replace(facts, interfaces=kept))

    def _must_let_go(self, facts: DomainFacts, device: str, seconds: float) -> None:
        if self.clinging and facts.power in ACTIVE:
            raise DriverConflict(f"the guest did not let go of {device} within {seconds:g} s")

    def _keep_devices(self, uuid: str, facts: DomainFacts) -> None:
        self.known[uuid] = facts
        self.tell(uuid)

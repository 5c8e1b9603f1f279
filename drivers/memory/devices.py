"""Devices in memory: plugged in at once, and out as the guest pleases."""

from __future__ import annotations

from dataclasses import replace

from drivers.base import DiskSpec, DomainFacts, DriverConflict, DriverNotFound, InterfaceFacts, InterfaceSpec
from drivers.memory.addresses import MemoryAddresses
from drivers.memory.state import ACTIVE, MemoryState


class MemoryDevices:
    """The part ``devices`` of the driver (drivers.base.DeviceCalls)."""

    def __init__(self, state: MemoryState, addresses: MemoryAddresses) -> None:
        self._state = state
        self._addresses = addresses

    async def attach_disk(self, uuid: str, disk: DiskSpec) -> None:
        """Add the disk to the domain's facts, in place of the same disk."""
        facts = self._state.domain("devices.attach_disk", uuid)
        wanted = self._state.disk_facts(disk)
        present = next((other for other in facts.disks if other.target == disk.target), None)
        if present is not None and present.source != wanted.source:
            raise DriverConflict(f"the disk {disk.target} is another device already")
        others = tuple(other for other in facts.disks if other.target != disk.target)
        self._state.disk_specs[uuid, disk.target] = disk
        self._keep_devices(uuid, replace(facts, disks=(*others, wanted)))

    async def detach_disk(self, uuid: str, target: str, seconds: float) -> None:
        """Take the disk out of the domain's facts, unless guests are ``clinging``."""
        self._state.enter("devices.detach_disk")
        facts = self._state.domains.get(uuid)
        if facts is not None and any(disk.target == target for disk in facts.disks):
            self._must_let_go(facts, f"the disk {target}", seconds)
            kept = tuple(disk for disk in facts.disks if disk.target != target)
            self._keep_devices(uuid, replace(facts, disks=kept))

    async def grow_disk(self, uuid: str, target: str, capacity: int) -> bool:
        """Raise the capacity of the volume behind the disk."""
        facts = self._state.domain("devices.grow_disk", uuid)
        present = next((disk for disk in facts.disks if disk.target == target), None)
        if present is None or facts.power not in ACTIVE:
            return False
        for key, volume in self._state.volumes.items():
            if volume.path == present.source:
                self._state.volumes[key] = replace(volume, capacity=max(capacity, volume.capacity))
        return True

    async def replace_disk(self, uuid: str, target: str, pool: str, volume: str, format: str) -> None:
        """Set the disk's source and format."""
        facts = self._state.domain("devices.replace_disk", uuid)
        if facts.power in ACTIVE:
            raise DriverConflict("the domain is running")
        if not any(disk.target == target for disk in facts.disks):
            raise DriverNotFound(f"the domain has no disk {target}")
        path = self._state.volume(pool, volume).path
        disks = tuple(
            replace(disk, source=path, format=format) if disk.target == target else disk for disk in facts.disks
        )
        self._state.domains[uuid] = replace(facts, disks=disks)

    async def attach_interface(self, uuid: str, interface: InterfaceSpec) -> None:
        """Add the interface to the domain's facts, and keep what was asked in ``interface_specs``."""
        facts = self._state.domain("devices.attach_interface", uuid)
        wanted = InterfaceFacts(interface.mac, interface.network, interface.link_up, interface.mtu)
        present = next((other for other in facts.interfaces if other.mac == interface.mac), None)
        if present is not None and present.network != wanted.network:
            raise DriverConflict(f"the interface {interface.mac} is another device already")
        self._addresses.refuse_foreign(uuid, interface.mac)
        self._addresses.own_address(interface)
        self._state.interface_specs[interface.mac] = interface
        others = tuple(other for other in facts.interfaces if other.mac != interface.mac)
        self._keep_devices(uuid, replace(facts, interfaces=(*others, wanted)))

    async def update_interface(self, uuid: str, interface: InterfaceSpec, now: InterfaceSpec | None = None) -> None:
        """Keep what was asked in ``interface_specs``, and what a running guest has now in ``live_specs``."""
        facts = self._state.domain("devices.update_interface", uuid)
        if not any(present.mac == interface.mac for present in facts.interfaces):
            raise DriverNotFound(f"the domain has no interface {interface.mac}")
        wanted = InterfaceFacts(interface.mac, interface.network, interface.link_up, interface.mtu)
        kept = tuple(wanted if present.mac == interface.mac else present for present in facts.interfaces)
        self._addresses.own_address(interface)
        self._state.interface_specs[interface.mac] = interface
        self._state.live_specs[interface.mac] = now or interface
        self._keep_devices(uuid, replace(facts, interfaces=kept))

    async def detach_interface(self, uuid: str, mac: str, seconds: float) -> None:
        """Take the interface out of the domain's facts, unless guests are ``clinging``."""
        self._state.enter("devices.detach_interface")
        facts = self._state.domains.get(uuid)
        if facts is not None and any(interface.mac == mac for interface in facts.interfaces):
            self._must_let_go(facts, f"the interface {mac}", seconds)
            kept = tuple(interface for interface in facts.interfaces if interface.mac != mac)
            self._keep_devices(uuid, replace(facts, interfaces=kept))

    def _must_let_go(self, facts: DomainFacts, device: str, seconds: float) -> None:
        if self._state.clinging and facts.power in ACTIVE:
            raise DriverConflict(f"the guest did not let go of {device} within {seconds:g} s")

    def _keep_devices(self, uuid: str, facts: DomainFacts) -> None:
        self._state.domains[uuid] = facts
        self._state.tell(uuid)

"""The driver's calls, family by family, each handed to the part that knows it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from dataclasses import replace
from typing import Protocol

from drivers.base import (
    Applied,
    DiskSpec,
    DomainFacts,
    DomainSpec,
    HeldGuests,
    Hole,
    HostFacts,
    HostReading,
    InterfaceAddress,
    InterfaceSpec,
    Lease,
    NetworkFacts,
    NetworkSpec,
    PoolFacts,
    PoolSettings,
    Progress,
    Reach,
    Reservation,
    SnapshotFacts,
    VolumeFacts,
)
from drivers.libvirt import addresses
from drivers.libvirt.connection import Connection, Lane
from drivers.libvirt.console import Console
from drivers.libvirt.devices import Device, Devices
from drivers.libvirt.disk_copies import DiskCopies
from drivers.libvirt.domain_xml import disk_element, interface_element
from drivers.libvirt.domains import Domains
from drivers.libvirt.filters import Filters
from drivers.libvirt.networks import Networks
from drivers.libvirt.own_addresses import OwnAddresses
from drivers.libvirt.snapshots import Snapshots, snapshot_obstacle
from drivers.libvirt.statistics import Statistics
from drivers.libvirt.storage import CREATING_POOLS, FILE_POOLS, GROWING_POOLS, Storage

AGENT_DEADLINE = 15.0


class Parts(Protocol):
    """What a driver is made of; LibvirtDriver puts them together."""

    _connection: Connection
    _domains: Domains
    _devices: Devices
    _storage: Storage
    _networks: Networks
    _filters: Filters
    _own_addresses: OwnAddresses
    _console: Console
    _snapshots: Snapshots
    _copies: DiskCopies
    _statistics: Statistics

    async def host(self) -> HostFacts: ...


class LibvirtDomains(Parts):
    """Implements drivers.base.DomainCalls."""

    async def domains(self) -> tuple[DomainFacts, ...]:
        return await self._domains.every()

    async def domain(self, uuid: str) -> DomainFacts:
        return await self._domains.read(uuid)

    async def define_domain(self, spec: DomainSpec) -> None:
        log = await self._console.log_path(spec.uuid)
        sources = await self._storage.sources([(disk.pool, disk.volume) for disk in spec.disks])
        if any(interface.filter for interface in spec.interfaces):
            await self._filters.ensure_guards()
        held = tuple([await self._own_addresses.held_new(interface) for interface in spec.interfaces])
        spec = replace(spec, interfaces=held)
        await self._domains.define(spec, await self.host(), log, sources)

    async def keep_domain(self, uuid: str) -> None:
        await self._domains.keep(uuid)

    async def describe_domain(self, uuid: str, title: str, description: str) -> None:
        await self._domains.describe(uuid, title, description)

    async def undefine_domain(self, uuid: str) -> None:
        await self._domains.undefine(uuid)
        await self._console.delete(uuid)

    async def start_domain(self, uuid: str, *, paused: bool = False, discard_saved: bool = False) -> None:
        await self._domains.start(uuid, paused=paused, discard_saved=discard_saved)

    async def request_shutdown(self, uuid: str) -> None:
        await self._domains.request_shutdown(uuid)

    async def power_off(self, uuid: str) -> None:
        await self._domains.power_off(uuid)

    async def pause_domain(self, uuid: str) -> None:
        await self._domains.pause(uuid)

    async def resume_domain(self, uuid: str) -> None:
        await self._domains.resume(uuid)

    async def save_domain(self, uuid: str, progress: Progress) -> None:
        await self._domains.save(uuid, progress)

    async def cancel_save(self, uuid: str) -> None:
        await self._domains.cancel_save(uuid)

    async def discard_saved(self, uuid: str) -> None:
        await self._domains.discard_saved(uuid)

    async def resize_domain(self, uuid: str, cpus: int, memory_kib: int) -> Applied:
        return await self._domains.resize(uuid, cpus, memory_kib)

    async def addresses(self, uuid: str) -> tuple[InterfaceAddress, ...]:
        """By the lane on which a guest that holds a call up costs nobody else the connection."""
        return await self._connection.call(
            lambda handle: addresses.read(handle.lookupByUUIDString(uuid)),
            lane=Lane.STATISTICS,
            deadline=AGENT_DEADLINE,
        )

    async def console_text(self, uuid: str, limit: int) -> bytes:
        await self._console.prepare()
        return await self._console.text(uuid, limit)


class LibvirtDevices(Parts):
    """Implements drivers.base.DeviceCalls."""

    async def attach_disk(self, uuid: str, disk: DiskSpec) -> None:
        sources = await self._storage.sources([(disk.pool, disk.volume)])
        await self._devices.attach(uuid, disk_element(disk, sources[(disk.pool, disk.volume)]))

    async def detach_disk(self, uuid: str, target: str, seconds: float) -> None:
        await self._devices.detach(uuid, Device("disk", target), seconds)

    async def grow_disk(self, uuid: str, target: str, capacity: int) -> bool:
        return await self._devices.grow(uuid, target, capacity)

    async def attach_interface(self, uuid: str, interface: InterfaceSpec) -> None:
        await self._prepare(interface)
        await self._devices.attach(uuid, interface_element(await self._own_addresses.held_new(interface)))

    async def _prepare(self, interface: InterfaceSpec) -> None:
        if interface.filter is not None:
            await self._filters.ensure_guards()

    async def update_interface(self, uuid: str, interface: InterfaceSpec, now: InterfaceSpec | None = None) -> None:
        await self._prepare(interface)
        held = await self._own_addresses.held(interface)
        held_now = held if now is None else await self._own_addresses.held(now)
        await self._devices.update(uuid, interface_element(held), interface_element(held_now))

    async def detach_interface(self, uuid: str, mac: str, seconds: float) -> None:
        device = Device("interface", mac)
        await self._devices.detach(uuid, device, seconds, lambda: self._domains.give_back(uuid, mac))


class LibvirtStorage(Parts):
    """Implements drivers.base.StorageCalls."""

    async def pools(self) -> tuple[PoolFacts, ...]:
        return await self._storage.pools()

    async def pool(self, name: str) -> PoolFacts:
        return await self._storage.pool(name)

    async def volume(self, pool: str, name: str) -> VolumeFacts:
        return await self._storage.volume(pool, name)

    async def volumes(self, pool: str) -> tuple[VolumeFacts, ...]:
        return await self._storage.volumes(pool)

    async def create_volume(self, pool: str, name: str, format: str, capacity: int) -> VolumeFacts:
        return await self._storage.create(pool, name, format, capacity)

    async def overlay_volume(self, pool: str, name: str, base: str, base_format: str, capacity: int) -> VolumeFacts:
        return await self._storage.overlay(pool, name, base, base_format, capacity)

    async def clone_volume(
        self,
        pool: str,
        name: str,
        base: str,
        format: str,
        capacity: int,
        progress: Progress,
        *,
        base_pool: str | None = None,
        base_format: str | None = None,
    ) -> VolumeFacts:
        below = (base_pool or pool, base, base_format)
        return await self._storage.clone(pool, name, below, format, capacity, progress)

    async def grow_volume(self, pool: str, name: str, format: str, capacity: int) -> VolumeFacts:
        return await self._storage.grow(pool, name, format, capacity)

    async def upload_volume(
        self, pool: str, name: str, format: str, size: int, data: AsyncIterator[bytes | Hole], progress: Progress
    ) -> VolumeFacts:
        return await self._storage.upload(pool, name, format, size, data, progress)

    def download_volume(self, pool: str, name: str, offset: int, length: int) -> AsyncGenerator[bytes, None]:
        return self._storage.download(pool, name, offset, length)

    async def delete_volume(self, pool: str, name: str) -> None:
        await self._storage.delete(pool, name)

    async def ensure_pool(self, settings: PoolSettings) -> None:
        await self._storage.ensure_pool(settings)

    async def start_pool(self, name: str) -> None:
        await self._storage.start_pool(name)

    def can_overlay(self, pool: PoolFacts) -> bool:
        return pool.kind in FILE_POOLS

    def can_create(self, pool: PoolFacts) -> bool:
        return pool.kind in CREATING_POOLS

    def can_grow(self, pool: PoolFacts) -> bool:
        return pool.kind in GROWING_POOLS

    def formats(self, pool: PoolFacts) -> tuple[str, ...]:
        return ("qcow2", "raw") if pool.kind in FILE_POOLS else ("raw",)


class LibvirtNetworks(Parts):
    """Implements drivers.base.NetworkCalls."""

    async def networks(self) -> tuple[NetworkFacts, ...]:
        return await self._networks.every()

    async def network(self, name: str) -> NetworkFacts:
        return await self._networks.read(name)

    async def occupied_ranges(self) -> tuple[str, ...]:
        return await self._networks.occupied()

    async def define_network(self, spec: NetworkSpec) -> None:
        await self._networks.define(spec)

    async def start_network(self, name: str, *, always: bool = True) -> None:
        await self._networks.start(name, always=always)

    async def stop_network(self, name: str) -> None:
        await self._networks.stop(name)

    async def delete_network(self, name: str) -> None:
        await self._networks.delete(name)

    async def reserve_host(self, name: str, reservation: Reservation) -> None:
        await self._networks.reserve(name, reservation)

    async def release_host(self, name: str, reservation: Reservation) -> None:
        await self._networks.release(name, reservation)

    async def take_address(self, name: str, wanted: Reservation, ours: frozenset[str]) -> None:
        await self._own_addresses.take(name, wanted, ours)

    async def leave_address(self, name: str, ip: str, ours: frozenset[str]) -> None:
        await self._own_addresses.leave(name, ip, ours)

    async def reconnect_interfaces(self, names: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
        return await self._networks.reconnect(names)

    async def leases(self, name: str) -> tuple[Lease, ...]:
        return await self._networks.leases(name)


class LibvirtFilters(Parts):
    """Implements drivers.base.FilterCalls."""

    async def define_reach(self, reach: Reach) -> bool:
        return await self._filters.define(reach)

    async def delete_reach(self, network: str) -> None:
        await self._filters.delete(network)

    async def hold_guests(self, only: frozenset[str] | None = None) -> HeldGuests:
        await self._filters.ensure_guards()
        return await self._own_addresses.hold_all(only)

    async def give_back_addresses(self, macs: Iterable[str]) -> None:
        await self._own_addresses.give_back(macs)

    async def filtered(self) -> tuple[str, ...]:
        return await self._filters.every()


class LibvirtSnapshots(Parts):
    """Implements drivers.base.SnapshotCalls."""

    def snapshot_obstacle(self, uefi: bool, formats: Iterable[str]) -> str | None:
        return snapshot_obstacle(uefi, formats)

    async def snapshots(self, uuid: str) -> tuple[SnapshotFacts, ...]:
        return await self._snapshots.every(uuid)

    async def take_snapshot(self, uuid: str, name: str, *, memory: bool = True) -> SnapshotFacts:
        return await self._snapshots.take(uuid, name, memory=memory)

    async def revert_snapshot(self, uuid: str, name: str) -> None:
        await self._snapshots.revert(uuid, name)

    async def delete_snapshot(self, uuid: str, name: str) -> None:
        await self._snapshots.delete(uuid, name)

    async def replace_disk(self, uuid: str, target: str, pool: str, volume: str, format: str) -> None:
        sources = await self._storage.sources([(pool, volume)])
        await self._snapshots.replace_disk(uuid, target, sources[(pool, volume)], format)

    async def copy_active_disk(self, uuid: str, target: str, pool: str, name: str, progress: Progress) -> VolumeFacts:
        return await self._copies.copy(uuid, target, pool, name, progress)

    async def discard_copy(self, uuid: str, pool: str, name: str) -> None:
        await self._copies.discard(uuid, pool, name)


class LibvirtStatistics(Parts):
    """Implements drivers.base.StatisticsCalls."""

    async def statistics(self) -> HostReading:
        return await self._statistics.read()

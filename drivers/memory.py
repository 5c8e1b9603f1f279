"""A hypervisor in memory, for tests that want speed: real state rules, and faults on demand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

from drivers.base import (
    Applied,
    ConnectionState,
    DiskFacts,
    DomainFacts,
    DomainSpec,
    DriverConflict,
    DriverError,
    DriverEvent,
    DriverNoSpace,
    DriverNotFound,
    DriverUnavailable,
    EventKind,
    HostFacts,
    InterfaceAddress,
    InterfaceFacts,
    Listener,
    NetworkFacts,
    PoolFacts,
    Power,
    Progress,
    VolumeFacts,
)

ACTIVE = frozenset({Power.RUNNING, Power.PAUSED})


@dataclass
class MemoryDriver:
    """``deaf`` guests ignore the power button; ``fail_next`` makes the next call of a method raise."""

    name: str = "local"
    pool_capacity: int = 10 * 1024**3
    deaf: bool = False
    connection: ConnectionState = ConnectionState.DOWN
    known: dict[str, DomainFacts] = field(default_factory=dict)
    stored: dict[tuple[str, str], VolumeFacts] = field(default_factory=dict)
    listeners: list[Listener] = field(default_factory=list)
    faults: dict[str, DriverError] = field(default_factory=dict)
    consoles: dict[str, bytes] = field(default_factory=dict)
    found_addresses: dict[str, tuple[InterfaceAddress, ...]] = field(default_factory=dict)

    def fail_next(self, method: str, error: DriverError) -> None:
        self.faults[method] = error

    def _enter(self, method: str) -> None:
        if self.connection is not ConnectionState.UP:
            raise DriverUnavailable("the hypervisor is not connected")
        if method in self.faults:
            raise self.faults.pop(method)

    def externally(self, uuid: str, power: Power) -> None:
        """What an admin or the guest does on its own."""
        self.known[uuid] = replace(self.known[uuid], power=power)
        self._tell(uuid)

    def lose(self) -> None:
        self.connection = ConnectionState.DOWN
        self._emit(DriverEvent(self.name, EventKind.CONNECTION, state=self.connection))

    def regain(self) -> None:
        self.connection = ConnectionState.UP
        self._emit(DriverEvent(self.name, EventKind.CONNECTION, state=self.connection))

    def _emit(self, event: DriverEvent) -> None:
        for listener in self.listeners:
            listener(event)

    def _tell(self, uuid: str) -> None:
        self._emit(DriverEvent(self.name, EventKind.DOMAIN_CHANGED, uuid, self.known[uuid]))

    async def open(self) -> None:
        self.regain()

    async def close(self) -> None:
        self.connection = ConnectionState.DOWN

    def subscribe(self, listener: Listener) -> None:
        self.listeners.append(listener)

    async def host(self) -> HostFacts:
        self._enter("host")
        return HostFacts(8, 16 * 1024**2, 2400, ("i686", "x86_64"), "qemu", "memory", True)

    # Domains

    def _domain(self, method: str, uuid: str) -> DomainFacts:
        self._enter(method)
        if uuid not in self.known:
            raise DriverNotFound(f"there is no domain {uuid}")
        return self.known[uuid]

    def _set(self, uuid: str, power: Power) -> None:
        self.known[uuid] = replace(self.known[uuid], power=power, reason="")
        self._tell(uuid)

    async def domains(self) -> tuple[DomainFacts, ...]:
        self._enter("domains")
        return tuple(self.known.values())

    async def domain(self, uuid: str) -> DomainFacts:
        return self._domain("domain", uuid)

    async def define_domain(self, spec: DomainSpec) -> None:
        self._enter("define_domain")
        for disk in spec.disks:
            if (disk.pool, disk.volume) not in self.stored:
                raise DriverNotFound(f"there is no volume {disk.volume}")
        before = self.known.get(spec.uuid)
        self.known[spec.uuid] = DomainFacts(
            uuid=spec.uuid,
            name=f"cimi-{spec.uuid}",
            power=before.power if before else Power.OFF,
            reason="",
            persistent=True,
            cpus=spec.cpus,
            memory_kib=spec.memory_kib,
            disks=tuple(DiskFacts(disk.target, disk.volume, disk.format, disk.cdrom) for disk in spec.disks),
            interfaces=tuple(InterfaceFacts(nic.mac, nic.network, nic.link_up, nic.mtu) for nic in spec.interfaces),
            machine=spec.machine,
            owner=spec.owner,
            title=spec.title,
        )
        self._tell(spec.uuid)

    async def describe_domain(self, uuid: str, title: str, description: str) -> None:
        self.known[uuid] = replace(self._domain("describe_domain", uuid), title=title)

    async def undefine_domain(self, uuid: str) -> None:
        self._enter("undefine_domain")
        if self.known.pop(uuid, None) is not None:
            self._emit(DriverEvent(self.name, EventKind.DOMAIN_UNDEFINED, uuid))

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
        if self._domain("resume_domain", uuid).power is Power.PAUSED:
            self._set(uuid, Power.RUNNING)

    async def save_domain(self, uuid: str, progress: Progress) -> None:
        if self._domain("save_domain", uuid).power in ACTIVE:
            progress(1, 1)
            self._set(uuid, Power.SAVED)

    async def cancel_save(self, uuid: str) -> None:
        self._enter("cancel_save")

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
        self._enter("console_text")
        return self.consoles.get(uuid, b"")[-limit:]

    # Storage

    async def pools(self) -> tuple[PoolFacts, ...]:
        return (await self.pool("default"),)

    async def pool(self, name: str) -> PoolFacts:
        self._enter("pool")
        used = sum(volume.allocation for volume in self.stored.values())
        return PoolFacts(name, "dir", True, self.pool_capacity, self.pool_capacity - used, f"/{name}")

    async def volume(self, pool: str, name: str) -> VolumeFacts:
        self._enter("volume")
        if (pool, name) not in self.stored:
            raise DriverNotFound(f"there is no volume {name}")
        return self.stored[(pool, name)]

    async def volumes(self, pool: str) -> tuple[VolumeFacts, ...]:
        self._enter("volumes")
        return tuple(volume for volume in self.stored.values() if volume.pool == pool)

    async def _keep(
        self, pool: str, name: str, format: str, capacity: int, allocation: int, backing: str | None = None
    ) -> VolumeFacts:
        if allocation > (await self.pool(pool)).available:
            raise DriverNoSpace(f"the pool {pool} is full")
        kept = VolumeFacts(pool, name, f"/{pool}/{name}", format, capacity, allocation, backing)
        return self.stored.setdefault((pool, name), kept)

    async def create_volume(self, pool: str, name: str, format: str, capacity: int) -> VolumeFacts:
        self._enter("create_volume")
        return await self._keep(pool, name, format, capacity, 0)

    async def overlay_volume(
        self, pool: str, name: str, base: str, base_format: str, capacity: int
    ) -> VolumeFacts:
        self._enter("overlay_volume")
        below = await self.volume(pool, base)
        return await self._keep(pool, name, "qcow2", max(capacity, below.capacity), 4096, below.path)

    async def clone_volume(
        self, pool: str, name: str, base: str, format: str, capacity: int, progress: Progress
    ) -> VolumeFacts:
        self._enter("clone_volume")
        below = await self.volume(pool, base)
        progress(1, 1)
        return await self._keep(pool, name, format, max(capacity, below.capacity), below.allocation)

    async def upload_volume(
        self, pool: str, name: str, format: str, size: int, data: AsyncIterator[bytes], progress: Progress
    ) -> VolumeFacts:
        self._enter("upload_volume")
        sent = 0
        async for piece in data:
            sent += len(piece)
            progress(sent, size)
        self.stored.pop((pool, name), None)
        return await self._keep(pool, name, format, size, sent)

    async def delete_volume(self, pool: str, name: str) -> None:
        self._enter("delete_volume")
        self.stored.pop((pool, name), None)

    def can_overlay(self, pool: PoolFacts) -> bool:
        return pool.kind == "dir"

    async def networks(self) -> tuple[NetworkFacts, ...]:
        return (await self.network("default"),)

    async def network(self, name: str) -> NetworkFacts:
        self._enter("network")
        return NetworkFacts(name, True, "virbr0", "nat")

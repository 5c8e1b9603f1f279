"""The Driver on libvirt: its parts put together, and events turned into DriverEvents."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import libvirt

from drivers.base import (
    Applied,
    ConnectionState,
    DomainFacts,
    DomainSpec,
    DriverError,
    DriverEvent,
    DriverNotFound,
    EventKind,
    HostFacts,
    HypervisorSettings,
    InterfaceAddress,
    Listener,
    NetworkFacts,
    PoolFacts,
    Progress,
    VolumeFacts,
)
from drivers.libvirt import addresses, host
from drivers.libvirt.connection import Connection, Lane
from drivers.libvirt.console import Console
from drivers.libvirt.domains import Domains
from drivers.libvirt.networks import Networks
from drivers.libvirt.storage import Storage

AGENT_DEADLINE = 15.0


class LibvirtDriver:
    """One ``[[hypervisor]]``; see drivers.base.Driver for what each method promises."""

    def __init__(self, settings: HypervisorSettings) -> None:
        self.name = settings.name
        self._settings = settings
        self._connection = Connection(settings.uri)
        self._domains = Domains(self._connection)
        self._storage = Storage(self._connection)
        self._networks = Networks(self._connection)
        self._console = Console(self._connection)
        self._listeners: list[Listener] = []
        self._host: HostFacts | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._registered: dict[int, list[int]] = {}
        self._looking: dict[str, bool] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def connection(self) -> ConnectionState:
        return self._connection.state

    async def open(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._connection.on_connect = self._register
        self._connection.on_disconnect = self._deregister
        self._connection.watch(self._connection_changed)
        await self._connection.open()

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await self._connection.close()

    def subscribe(self, listener: Listener) -> None:
        self._listeners.append(listener)

    # Events

    def _register(self, handle: libvirt.virConnect) -> None:
        numbers = [
            handle.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, self._lifecycle, None)
        ]
        self._registered[id(handle)] = numbers

    def _deregister(self, handle: libvirt.virConnect) -> None:
        for number in self._registered.pop(id(handle), []):
            handle.domainEventDeregisterAny(number)

    def _lifecycle(self, _handle: Any, domain: libvirt.virDomain, event: int, detail: int, _opaque: Any) -> None:
        """On libvirt's thread: only hand over."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._happened, domain.UUIDString(), event, detail)

    def _happened(self, uuid: str, event: int, detail: int) -> None:
        if event == libvirt.VIR_DOMAIN_EVENT_UNDEFINED:
            self._emit(DriverEvent(self.name, EventKind.DOMAIN_UNDEFINED, uuid))
        elif uuid in self._looking:
            self._looking[uuid] = True
        else:
            self._looking[uuid] = False
            task = asyncio.ensure_future(self._look(uuid, f"{event}/{detail}"))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _look(self, uuid: str, detail: str) -> None:
        """Never trust the event alone: read the domain, and again when more happened meanwhile."""
        again = True
        try:
            while again:
                self._looking[uuid] = False
                try:
                    facts = await self._domains.read(uuid)
                except DriverNotFound:
                    self._emit(DriverEvent(self.name, EventKind.DOMAIN_UNDEFINED, uuid))
                except DriverError:
                    return
                else:
                    self._emit(DriverEvent(self.name, EventKind.DOMAIN_CHANGED, uuid, facts, detail=detail))
                again = self._looking[uuid]
        finally:
            del self._looking[uuid]

    def _connection_changed(self, state: ConnectionState, reason: str) -> None:
        if state is not ConnectionState.UP:
            self._host = None
        self._emit(DriverEvent(self.name, EventKind.CONNECTION, state=state, detail=reason))

    def _emit(self, event: DriverEvent) -> None:
        for listener in self._listeners:
            listener(event)

    # Host and domains

    async def host(self) -> HostFacts:
        if self._host is None:
            self._host = await self._connection.call(lambda handle: host.read(handle, self._settings.domain_type))
        return self._host

    async def domains(self) -> tuple[DomainFacts, ...]:
        return await self._domains.every()

    async def domain(self, uuid: str) -> DomainFacts:
        return await self._domains.read(uuid)

    async def define_domain(self, spec: DomainSpec) -> None:
        await self._console.prepare()
        paths = await self._storage.paths([(disk.pool, disk.volume) for disk in spec.disks])
        await self._domains.define(spec, await self.host(), self._console.log_path(spec.uuid), paths)

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
        return await self._connection.call(
            lambda handle: addresses.read(handle.lookupByUUIDString(uuid)), lane=Lane.EVENTS, deadline=AGENT_DEADLINE
        )

    async def console_text(self, uuid: str, limit: int) -> bytes:
        await self._console.prepare()
        return await self._console.text(uuid, limit)

    # Storage and networks

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

    async def overlay_volume(
        self, pool: str, name: str, base: str, base_format: str, capacity: int
    ) -> VolumeFacts:
        return await self._storage.overlay(pool, name, base, base_format, capacity)

    async def clone_volume(
        self, pool: str, name: str, base: str, format: str, capacity: int, progress: Progress
    ) -> VolumeFacts:
        return await self._storage.clone(pool, name, base, format, capacity, progress)

    async def upload_volume(
        self, pool: str, name: str, format: str, size: int, data: AsyncIterator[bytes], progress: Progress
    ) -> VolumeFacts:
        return await self._storage.upload(pool, name, format, size, data, progress)

    async def delete_volume(self, pool: str, name: str) -> None:
        await self._storage.delete(pool, name)

    def can_overlay(self, pool: PoolFacts) -> bool:
        return self._storage.can_overlay(pool)

    async def networks(self) -> tuple[NetworkFacts, ...]:
        return await self._networks.every()

    async def network(self, name: str) -> NetworkFacts:
        return await self._networks.read(name)

"""The Driver on libvirt: its parts put together, and events turned into DriverEvents."""

from __future__ import annotations

import asyncio
from typing import Any

import libvirt

from drivers.base import (
    Autostarted,
    CallObserver,
    ConnectionState,
    DriverError,
    DriverEvent,
    DriverNotFound,
    EventKind,
    HostFacts,
    HypervisorSettings,
    Listener,
    Load,
    Supervision,
)
from drivers.libvirt import host
from drivers.libvirt.alarms import Alarms
from drivers.libvirt.calls import (
    LibvirtDevices,
    LibvirtDomains,
    LibvirtFilters,
    LibvirtNetworks,
    LibvirtSnapshots,
    LibvirtStatistics,
    LibvirtStorage,
)
from drivers.libvirt.connection import Connection
from drivers.libvirt.console import Console
from drivers.libvirt.devices import Devices
from drivers.libvirt.disk_copies import DiskCopies
from drivers.libvirt.domains import Domains
from drivers.libvirt.filters import Filters
from drivers.libvirt.host_claims import HostClaims
from drivers.libvirt.networks import Networks
from drivers.libvirt.own_addresses import OwnAddresses
from drivers.libvirt.release_guest import ReleaseGuests
from drivers.libvirt.snapshots import Snapshots
from drivers.libvirt.statistics import Statistics
from drivers.libvirt.storage import Storage

NETWORK_EVENTS = {
    libvirt.VIR_NETWORK_EVENT_DEFINED: "defined",
    libvirt.VIR_NETWORK_EVENT_UNDEFINED: "undefined",
    libvirt.VIR_NETWORK_EVENT_STARTED: "started",
    libvirt.VIR_NETWORK_EVENT_STOPPED: "stopped",
}


class LibvirtDriver(
    LibvirtDomains,
    LibvirtDevices,
    LibvirtStorage,
    LibvirtNetworks,
    LibvirtFilters,
    LibvirtSnapshots,
    LibvirtStatistics,
):
    """One ``[[hypervisor]]``; see drivers.base.Driver for what each method promises.

    ``claims`` are shared by all entries of a configuration, so that no libvirt is served by two of them.
    """

    def __init__(self, settings: HypervisorSettings, claims: HostClaims | None = None) -> None:
        self.name = settings.name
        self._settings = settings
        self._connection = Connection(settings.uri, settings.name, claims)
        self._supervision = self._connection.supervision
        self._devices = Devices(self._connection)
        self._storage = Storage(self._connection)
        self._networks = Networks(self._connection)
        self._console = Console(self._connection, self._storage)
        self._domains = Domains(self._connection, ReleaseGuests(self._connection, self._console))
        self._snapshots = Snapshots(self._connection)
        self._copies = DiskCopies(self._connection, self._storage)
        self._filters = Filters(self._connection)
        self._own_addresses = OwnAddresses(self._connection)
        self._statistics = Statistics(self._connection)
        self._alarms = Alarms(self._alarmed)
        self._listeners: list[Listener] = []
        self._host: HostFacts | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._registered: dict[int, list[int]] = {}
        self._registered_network: dict[int, int] = {}
        self._looking: dict[str, bool] = {}
        self._reactions = f"events of {settings.name}"

    @property
    def connection(self) -> ConnectionState:
        return self._connection.state

    @property
    def reason(self) -> str:
        return "" if self.connection is ConnectionState.UP else self._connection.reason

    @property
    def twin(self) -> str:
        return self._connection.twin

    async def open(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._connection.on_connect = self._register
        self._connection.on_disconnect = self._deregister
        self._connection.watch(self._connection_changed)
        await self._connection.open()

    async def close(self) -> None:
        await self._supervision.end_reactions(self._reactions, cancel=True)
        await self._connection.close()

    def subscribe(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def unsubscribe(self, listener: Listener) -> None:
        if listener in self._listeners:
            self._listeners.remove(listener)

    def observe(self, observer: CallObserver) -> None:
        self._connection.observers.append(observer)

    def supervise(self, supervision: Supervision) -> None:
        self._supervision = self._connection.supervision = supervision

    def load(self) -> tuple[Load, ...]:
        return self._connection.load()

    # Events

    def _register(self, handle: libvirt.virConnect) -> None:
        callbacks = (
            (libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, self._lifecycle),
            (libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_ADDED, self._device_added),
            (libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, self._device_removed),
            (libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVAL_FAILED, self._device_kept),
            *self._alarms.callbacks(),
        )
        self._registered[id(handle)] = [
            handle.domainEventRegisterAny(None, number, callback, None) for number, callback in callbacks
        ]
        self._registered_network[id(handle)] = handle.networkEventRegisterAny(
            None, libvirt.VIR_NETWORK_EVENT_ID_LIFECYCLE, self._network_lifecycle, None
        )

    def _deregister(self, handle: libvirt.virConnect) -> None:
        for number in self._registered.pop(id(handle), []):
            handle.domainEventDeregisterAny(number)
        network = self._registered_network.pop(id(handle), None)
        if network is not None:
            handle.networkEventDeregisterAny(network)

    def _lifecycle(self, _handle: Any, domain: libvirt.virDomain, event: int, detail: int, _opaque: Any) -> None:
        """On libvirt's thread: only hand over."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._happened, domain.UUIDString(), event, detail)

    def _device_added(self, _handle: Any, domain: libvirt.virDomain, alias: str, _opaque: Any) -> None:
        """On libvirt's thread: only hand over."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._look_at, domain.UUIDString(), f"device {alias} added")

    def _network_lifecycle(self, _handle: Any, network: libvirt.virNetwork, event: int, *_rest: Any) -> None:
        """On libvirt's thread: only hand over."""
        if self._loop is not None and not self._loop.is_closed():
            told = DriverEvent(
                self.name, EventKind.NETWORK_CHANGED, network.UUIDString(), detail=NETWORK_EVENTS.get(event, "")
            )
            self._loop.call_soon_threadsafe(self._emit, told)

    def _device_removed(self, _handle: Any, domain: libvirt.virDomain, alias: str, _opaque: Any) -> None:
        """On libvirt's thread: only hand over."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._device_told, domain.UUIDString(), alias, True)

    def _device_kept(self, _handle: Any, domain: libvirt.virDomain, alias: str, _opaque: Any) -> None:
        """On libvirt's thread: only hand over."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._device_told, domain.UUIDString(), alias, False)

    def _device_told(self, uuid: str, alias: str, gone: bool) -> None:
        self._devices.told(uuid, alias, gone=gone)
        self._look_at(uuid, f"device {alias} {'removed' if gone else 'kept'}")

    def _happened(self, uuid: str, event: int, detail: int) -> None:
        if event == libvirt.VIR_DOMAIN_EVENT_UNDEFINED:
            self._emit(DriverEvent(self.name, EventKind.DOMAIN_UNDEFINED, uuid))
        else:
            self._look_at(uuid, f"{event}/{detail}")

    def _look_at(self, uuid: str, detail: str) -> None:
        if uuid in self._looking:
            self._looking[uuid] = True
            return
        self._looking[uuid] = False
        self._supervision.react(self._reactions, self._look(uuid, detail))

    def _alarmed(self, uuid: str, code: str, detail: str) -> None:
        """On libvirt's thread: only hand over."""
        event = DriverEvent(self.name, EventKind.DOMAIN_ALARM, uuid, code=code, detail=detail)
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._emit, event)

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
            with self._supervision.apart(self._reactions, kind=event.kind.value):
                listener(event)

    # Host

    async def autostarted(self) -> Autostarted:
        return await self._connection.call(host.autostarted)

    async def host(self) -> HostFacts:
        if self._host is None:
            self._host = await self._connection.call(lambda handle: host.read(handle, self._settings.domain_type))
        return self._host

"""libvirt's events turned into DriverEvents. They come on a thread of libvirt's own, and are handed to the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import libvirt

from drivers.base import ConnectionState, DriverError, DriverEvent, DriverNotFound, EventKind, Listener
from drivers.libvirt.alarms import Alarms
from drivers.libvirt.connection import Connection
from drivers.libvirt.devices import Devices
from drivers.libvirt.domains import Domains

NETWORK_EVENTS = {
    libvirt.VIR_NETWORK_EVENT_DEFINED: "defined",
    libvirt.VIR_NETWORK_EVENT_UNDEFINED: "undefined",
    libvirt.VIR_NETWORK_EVENT_STARTED: "started",
    libvirt.VIR_NETWORK_EVENT_STOPPED: "stopped",
}


class Events:
    """The events of one hypervisor, from ``open`` on, and those who listen to them."""

    def __init__(self, hypervisor: str, connection: Connection, domains: Domains, devices: Devices) -> None:
        self._hypervisor = hypervisor
        self._connection = connection
        self._domains = domains
        self._devices = devices
        self._alarms = Alarms(self._alarmed)
        self._listeners: list[Listener] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._registered: dict[int, list[int]] = {}
        self._registered_network: dict[int, int] = {}
        self._looking: dict[str, bool] = {}
        """The domains that are being read, by UUID, and whether more happened to each meanwhile."""
        self._reactions = f"events of {hypervisor}"

    def open(self) -> None:
        """Register with each connection that comes up from now on."""
        self._loop = asyncio.get_running_loop()
        self._connection.on_connect = self._register
        self._connection.on_disconnect = self._deregister

    async def close(self) -> None:
        """Break off what events have begun."""
        await self._connection.supervision.end_reactions(self._reactions, cancel=True)

    def subscribe(self, listener: Listener) -> None:
        """Call the listener with each event from now on."""
        self._listeners.append(listener)

    def unsubscribe(self, listener: Listener) -> None:
        """Tell this listener nothing more; one that was told nothing is no error."""
        if listener in self._listeners:
            self._listeners.remove(listener)

    def tell_connection(self, state: ConnectionState, reason: str) -> None:
        """Tell the listeners of the connection's state."""
        self.emit(DriverEvent(self._hypervisor, EventKind.CONNECTION, state=state, detail=reason))

    def emit(self, event: DriverEvent) -> None:
        """Tell all listeners; one that fails keeps no other from hearing it."""
        for listener in self._listeners:
            with self._connection.supervision.apart(self._reactions, kind=event.kind.value):
                listener(event)

    # On libvirt's threads

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

    def _hand_over(self, work: Callable[..., None], *arguments: object) -> None:
        """Have the loop do the work, while there is one."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(work, *arguments)

    def _lifecycle(self, _handle: Any, domain: libvirt.virDomain, event: int, detail: int, _opaque: Any) -> None:
        self._hand_over(self._happened, domain.UUIDString(), event, detail)

    def _device_added(self, _handle: Any, domain: libvirt.virDomain, alias: str, _opaque: Any) -> None:
        self._hand_over(self._look_at, domain.UUIDString(), f"device {alias} added")

    def _network_lifecycle(self, _handle: Any, network: libvirt.virNetwork, event: int, *_rest: Any) -> None:
        detail = NETWORK_EVENTS.get(event, "")
        changed = DriverEvent(self._hypervisor, EventKind.NETWORK_CHANGED, network.UUIDString(), detail=detail)
        self._hand_over(self.emit, changed)

    def _device_removed(self, _handle: Any, domain: libvirt.virDomain, alias: str, _opaque: Any) -> None:
        self._hand_over(self._report_device, domain.UUIDString(), alias, True)

    def _device_kept(self, _handle: Any, domain: libvirt.virDomain, alias: str, _opaque: Any) -> None:
        self._hand_over(self._report_device, domain.UUIDString(), alias, False)

    def _alarmed(self, uuid: str, code: str, detail: str) -> None:
        alarm = DriverEvent(self._hypervisor, EventKind.DOMAIN_ALARM, uuid, code=code, detail=detail)
        self._hand_over(self.emit, alarm)

    # On the loop

    def _report_device(self, uuid: str, alias: str, gone: bool) -> None:
        self._devices.report(uuid, alias, gone=gone)
        self._look_at(uuid, f"device {alias} {'removed' if gone else 'kept'}")

    def _happened(self, uuid: str, event: int, detail: int) -> None:
        if event == libvirt.VIR_DOMAIN_EVENT_UNDEFINED:
            self.emit(DriverEvent(self._hypervisor, EventKind.DOMAIN_UNDEFINED, uuid))
        else:
            self._look_at(uuid, f"{event}/{detail}")

    def _look_at(self, uuid: str, detail: str) -> None:
        if uuid in self._looking:
            self._looking[uuid] = True
            return
        self._looking[uuid] = False
        self._connection.supervision.react(self._reactions, self._look(uuid, detail))

    async def _look(self, uuid: str, detail: str) -> None:
        """Read the domain, never trusting the event alone, and again when more happened meanwhile; tell what it is."""
        again = True
        try:
            while again:
                self._looking[uuid] = False
                try:
                    facts = await self._domains.read(uuid)
                except DriverNotFound:
                    self.emit(DriverEvent(self._hypervisor, EventKind.DOMAIN_UNDEFINED, uuid))
                except DriverError:
                    return
                else:
                    self.emit(DriverEvent(self._hypervisor, EventKind.DOMAIN_CHANGED, uuid, facts, detail=detail))
                again = self._looking[uuid]
        finally:
            del self._looking[uuid]

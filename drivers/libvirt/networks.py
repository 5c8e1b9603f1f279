"""Virtual networks through libvirt: definition, life, DHCP and DNS entries."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import libvirt
from lxml import etree

from drivers.base import DriverNotFound, Lease, NetworkFacts, NetworkSpec, Reservation
from drivers.libvirt import network_xml, reconnecting, routes
from drivers.libvirt.connection import Connection
from drivers.libvirt.errors import read_each
from drivers.libvirt.guest_words import host_name, ip_address, mac_address, prefix_length, seconds
from drivers.libvirt.lanes import Lane
from drivers.libvirt.network_lookup import network_of

T = TypeVar("T")
START_DEADLINE = 120.0
BOTH = libvirt.VIR_NETWORK_UPDATE_AFFECT_LIVE | libvirt.VIR_NETWORK_UPDATE_AFFECT_CONFIG
ADD, DELETE = libvirt.VIR_NETWORK_UPDATE_COMMAND_ADD_LAST, libvirt.VIR_NETWORK_UPDATE_COMMAND_DELETE
DHCP, DNS = libvirt.VIR_NETWORK_SECTION_IP_DHCP_HOST, libvirt.VIR_NETWORK_SECTION_DNS_HOST


class Networks:
    """The part ``networks`` of the driver (drivers.base.NetworkCalls)."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._looking: asyncio.Future[tuple[str, ...]] | None = None

    async def _with(
        self, name: str, work: Callable[[libvirt.virNetwork], T], lane: Lane = Lane.CONTROL, deadline: float = 30.0
    ) -> T:
        return await self._connection.call(lambda handle: work(network_of(handle, name)), lane=lane, deadline=deadline)

    async def list_all(self) -> tuple[NetworkFacts, ...]:
        """Return all networks by one listing on the lane of events."""
        return await self._connection.call(_read_all, lane=Lane.EVENTS)

    async def read(self, name: str) -> NetworkFacts:
        """Return the network, read on the lane of events."""
        return await self._with(name, network_xml.read, Lane.EVENTS)

    async def occupied_ranges(self) -> tuple[str, ...]:
        """Return the ranges in use; those who ask at the same moment share one look."""
        if self._looking is None:
            self._looking = asyncio.ensure_future(self._look())
            self._looking.add_done_callback(self._looked)
        return await asyncio.shield(self._looking)

    def _looked(self, task: asyncio.Future[tuple[str, ...]]) -> None:
        self._looking = None
        if not task.cancelled():
            task.exception()

    async def _look(self) -> tuple[str, ...]:
        """Return the ranges in use; the host's routes count only when the hypervisor is this host."""
        occupied = await self._connection.call(_ranges, lane=Lane.EVENTS)
        local = await routes.local_routes() if self._connection.local else ()
        return (*local, *occupied)

    async def define(self, spec: NetworkSpec) -> None:
        """Define the network; libvirt validates the definition, but for its test driver."""
        xml = network_xml.network_xml(spec)
        flags = 0 if self._connection.uri.startswith("test:") else libvirt.VIR_NETWORK_DEFINE_VALIDATE
        await self._connection.call(lambda handle: handle.networkDefineXMLFlags(xml, flags))

    async def start(self, name: str, *, always: bool = True) -> None:
        """Start the network on a lane of its own, since that may take minutes; one that is active is no error."""

        def work(network: libvirt.virNetwork) -> None:
            try:
                network.create()
            except libvirt.libvirtError as error:
                if error.get_error_code() != libvirt.VIR_ERR_OPERATION_INVALID or not network.isActive():
                    raise
            if always:
                network.setAutostart(1)

        await self._with(name, work, Lane.NETWORK, START_DEADLINE)

    async def stop(self, name: str) -> None:
        """Stop the network, and start it with the host no more."""

        def work(network: libvirt.virNetwork) -> None:
            network.setAutostart(0)
            if network.isActive():
                network.destroy()

        await self._with(name, work, Lane.NETWORK, START_DEADLINE)

    async def delete(self, name: str) -> None:
        """Stop the network, and undefine it."""

        def work(network: libvirt.virNetwork) -> None:
            if network.isActive():
                network.destroy()
            if network.isPersistent():
                network.undefine()

        try:
            await self._with(name, work, Lane.NETWORK, START_DEADLINE)
        except DriverNotFound:
            return

    async def leases(self, name: str) -> tuple[Lease, ...]:
        """Return the leases that libvirt tells; what is no address in them is passed over."""

        def work(network: libvirt.virNetwork) -> tuple[Lease, ...]:
            return tuple(lease for entry in network.DHCPLeases() or () if (lease := _lease(entry)) is not None)

        return await self._with(name, work, Lane.EVENTS)

    async def reconnect_interfaces(self, names: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
        """Move each lost interface to a network that leads nowhere, and back: only then libvirt plugs it in."""
        return await self._connection.call(
            lambda handle: reconnecting.reconnect(handle, names), lane=Lane.STORAGE, deadline=START_DEADLINE
        )

    # DHCP and DNS

    async def reserve_host(self, name: str, reservation: Reservation) -> None:
        """Bring the entries of DHCP and DNS to the reservation, unless both have it already."""

        def work(network: libvirt.virNetwork) -> None:
            root = network_xml.parsed(network)
            named = replace(reservation, mac=None)
            done_dhcp = reservation.mac is None or reservation in network_xml.dhcp_entries(root)
            done_dns = not reservation.hostname or named in network_xml.dns_entries(root)
            if done_dhcp and done_dns:
                return
            _take_out(network, reservation)
            if reservation.mac is not None:
                _update(network, ADD, DHCP, network_xml.dhcp_host(reservation))
            if reservation.hostname:
                _update(network, ADD, DNS, network_xml.dns_host(reservation))

        await self._with(name, work)

    async def release_host(self, name: str, reservation: Reservation) -> None:
        """Take out the entries of DHCP and DNS for the reservation's address or MAC."""
        try:
            await self._with(name, lambda network: _take_out(network, reservation))
        except DriverNotFound:
            return


def _read_all(handle: libvirt.virConnect) -> tuple[NetworkFacts, ...]:
    return read_each(handle.listAllNetworks(), network_xml.read, libvirt.VIR_ERR_NO_NETWORK)


def _ranges(handle: libvirt.virConnect) -> tuple[str, ...]:
    networks = read_each(handle.listAllNetworks(), network_xml.ranges_of, libvirt.VIR_ERR_NO_NETWORK)
    return tuple(entry for ranges in networks for entry in ranges)


def _take_out(network: libvirt.virNetwork, reservation: Reservation) -> None:
    """Take out whatever DHCP and DNS know of this address or this MAC."""
    root = network_xml.parsed(network)
    gone = {reservation.ip}
    for entry in network_xml.dhcp_entries(root):
        if entry.ip == reservation.ip or (entry.mac is not None and entry.mac == reservation.mac):
            _update(network, DELETE, DHCP, network_xml.dhcp_host(entry))
            gone.add(entry.ip)
    for entry in network_xml.dns_entries(root):
        if entry.ip in gone:
            # By the address alone: libvirt refuses when a name given with it stands in two entries (IPv4 and IPv6).
            _update(network, DELETE, DNS, network_xml.dns_host(Reservation(entry.ip)))


def _update(network: libvirt.virNetwork, command: int, section: int, element: etree._Element) -> None:
    flags = BOTH if network.isActive() else libvirt.VIR_NETWORK_UPDATE_AFFECT_CONFIG
    network.update(command, section, -1, etree.tostring(element, encoding="unicode"), flags)


def _lease(entry: dict[str, Any]) -> Lease | None:
    """Return what the DHCP server wrote down of a guest, whose name is the guest's word; None when it is no address."""
    ip = ip_address(entry.get("ipaddr"))
    if ip is None:
        return None
    return Lease(
        mac=mac_address(entry.get("mac")),
        ip=str(ip),
        prefix=prefix_length(entry.get("prefix"), ip),
        hostname=host_name(entry.get("hostname")),
        expires=seconds(entry.get("expirytime")),
    )

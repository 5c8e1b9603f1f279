"""The parts of a Machine's network interfaces, checked, kept, and told to hypervisor and guest (DSP0263 5.14.1.6).

The facts of an interface that the hypervisor needs stand with the Machine: ``KeptMachine.interfaces``, one entry each.
By its seed a guest gets reserved IPv6 Addresses, which no DHCP server gives.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from drivers.base import (
    GUARD_HOST,
    GUARD_MAC,
    Bandwidth,
    ConnectionState,
    Driver,
    HypervisorSettings,
    InterfaceSpec,
    Traffic,
    filter_name,
    fixed_filter_name,
    interface_identifier,
)
from drivers.seed import SeedInterface
from gateway.errors import Conflict, Invalid
from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.names import check_free, checked_mac, name_of, new_mac, uuid_of
from gateway.orchestration.common.references import resolve
from gateway.orchestration.common.resource_service import component
from gateway.orchestration.common.room import Room
from gateway.orchestration.machine_core.facts import InterfaceEntry, KeptMachine
from gateway.orchestration.machine_core.removal import left_hosts
from gateway.orchestration.networks.assignment import forget_addresses, is_reserved, reserved_ips, used_addresses
from gateway.orchestration.networks.facts import KeptAddress, KeptNetwork
from gateway.orchestration.networks.host_network import network_path
from gateway.orchestration.networks.spec import traffic_of
from gateway.store.model import Document, Resource
from gateway.store.reading import Reading
from gateway.store.transaction import Transaction

USUAL_MTU = 1500
USABLE = frozenset({"STARTED", "STOPPED"})
NO_IPV4 = "0.0.0.0/32"
"""The range that a guest without an IPv4 address sends from."""
UNFILTERED = frozenset({"private", "vepa", "passthrough", "hostdev"})
"""Ways to forward whose interfaces pass no bridge of the host, where no filter can stand."""


NOWHERE = ("255.255.255.255/32", "::/128")


@dataclass(frozen=True, slots=True)
class InterfacePlace:
    """The place of a new interface: the Machine's host, and the interface's id in the Machine."""

    host: str
    id: str
    where: str = ""
    """The way to the interface in the request, ending in a dot unless it is empty."""


async def chosen_interfaces(room: Room, caller: Caller, template: Document, host: str) -> list[InterfaceEntry]:
    """Return the interfaces of a new Machine: one on the hypervisor's network when the template says nothing."""
    requested = template.get("networkInterfaces") or [{}]
    return [
        await chosen_interface(
            room, caller, interface, InterfacePlace(host, str(number), f"machineTemplate.networkInterfaces.{number}.")
        )
        for number, interface in enumerate(requested)
    ]


async def chosen_interface(room: Room, caller: Caller, wished: Document, place: InterfacePlace) -> InterfaceEntry:
    """Return the entry of an interface that a document asks for. Raises Invalid, naming the attribute."""
    where = place.where
    port = await _port(room, caller, wished, where)
    network = await _network(room, caller, wished, port, place)
    mtu, least = wished.get("mtu"), network.document.get("mtu") or USUAL_MTU
    if mtu is not None and mtu > least:
        raise Invalid(f"must be at most the network's {least} bytes, not {mtu}", f"{where}mtu")
    up = wished.get("state", "Active") == "Active"
    guard = _guard(network, room.hypervisors[place.host])
    entry = InterfaceEntry(
        mac=_mac(wished.get("macAddress"), port, f"{where}macAddress"),
        network=name_of(network),
        network_path=network.path,
        id=place.id,
        mtu=mtu,
        up=up,
        link=up,
        filter=guard.filter,
        source=guard.source,
    )
    return entry if port is None else _through(entry, port)


async def _port(room: Room, caller: Caller, wished: Document, where: str) -> Resource | None:
    href = (wished.get("networkPort") or {}).get("href")
    if href is None:
        return None
    port = await resolve(room.store, caller, href, ("NetworkPort",), f"{where}networkPort")
    network = (wished.get("network") or {}).get("href")
    if network is not None and network != port.document["network"]["href"]:
        raise Invalid("the port is on another network than the one named beside it", f"{where}networkPort")
    return port


async def _network(
    room: Room, caller: Caller, wished: Document, port: Resource | None, place: InterfacePlace
) -> Resource:
    where = place.where
    if port is not None:
        of_port = await room.store.get(port.document["network"]["href"])
        if of_port is None:
            raise Invalid("the port's network is gone", f"{where}networkPort")
        network = of_port
    else:
        href = (wished.get("network") or {}).get("href") or network_path(room.hypervisors[place.host])
        network = await resolve(room.store, caller, href, ("Network",), f"{where}network")
    if KeptNetwork.of(network).host != place.host:
        raise Invalid(f"the network is not on the hypervisor {place.host}", f"{where}network")
    return network


def _mac(wished: str | None, port: Resource | None, where: str) -> str:
    mac = checked_mac(wished, where) if wished is not None else None
    if port is None:
        return mac or new_mac()
    own: str = port.document["macAddress"]
    if mac is not None and mac != own:
        raise Invalid(f"is not the port's own address {own}", where)
    return own


@dataclass(frozen=True, slots=True)
class Guard:
    """The packet filter that holds a guest to its addresses, and the range that it may send from."""

    filter: str | None = None
    source: str | None = None


def _guard(network: Resource, settings: HypervisorSettings) -> Guard:
    """Return what holds a guest on a Network to its addresses."""
    kept = KeptNetwork.of(network)
    source = next((entry for entry in kept.ranges if ":" not in entry), None)
    if kept.host_network or kept.forward == "bridge":
        if not settings.anti_spoofing or kept.forward in UNFILTERED:
            return Guard()
        return Guard(GUARD_HOST, source) if source is not None else Guard(GUARD_MAC)
    return Guard(filter_name(uuid_of(network)), source or NO_IPV4)


def _through(entry: InterfaceEntry, port: Resource) -> InterfaceEntry:
    """Return the entry of an interface that uses a NetworkPort."""
    passes = entry.up and port.document["state"] == "STARTED"
    return replace(entry, port=port.path, link=passes, service=port.document.get("classOfService"))


# Records, inside a transaction


async def keep_interface(
    transaction: Transaction, machine: Resource, entry: InterfaceEntry, *, ready: bool
) -> Resource:
    """Write the interface's resource, and in its port who uses it. Raises Conflict when something came first."""
    network = await transaction.get(entry.network_path)
    if network is None or network.state not in USABLE:
        state = network.state if network else "gone"
        raise Conflict(f"the Network {entry.network_path} is {state}, and cannot be used now")
    await check_free(transaction, entry.mac, port=entry.port, where="macAddress")
    interface = await transaction.insert(interface_resource(machine, entry, network, ready=ready))
    if entry.port is not None:
        port = await transaction.get(entry.port)
        if port is None or port.state not in USABLE:
            raise Conflict(f"the NetworkPort {entry.port} is {port.state if port else 'gone'}")
        if "resource" in port.document:
            raise Conflict(f"the NetworkPort {entry.port} is used by {port.document['resource']['href']} already")
        await transaction.update(port.with_document(resource={"href": interface.path}))
    return interface


def interface_resource(machine: Resource, entry: InterfaceEntry, network: Resource, *, ready: bool) -> Resource:
    """Return the MachineNetworkInterface of an entry; nothing is written.

    ``ready`` is False while the interface is about to be plugged in, and so is Disabled.
    """
    document: dict[str, Any] = {
        "network": {"href": entry.network_path},
        "networkPort": {"href": entry.port} if entry.port is not None else None,
        "state": state_of_entry(entry) if ready else "Disabled",
        "macAddress": entry.mac,
        "mtu": entry.mtu or network.document.get("mtu"),
        "networkType": network.document.get("networkType"),
    }
    attributes = {name: value for name, value in document.items() if value is not None}
    return component(machine, "MachineNetworkInterface", f"networkInterfaces/{entry.id}", attributes)


def state_of_entry(entry: InterfaceEntry) -> str:
    """Return the state that an interface has once it is plugged in."""
    return "Active" if entry.up else "Passive"


async def free_ports(transaction: Transaction, interface: str) -> None:
    """Clear the interface at this path from the NetworkPorts that say it uses them."""
    for port in await transaction.find("NetworkPort", "resource", interface):
        await transaction.update(port.with_document(resource=None))


async def drop_interface(transaction: Transaction, machine: Resource, id: str) -> None:
    """Delete the interface with this id and its entry, and take its addresses and its port from it."""
    path = f"{machine.path}/networkInterfaces/{id}"
    await free_ports(transaction, path)
    await forget_addresses(transaction, path)
    await transaction.delete(path)
    entries = tuple(entry for entry in KeptMachine.of(machine).interfaces if entry_id(machine, entry) != id)
    await transaction.update(KeptMachine.changed(machine, interfaces=entries))


def entry_id(machine: Resource, entry: InterfaceEntry) -> str:
    """Return the id of an interface; of an entry by an older gateway, which has none, its place."""
    return entry.id if entry.id is not None else str(KeptMachine.of(machine).interfaces.index(entry))


def with_entry(machine: Resource, entry: InterfaceEntry) -> Resource:
    """Return the Machine with this entry in place of the one of the same interface, or as a new one."""
    before = [(entry_id(machine, other), other) for other in KeptMachine.of(machine).interfaces]
    entries = [entry if name == entry.id else other for name, other in before]
    if entry.id not in dict(before):
        entries.append(entry)
    return KeptMachine.changed(machine, interfaces=tuple(entries))


def entry_of(machine: Resource, interface: str) -> InterfaceEntry:
    """Return the entry of the interface at this path, with its id. Raises Conflict when it is gone."""
    for entry in KeptMachine.of(machine).interfaces:
        if entry_id(machine, entry) == interface.rpartition("/")[2]:
            return replace(entry, id=entry_id(machine, entry))
    raise Conflict(f"the interface {interface} is gone")


async def give_back_addresses(room: Room, driver: Driver, machine: Resource, entries: Iterable[InterfaceEntry]) -> None:
    """Give back what interfaces that are no more had of their own on the hosts' networks.

    The addresses are given back on the Machine's host, and on each that it has left and that answers. A reserved
    Address that one of the interfaces uses stays kept.
    """
    kept = {KeptAddress.of(address).mac for address in await used_addresses(room.store, machine.path)}
    macs = [entry.mac for entry in entries if entry.filter == GUARD_HOST and entry.mac not in kept]
    if not macs:
        return
    await driver.addresses.give_back(macs)
    for left in [room.drivers[host] for host in await left_hosts(room, machine)]:
        if left.connection is ConnectionState.UP:
            await left.addresses.give_back(macs)


async def check_networks(room: Room, machine: Resource) -> None:
    """Raise Conflict, naming the network, when one of the Machine's networks does not run."""
    for entry in KeptMachine.of(machine).interfaces:
        network = await room.store.get(entry.network_path)
        if network is not None and network.state == "STOPPED":
            raise Conflict(f"the Network {network.path} of its interface {entry.mac} is STOPPED; start it first")


# An interface as the hypervisor gets it, and as the guest gets it by the seed


async def interface_spec(room: Room, driver: Driver, machine: Resource, entry: InterfaceEntry) -> InterfaceSpec:
    """Return the interface as the hypervisor gets it, held to its reserved addresses where it has any."""
    settings = room.hypervisors[driver.name]
    path = f"{machine.path}/networkInterfaces/{entry_id(machine, entry)}"
    return held(open_spec(entry, settings), entry, settings, await reserved_ips(room.store, path))


def open_spec(entry: InterfaceEntry, settings: HypervisorSettings) -> InterfaceSpec:
    """Return the interface as if no address was reserved for it: it may use all that its network gives."""
    return InterfaceSpec(
        mac=entry.mac,
        network=entry.network,
        mtu=entry.mtu,
        link_up=entry.up if entry.link is None else entry.link,
        traffic=traffic_of(entry.service, settings) or _traffic_within(entry.bandwidth),
        filter=entry.filter,
        source=entry.source,
        fenced=fenced(settings) if entry.filter == GUARD_HOST else (),
    )


def _traffic_within(bandwidth: int | None) -> Traffic | None:
    """Return the same limit for both ways; None without one."""
    return Traffic(Bandwidth(bandwidth), Bandwidth(bandwidth)) if bandwidth is not None else None


def held(
    spec: InterfaceSpec, entry: InterfaceEntry, settings: HypervisorSettings, reserved: Sequence[str]
) -> InterfaceSpec:
    """Return the interface held to its addresses: one of IPv4, which DHCP gives; of IPv6 all reserved and its own."""
    if not settings.anti_spoofing or spec.filter is None:
        return spec
    four, six = ([ip for ip in reserved if (":" in ip) == of_six] for of_six in (False, True))
    if len(four) == 1:
        spec = replace(spec, source=f"{four[0]}/32")
    if six:
        name = fixed_filter_name(entry.network_path.rpartition("/")[2])
        spec = replace(spec, filter=name, sources6=(*six, *own_addresses(six, spec.mac)))
    return spec


def own_addresses(reserved: Sequence[str], mac: str) -> list[str]:
    """Return the address that a guest with this MAC makes itself in the /64 of each reserved one (RFC 4291, app. A)."""
    ranges = {ipaddress.IPv6Network((ip, 64), strict=False) for ip in reserved}
    return [str(entry[interface_identifier(mac)]) for entry in sorted(ranges)]


def fenced(settings: HypervisorSettings) -> tuple[str, ...]:
    """Return the ranges of the gateway's own networks, and for a protocol without such a range one that is nowhere."""
    pools = [pool.range for pool in settings.address_pools]
    nowhere = [entry for entry in NOWHERE if not any((":" in pool) == (":" in entry) for pool in pools)]
    return (*pools, *nowhere)


async def seed_interfaces(store: Reading, machine: Resource) -> tuple[SeedInterface, ...]:
    """Return the interfaces of a Machine with reserved IPv6 Addresses; none of another: its guest does as it likes."""
    used = await used_addresses(store, machine.path)
    six = [address for address in used if is_reserved(address) and address.document["protocol"] == "IPv6"]
    if not six:
        return ()
    interfaces = await store.children(machine.path, "MachineNetworkInterface")
    ordered = sorted(interfaces, key=lambda interface: int(interface.path.rpartition("/")[2]))
    entries = [await _seed_interface(store, interface, six) for interface in ordered]
    leading = next(entry for entry in entries if entry.gateway)
    return tuple(entry if entry is leading else replace(entry, gateway="") for entry in entries)


async def _seed_interface(store: Reading, interface: Resource, six: list[Resource]) -> SeedInterface:
    network = await store.get(interface.document["network"]["href"])
    ranges = KeptNetwork.of(network).ranges if network is not None else ()
    own = [address.document for address in six if address.document["resource"]["href"] == interface.path]
    return SeedInterface(
        mac=interface.document["macAddress"],
        # Only the DHCP server of a network can say, when its ranges are not known.
        dhcp4=not ranges or any(":" not in entry for entry in ranges),
        addresses=tuple(f"{document['ip']}/{document['mask']}" for document in own),
        gateway=own[0]["defaultGateway"] if own else "",
    )

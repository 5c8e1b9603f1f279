"""What a Machine's network interfaces are made of, checked and kept (DSP0263 5.14.1.6).

What the hypervisor needs to know of an interface stands in the Machine's ``internal["interfaces"]``, one entry each.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from drivers.base import GUARD_HOST, GUARD_MAC, ConnectionState, Driver, HypervisorSettings, filter_name
from gateway.errors import Conflict, Invalid
from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.names import name_of, uuid_of
from gateway.orchestration.common.resolving import resolve
from gateway.orchestration.common.resource_service import Room, component
from gateway.orchestration.machine_core.removal import left_hosts
from gateway.orchestration.networks.assignment import forget_addresses, used_addresses
from gateway.orchestration.networks.host_network import network_path
from gateway.orchestration.networks.mac import check_free, checked_mac, new_mac
from gateway.store.model import Document, Resource
from gateway.store.transaction import Transaction

USUAL_MTU = 1500
USABLE = frozenset({"STARTED", "STOPPED"})
NO_IPV4 = "0.0.0.0/32"
"""What a guest sends from that has no IPv4 address."""
UNFILTERED = frozenset({"private", "vepa", "passthrough", "hostdev"})
"""Ways to forward whose interfaces pass no bridge of the host, where no filter can stand."""


async def chosen_interfaces(room: Room, caller: Caller, template: Document, host: str) -> list[Document]:
    """One on the hypervisor's network when the template says nothing."""
    asked = template.get("networkInterfaces") or [{}]
    return [
        await chosen_interface(room, caller, interface, host, str(place), f"machineTemplate.networkInterfaces.{place}.")
        for place, interface in enumerate(asked)
    ]


async def chosen_interface(
    room: Room, caller: Caller, asked: Document, host: str, id: str, where: str = ""
) -> Document:
    """An entry for ``internal["interfaces"]``. Raises Invalid, naming the attribute after ``where``."""
    port = await _port(room, caller, asked, where)
    network = await _network(room, caller, asked, port, host, where)
    mtu, least = asked.get("mtu"), network.document.get("mtu") or USUAL_MTU
    if mtu is not None and mtu > least:
        raise Invalid(f"must be at most the network's {least} bytes, not {mtu}", f"{where}mtu")
    up = asked.get("state", "Active") == "Active"
    entry = {
        "id": id,
        "mac": _mac(asked.get("macAddress"), port, f"{where}macAddress"),
        "network": name_of(network),
        "network_path": network.path,
        "mtu": mtu,
        "up": up,
        "link": up,
        **_guard(network, room.hypervisors[host]),
    }
    return {name: value for name, value in {**entry, **_of_port(port, up)}.items() if value is not None}


async def _port(room: Room, caller: Caller, asked: Document, where: str) -> Resource | None:
    href = (asked.get("networkPort") or {}).get("href")
    if href is None:
        return None
    port = await resolve(room.store, caller, href, ("NetworkPort",), f"{where}networkPort")
    wished = (asked.get("network") or {}).get("href")
    if wished is not None and wished != port.document["network"]["href"]:
        raise Invalid("the port is on another network than the one named beside it", f"{where}networkPort")
    return port


async def _network(
    room: Room, caller: Caller, asked: Document, port: Resource | None, host: str, where: str
) -> Resource:
    if port is not None:
        found = await room.store.get(port.document["network"]["href"])
        if found is None:
            raise Invalid("the port's network is gone", f"{where}networkPort")
        network = found
    else:
        href = (asked.get("network") or {}).get("href") or network_path(room.hypervisors[host])
        network = await resolve(room.store, caller, href, ("Network",), f"{where}network")
    if network.internal["host"] != host:
        raise Invalid(f"the network is not on the hypervisor {host}", f"{where}network")
    return network


def _mac(wished: str | None, port: Resource | None, where: str) -> str:
    mac = checked_mac(wished, where) if wished is not None else None
    if port is None:
        return mac or new_mac()
    own: str = port.document["macAddress"]
    if mac is not None and mac != own:
        raise Invalid(f"is not the port's own address {own}", where)
    return own


def _guard(network: Resource, settings: HypervisorSettings) -> Document:
    """Which packet filter holds the guest to its addresses, and the range that it may send from."""
    facts = network.internal
    source = next((entry for entry in facts.get("ranges", ()) if ":" not in entry), None)
    if facts.get("host_network") or facts.get("forward") == "bridge":
        if not settings.anti_spoofing or facts.get("forward") in UNFILTERED:
            return {}
        return {"filter": GUARD_HOST, "source": source} if source is not None else {"filter": GUARD_MAC}
    return {"filter": filter_name(uuid_of(network)), "source": source or NO_IPV4}


def _of_port(port: Resource | None, up: bool) -> Document:
    if port is None:
        return {}
    document = port.document
    return {
        "port": port.path,
        "link": up and document["state"] == "STARTED",
        "class": document.get("classOfService"),
    }


# What is kept, inside a transaction


async def keep_interface(transaction: Transaction, machine: Resource, entry: Document, *, ready: bool) -> Resource:
    """The interface's resource, and its port's word on who uses it. Raises Conflict when something came first."""
    network = await transaction.get(entry["network_path"])
    if network is None or network.state not in USABLE:
        state = network.state if network else "gone"
        raise Conflict(f"the Network {entry['network_path']} is {state}, and cannot be used now")
    await check_free(transaction, entry["mac"], port=entry.get("port"), where="macAddress")
    interface = await transaction.insert(interface_resource(machine, entry, network, ready=ready))
    if "port" in entry:
        port = await transaction.get(entry["port"])
        if port is None or port.state not in USABLE:
            raise Conflict(f"the NetworkPort {entry['port']} is {port.state if port else 'gone'}")
        if "resource" in port.document:
            raise Conflict(f"the NetworkPort {entry['port']} is used by {port.document['resource']['href']} already")
        await transaction.update(port.with_document(resource={"href": interface.path}))
    return interface


def interface_resource(machine: Resource, entry: Document, network: Resource, *, ready: bool) -> Resource:
    """``ready`` False: it is about to be plugged in, and Disabled until then."""
    document: dict[str, Any] = {
        "network": {"href": entry["network_path"]},
        "networkPort": {"href": entry["port"]} if "port" in entry else None,
        "state": shown_state(entry) if ready else "Disabled",
        "macAddress": entry["mac"],
        "mtu": entry.get("mtu") or network.document.get("mtu"),
        "networkType": network.document.get("networkType"),
    }
    known = {name: value for name, value in document.items() if value is not None}
    return component(machine, "MachineNetworkInterface", f"networkInterfaces/{entry['id']}", known)


def shown_state(entry: Document) -> str:
    return "Active" if entry["up"] else "Passive"


async def free_ports(transaction: Transaction, interface: str) -> None:
    """No port says any more that this interface uses it."""
    for port in await transaction.find("NetworkPort", "resource", interface):
        await transaction.update(port.with_document(resource=None))


async def drop_interface(transaction: Transaction, machine: Resource, id: str) -> None:
    """The interface is no more: its resource, its entry, and what its port says."""
    path = f"{machine.path}/networkInterfaces/{id}"
    await free_ports(transaction, path)
    await forget_addresses(transaction, path)
    await transaction.delete(path)
    entries = [entry for entry in machine.internal["interfaces"] if entry_id(machine, entry) != id]
    await transaction.update(machine.with_internal(interfaces=entries))


def entry_id(machine: Resource, entry: Document) -> str:
    """Entries of older gateways have no id: their place is it."""
    return str(entry["id"] if "id" in entry else machine.internal["interfaces"].index(entry))


def with_entry(machine: Resource, entry: Document) -> Resource:
    """The Machine with this entry in place of the one of the same interface, or as a new one."""
    known = [(entry_id(machine, other), other) for other in machine.internal["interfaces"]]
    kept = [entry if name == entry["id"] else other for name, other in known]
    return machine.with_internal(interfaces=kept if entry["id"] in dict(known) else [*kept, entry])


def entry_of(machine: Resource, interface: str) -> Document:
    """The entry of the interface at this path. Raises Conflict when it is gone."""
    for entry in machine.internal["interfaces"]:
        if entry_id(machine, entry) == interface.rpartition("/")[2]:
            return {"id": entry_id(machine, entry), **entry}
    raise Conflict(f"the interface {interface} is gone")


async def give_back_addresses(room: Room, driver: Driver, machine: Resource, entries: Iterable[Document]) -> None:
    """What interfaces that are no more had of their own on the hosts' networks is free for others.

    That is on the Machine's host, and on each that it has left and that answers. A reserved Address that one of them
    uses stays kept.
    """
    kept = {address.internal.get("mac") for address in await used_addresses(room.store, machine.path)}
    macs = [entry["mac"] for entry in entries if entry.get("filter") == GUARD_HOST and entry["mac"] not in kept]
    if not macs:
        return
    await driver.give_back_addresses(macs)
    for left in [room.drivers[host] for host in await left_hosts(room, machine)]:
        if left.connection is ConnectionState.UP:
            await left.give_back_addresses(macs)


async def check_networks(room: Room, machine: Resource) -> None:
    """A guest starts only when all its networks do run. Raises Conflict, naming the one that does not."""
    for entry in machine.internal["interfaces"]:
        network = await room.store.get(entry["network_path"])
        if network is not None and network.state == "STOPPED":
            raise Conflict(f"the Network {network.path} of its interface {entry['mac']} is STOPPED; start it first")

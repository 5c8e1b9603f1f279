"""Which interface uses which Address: said by the Address and by the interface's entry, always both (DSP0263 5.19).

What the hypervisor's DHCP and DNS know of an Address follows from that. ``bring_address`` is the one way there: it
makes them say what the store says, so whoever changes the store has only to call it, again after a crash.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from drivers.base import Driver, DriverNotFound, Reservation
from gateway import clock
from gateway.errors import Conflict, Invalid
from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.names import name_of
from gateway.orchestration.common.resolving import resolve
from gateway.orchestration.common.resource_service import Room
from gateway.orchestration.common.visibility import changeable
from gateway.orchestration.networks.address_create import RESERVED
from gateway.orchestration.networks.shared_addresses import bring_shared, is_shared, return_shared, with_mac
from gateway.store.model import Resource
from gateway.store.reading import Reading
from gateway.store.transaction import Transaction

LINK = "MachineNetworkInterfaceAddress"


def is_reserved(address: Resource) -> bool:
    """Whether a client asked for it; the others were reported by guests."""
    return bool(address.document.get("source") == RESERVED)


def reservation_of(address: Resource | None) -> Reservation | None:
    """What DHCP and DNS are to know of it: nothing before an interface uses it or it has a name.

    libvirt's DHCP takes MAC addresses for IPv4 only.
    """
    if address is None or not is_reserved(address) or address.internal.get("going"):
        return None
    document = address.document
    mac = address.internal.get("mac") if document["protocol"] == "IPv4" else None
    if mac is None and "hostname" not in document:
        return None
    return Reservation(document["ip"], mac, document.get("hostname"))


async def reservations_of(store: Reading, network: str) -> tuple[Reservation, ...]:
    """All that the hypervisor is to know of a Network's Addresses."""
    found = [reservation_of(address) for address in await store.find("Address", "network", network)]
    return tuple(entry for entry in found if entry is not None)


async def bring_address(room: Room, driver: Driver, network: str, address: str, ip: str) -> None:
    """Make DHCP and DNS say of this address of the Network what the store says. A Network that is gone is no error."""
    async with room.guards.hold((network,)):
        found = await room.store.get(network)
        if found is None:
            return
        if is_shared(found):
            await bring_shared(room, driver, found, address, ip)
        else:
            await _bring_own(room, driver, found, address, ip)


async def return_address(room: Room, driver: Driver, network: str, address: str, ip: str) -> None:
    """As ``bring_address``, of one that its interface gives up: a libvirt network that is gone is no error either."""
    async with room.guards.hold((network,)):
        found = await room.store.get(network)
        if found is None:
            return
        if is_shared(found):
            await return_shared(room, driver, found, address, ip)
        else:
            with suppress(DriverNotFound):
                await _bring_own(room, driver, found, address, ip)


async def _bring_own(room: Room, driver: Driver, network: Resource, address: str, ip: str) -> None:
    wanted = reservation_of(await room.store.get(address))
    if wanted is not None:
        await driver.reserve_host(name_of(network), wanted)
        return
    with suppress(DriverNotFound):
        await driver.release_host(name_of(network), Reservation(ip))


async def link(transaction: Transaction, interface: Resource, address: Resource, where: str) -> Resource:
    """The interface's entry for an Address that nobody uses. Raises Conflict, naming the attribute."""
    user = address.document.get("resource")
    if user is not None:
        raise Conflict(f"{where}: the Address is used by {user['href']}; take it from there first")
    if address.internal.get("going"):
        raise Conflict(f"{where}: the Address is being deleted")
    mac = interface.document["macAddress"]
    if address.internal.get("shared"):
        await _refuse_second(transaction, interface, where)
        address = with_mac(address, mac)
    now = clock.now()
    entry = Resource(
        path=f"{interface.path}/addresses/{address.path.rpartition('/')[2]}",
        kind=LINK,
        owner=interface.owner,
        document={"address": {"href": address.path}},
        created=now,
        updated=now,
        parent=interface.path,
    )
    used = address.with_document(resource={"href": interface.path})
    await transaction.update(used.with_internal(mac=mac))
    return await transaction.insert(entry)


async def _refuse_second(transaction: Transaction, interface: Resource, where: str) -> None:
    """In the host's own networks an interface has one address. Raises Conflict, naming the attribute."""
    for href in await linked(transaction, interface):
        other = await transaction.get(href)
        if other is not None and is_reserved(other):
            raise Conflict(f"{where}: the interface has {href} already, and one address in the host's own Network")


async def unlink(transaction: Transaction, address: str, interface: str) -> None:
    """Take the Address from the interface; one that was taken away already is no error."""
    await transaction.delete(f"{interface}/addresses/{address.rpartition('/')[2]}")
    known = await transaction.get(address)
    if known is not None and (known.document.get("resource") or {}).get("href") == interface:
        await transaction.update(known.with_document(resource=None).with_internal(mac=None))


async def used_addresses(store: Reading | Transaction, machine: str) -> list[Resource]:
    """The Addresses that the Machine's interfaces use, those reported by the guest included."""
    found: list[Resource | None] = []
    for interface in await store.children(machine, "MachineNetworkInterface"):
        found += [await store.get(href) for href in await linked(store, interface)]
    return [address for address in found if address is not None]


async def reserved_ips(store: Reading | Transaction, interface: str) -> list[str]:
    """Which addresses are reserved for the interface at this path, and stay so."""
    found = [await store.get(entry.document["address"]["href"]) for entry in await store.children(interface, LINK)]
    return [
        address.document["ip"]
        for address in found
        if address is not None and is_reserved(address) and not address.internal.get("going")
    ]


def machine_of(interface: str) -> str:
    """Path of the Machine whose interface has this path."""
    return interface.partition("/networkInterfaces/")[0]


async def linked(store: Reading | Transaction, interface: Resource) -> Iterable[str]:
    return [entry.document["address"]["href"] for entry in await store.children(interface.path, LINK)]


async def withdraw(room: Room, driver: Driver, addresses: Iterable[Resource]) -> None:
    """Take reserved Addresses from the interfaces that use them; those made for their Machine alone are deleted."""
    for address in addresses:
        await _withdraw(room, driver, address)


async def _withdraw(room: Room, driver: Driver, address: Resource) -> None:
    """The link goes last: by it the address is found again after a crash."""
    alone = address.internal.get("for_machine")
    async with room.store.transaction() as transaction:
        known = await transaction.get(address.path)
        if known is None:
            return
        await transaction.update(known.with_internal(mac=None, going=True if alone else None))
    await return_address(room, driver, *coordinates(address))
    async with room.store.transaction() as transaction:
        await unlink(transaction, address.path, address.document["resource"]["href"])
        if alone:
            await transaction.delete(address.path)


async def forget_addresses(transaction: Transaction, interface: Resource | str) -> None:
    """An interface is no more: what the guest reported goes with it, the reserved ones are free for another."""
    path = interface if isinstance(interface, str) else interface.path
    for entry in await transaction.children(path, LINK):
        address = await transaction.get(entry.document["address"]["href"])
        if address is None:
            continue
        if is_reserved(address):
            await unlink(transaction, address.path, path)
        else:
            await transaction.delete(address.path)


def coordinates(address: Resource) -> tuple[str, str, str]:
    """Its Network, itself, its IP: what ``bring_address`` takes."""
    return address.document["network"]["href"], address.path, address.document["ip"]


def arguments_of(address: Resource, **more: Any) -> dict[str, Any]:
    """A step's arguments: they have to do when the Address itself is gone already."""
    network, path, ip = coordinates(address)
    return {"resource": network, "address": path, "ip": ip, **more}


async def usable_address(room: Room, caller: Caller, href: str, where: str, network: str) -> Resource:
    """The reserved Address, when this caller may give it to an interface on the Network."""
    address = await resolve(room.store, caller, href, ("Address",), where)
    if not is_reserved(address):
        raise Invalid("the Address is what a guest uses by itself; only a reserved one can be given", where)
    if not changeable(caller, address):
        raise Invalid("the Address belongs to somebody else", where)
    if address.document["network"]["href"] != network:
        known = address.document["network"]["href"]
        raise Invalid(f"the Address is of {known}, the interface on {network}; they must be the same Network", where)
    return address

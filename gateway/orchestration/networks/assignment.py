"""The use of Addresses by interfaces: said by the Address and by the interface's entry, always both (DSP0263 5.19).

What the hypervisor's DHCP and DNS know of an Address follows from that. ``bring_address`` is the one way there: it
makes them say what the store says, so whoever changes the store has only to call it, again after a crash.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from typing import TypeAlias

from drivers.base import Driver, DriverNotFound, Reservation
from gateway import clock
from gateway.errors import Conflict, Invalid
from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.names import name_of
from gateway.orchestration.common.permissions import changeable
from gateway.orchestration.common.references import resolve
from gateway.orchestration.common.room import Room
from gateway.orchestration.networks.address_create import RESERVED, AddressWish, address_wish, reserved_address
from gateway.orchestration.networks.facts import KeptAddress
from gateway.orchestration.networks.shared_addresses import bring_shared, is_shared, return_shared, with_mac
from gateway.store.model import Document, Resource
from gateway.store.reading import Reading
from gateway.store.transaction import Transaction

LINK = "MachineNetworkInterfaceAddress"
Chosen: TypeAlias = AddressWish | str
"""An address to be reserved, or the path of one that is."""


def is_reserved(address: Resource) -> bool:
    """Return whether a client asked for the Address; the others were reported by guests."""
    return bool(address.document.get("source") == RESERVED)


def reservation_of(address: Resource | None) -> Reservation | None:
    """Return what DHCP and DNS are to know of an Address: nothing before an interface uses it or it has a name.

    libvirt's DHCP takes MAC addresses for IPv4 only.
    """
    if address is None or not is_reserved(address) or KeptAddress.of(address).leaving:
        return None
    document = address.document
    mac = KeptAddress.of(address).mac if document["protocol"] == "IPv4" else None
    if mac is None and "hostname" not in document:
        return None
    return Reservation(document["ip"], mac, document.get("hostname"))


async def reservations_of(store: Reading, network: str) -> tuple[Reservation, ...]:
    """Return all that the hypervisor is to know of a Network's Addresses."""
    reservations = [reservation_of(address) for address in await store.find("Address", "network", network)]
    return tuple(entry for entry in reservations if entry is not None)


async def bring_address(room: Room, driver: Driver, network: str, address: str, ip: str) -> None:
    """Make DHCP and DNS say of this address of the Network what the store says. A Network that is gone is no error."""
    async with room.guards.hold((network,)):
        current = await room.store.get(network)
        if current is None:
            return
        if is_shared(current):
            await bring_shared(room, driver, current, address, ip)
        else:
            await _bring_own(room, driver, current, address, ip)


async def return_address(room: Room, driver: Driver, network: str, address: str, ip: str) -> None:
    """Do as ``bring_address`` for an Address that its interface gives up: no libvirt network is no error either."""
    async with room.guards.hold((network,)):
        current = await room.store.get(network)
        if current is None:
            return
        if is_shared(current):
            await return_shared(room, driver, current, address, ip)
        else:
            with suppress(DriverNotFound):
                await _bring_own(room, driver, current, address, ip)


async def _bring_own(room: Room, driver: Driver, network: Resource, address: str, ip: str) -> None:
    wanted = reservation_of(await room.store.get(address))
    if wanted is not None:
        await driver.networks.reserve_host(name_of(network), wanted)
        return
    with suppress(DriverNotFound):
        await driver.networks.release_host(name_of(network), Reservation(ip))


async def link(transaction: Transaction, interface: Resource, address: Resource, where: str) -> Resource:
    """Return the interface's new entry for an Address that nobody uses. Raises Conflict, naming the attribute."""
    user, kept = address.document.get("resource"), KeptAddress.of(address)
    if user is not None:
        raise Conflict(f"{where}: the Address is used by {user['href']}; take it from there first")
    if kept.leaving:
        raise Conflict(f"{where}: the Address is being deleted")
    mac = interface.document["macAddress"]
    if kept.shared:
        await _refuse_second(transaction, interface, where)
        kept = with_mac(kept, mac)
    now = clock.now()
    entry = Resource(
        path=f"{interface.path}/addresses/{address.path.rpartition('/')[2]}",
        kind=LINK,
        project=interface.project,
        document={"address": {"href": address.path}},
        created=now,
        updated=now,
        parent=interface.path,
    )
    used = address.with_document(resource={"href": interface.path})
    await transaction.update(replace(kept, mac=mac).on(used))
    return await transaction.insert(entry)


async def _refuse_second(transaction: Transaction, interface: Resource, where: str) -> None:
    """Raise Conflict when the interface has an address: in the host's own networks it has one at most."""
    for href in await linked(transaction, interface):
        other = await transaction.get(href)
        if other is not None and is_reserved(other):
            raise Conflict(f"{where}: the interface has {href} already, and one address in the host's own Network")


async def unlink(transaction: Transaction, address: str, interface: str) -> None:
    """Take the Address from the interface; one that was taken away already is no error."""
    await transaction.delete(f"{interface}/addresses/{address.rpartition('/')[2]}")
    current = await transaction.get(address)
    if current is not None and (current.document.get("resource") or {}).get("href") == interface:
        await transaction.update(KeptAddress.changed(current.with_document(resource=None), mac=None))


async def used_addresses(store: Reading | Transaction, machine: str) -> list[Resource]:
    """Return the Addresses that the Machine's interfaces use, those reported by the guest included."""
    addresses: list[Resource | None] = []
    for interface in await store.children(machine, "MachineNetworkInterface"):
        addresses += [await store.get(href) for href in await linked(store, interface)]
    return [address for address in addresses if address is not None]


async def reserved_ips(store: Reading | Transaction, interface: str) -> list[str]:
    """Return the IP addresses that are reserved for the interface at this path, and stay so."""
    addresses = [await store.get(entry.document["address"]["href"]) for entry in await store.children(interface, LINK)]
    return [
        address.document["ip"]
        for address in addresses
        if address is not None and is_reserved(address) and not KeptAddress.of(address).leaving
    ]


def machine_of(interface: str) -> str:
    """Return the path of the Machine whose interface has this path."""
    return interface.partition("/networkInterfaces/")[0]


async def linked(store: Reading | Transaction, interface: Resource) -> Iterable[str]:
    """Return the paths of the Addresses that the interface uses."""
    return [entry.document["address"]["href"] for entry in await store.children(interface.path, LINK)]


async def withdraw(room: Room, driver: Driver, addresses: Iterable[Resource]) -> None:
    """Take reserved Addresses from the interfaces that use them; those made for their Machine alone are deleted."""
    for address in addresses:
        await _withdraw(room, driver, address)


async def _withdraw(room: Room, driver: Driver, address: Resource) -> None:
    """Take a reserved Address from its interface. The link goes last: by it the address is found after a crash."""
    alone = KeptAddress.of(address).for_machine
    async with room.store.transaction() as transaction:
        current = await transaction.get(address.path)
        if current is None:
            return
        await transaction.update(KeptAddress.changed(current, mac=None, leaving=alone))
    await return_address(room, driver, *coordinates(address))
    async with room.store.transaction() as transaction:
        await unlink(transaction, address.path, address.document["resource"]["href"])
        if alone:
            await transaction.delete(address.path)


async def forget_addresses(transaction: Transaction, interface: Resource | str) -> None:
    """Take all Addresses from an interface that is no more.

    Addresses that the guest reported go with the interface; the reserved ones are free for another.
    """
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
    """Return the paths of the Network and of the Address, and the IP: ``bring_address`` and steps take these.

    These have to do when the Address itself is gone already.
    """
    return address.document["network"]["href"], address.path, address.document["ip"]


# The Addresses of a new interface, by reference or by value (DSP0263 5.14.1.6)


async def usable_address(room: Room, caller: Caller, href: str, where: str, network: str) -> Resource:
    """Return the reserved Address, when this caller may give it to an interface on the Network. Raises Invalid."""
    address = await resolve(room.store, caller, href, ("Address",), where)
    if not is_reserved(address):
        raise Invalid("the Address is what a guest uses by itself; only a reserved one can be given", where)
    if not changeable(caller, address):
        raise Invalid("the Address belongs to somebody else", where)
    own = address.document["network"]["href"]
    if own != network:
        raise Invalid(f"the Address is of {own}, the interface on {network}; they must be the same Network", where)
    return address


async def chosen_addresses(room: Room, caller: Caller, template: Document, path: str, where: str = "") -> list[Chosen]:
    """Return the addresses for an interface on the Network at ``path``; nothing is written. Raises Invalid."""
    chosen: list[Chosen] = []
    network = await room.store.get(path) if template.get("addresses") else None
    if network is None:
        return chosen
    for place, given in enumerate(template.get("addresses") or []):
        named = f"{where}addresses.{place}"
        if _is_address(given):
            chosen.append((await usable_address(room, caller, given["href"], named, network.path)).path)
        else:
            chosen.append(await address_wish(room, caller, given, named, network))
    paths = [entry for entry in chosen if isinstance(entry, str)]
    if len(set(paths)) != len(paths):
        raise Invalid("names an Address twice", f"{where}addresses")
    return chosen


def _is_address(given: Document) -> bool:
    """Return whether it is a reference to an Address; one to an AddressTemplate is a wish with overrides."""
    if not str(given.get("href", "")).startswith("addresses/"):
        return False
    extra = sorted(given.keys() - {"href"})
    if extra:
        raise Invalid("an Address is given as it is; leave the attribute out", f"addresses.{extra[0]}")
    return True


async def keep_addresses(transaction: Transaction, interface: Resource, chosen: list[Chosen], where: str = "") -> None:
    """Link the addresses to the interface, and reserve those that are not yet; these go again with their Machine.

    Raises Conflict when somebody came first.
    """
    for place, entry in enumerate(chosen):
        named = f"{where}addresses.{place}"
        if isinstance(entry, str):
            address = await transaction.get(entry)
            if address is None:
                raise Conflict(f"{named}: the Address is gone")
        else:
            reserved = await reserved_address(transaction, entry, interface.project, {})
            address = KeptAddress.changed(reserved, for_machine=True)
        await link(transaction, interface, address, named)

"""Reserved Addresses in the host's own networks, which an admin, other gateways and foreign guests use too.

libvirt's DHCP gives the addresses there, and is the judge: each Address has a DHCP entry from its create until its
delete. While no interface uses it, the entry is for a MAC that nobody has. So nobody else is given the address.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import replace

from drivers.base import Driver, DriverConflict, DriverNotFound, NetworkFacts, Reservation
from gateway.errors import Conflict
from gateway.orchestration.common.hosts import demand_up, translating
from gateway.orchestration.common.names import name_of
from gateway.orchestration.common.room import Room
from gateway.orchestration.networks.address_ranges import AddressRange, first_free, parse_ip
from gateway.orchestration.networks.facts import KeptAddress, KeptNetwork
from gateway.orchestration.networks.ranges import as_range
from gateway.orchestration.networks.reservations import claim_value, reserve
from gateway.orchestration.networks.trouble import RESERVATIONS, report
from gateway.store.claims import claimed_between, unclaim
from gateway.store.model import Resource
from gateway.store.transaction import Transaction

TRIES = 20
"""How often an address that was not asked for by its name is chosen again because somebody was quicker."""
MOST_MACS = 8
OFF = frozenset({"STOPPED", "ERROR"})


def is_shared(network: Resource | None) -> bool:
    """Return whether the Network is the host's own."""
    return network is not None and KeptNetwork.of(network).host_network is not None


def served_ranges(network: Resource) -> tuple[AddressRange, ...]:
    """Return what DHCP gives in a network of the host's own; nothing where libvirt is no DHCP server.

    An interface has there the IPv6 address that its MAC makes, and no other.
    """
    served = KeptNetwork.of(network).served
    if served is None:
        return ()
    gateway = parse_ip(served.gateway.partition("/")[0], "gateway")
    spans = tuple((parse_ip(first, "range"), parse_ip(last, "range")) for first, last in served.spans)
    return (AddressRange(as_range(served.gateway), gateway, within=spans),)


async def held_by_others(room: Room, network: Resource) -> frozenset[str]:
    """Return the addresses that have an entry or a lease in the host's network now. Raises Unavailable."""
    driver = room.driver(network)
    demand_up(driver)
    with translating():
        return await _held(driver, name_of(network))


async def _held(driver: Driver, name: str) -> frozenset[str]:
    facts = await driver.networks.read(name)
    leased = [lease.ip for lease in await driver.networks.leases(name)] if facts.active else []
    return frozenset((*(entry.ip for entry in facts.reservations), *leased))


async def reserve_free(
    transaction: Transaction, network: str, entry: AddressRange, holder: str, taken: frozenset[str]
) -> str:
    """Give an address that nobody has to the holder. Raises Conflict when there is none.

    The place where the search begins follows from the holder: gateways on one host then seldom choose the same one.
    """
    others = {int(parse_ip(ip, "ip")) for ip in taken if ":" not in ip}
    spans = entry.spans()
    place = int.from_bytes(_digest(holder)[:4]) % (sum(last - first + 1 for first, last in spans) or 1)
    for first, last in _turned(spans, place):
        values = await claimed_between(
            transaction, network, *(claim_value(entry.at(number)) for number in (first, last))
        )
        claimed = {int(value.partition(":")[2], 16) for value in values}
        number = first_free((first, last), sorted(number for number in claimed | others if first <= number <= last))
        if number is not None:
            assert await reserve(transaction, network, entry.at(number), holder)
            return str(entry.at(number))
    raise Conflict(f"no address is free in {entry.range}; delete an Address of the network, or use another network")


def _turned(spans: tuple[tuple[int, int], ...], place: int) -> list[tuple[int, int]]:
    """Return the spans from this place of all of them on, and then those before it."""
    before: list[tuple[int, int]] = []
    after: list[tuple[int, int]] = []
    for first, last in spans:
        cut = min(max(first + place, first), last + 1)
        place -= cut - first
        if first < cut:
            before.append((first, cut - 1))
        if cut <= last:
            after.append((cut, last))
    return [*after, *before]


def _digest(path: str) -> bytes:
    return hashlib.sha256(path.encode()).digest()


def unused_mac(address: str) -> str:
    """Return the MAC, administered locally, in the entry of the Address at this path while nobody uses it."""
    return ":".join(f"{octet:02x}" for octet in (2, *_digest(address)[:5]))


def with_mac(kept: KeptAddress, mac: str) -> KeptAddress:
    """Return the Address's facts with a MAC that its entry may have from now on."""
    others = [other for other in kept.macs if other != mac]
    return replace(kept, macs=tuple([*others, mac][-MOST_MACS:]))


def shared_entry(address: Resource) -> Reservation:
    """Return the DHCP entry that a reserved Address has to have."""
    return Reservation(address.document["ip"], KeptAddress.of(address).mac or unused_mac(address.path))


def _ours(path: str, address: Resource | None) -> frozenset[str]:
    """Return the MACs by which an entry is known to be that of the Address at this path."""
    macs = KeptAddress.of(address).macs if address is not None else ()
    return frozenset((unused_mac(path), *(mac.lower() for mac in macs)))


async def bring_shared(room: Room, driver: Driver, network: Resource, path: str, ip: str) -> None:
    """Make DHCP say of the Address at this path what the store says. Raises DriverConflict when others have it.

    An IP that nobody asked for is changed for another until the Address has had its entry for the first time.
    """
    name = name_of(network)
    for _ in range(TRIES):
        address = await room.store.get(path)
        if address is None or KeptAddress.of(address).leaving:
            last = ip if address is None else address.document["ip"]
            await driver.addresses.leave(name, last, _ours(path, address))
            return
        try:
            await driver.addresses.take(name, shared_entry(address), _ours(path, address))
        except DriverConflict:
            if KeptAddress.of(address).entered or not KeptAddress.of(address).chosen:
                raise
            await _choose_again(room, driver, network, path)
            continue
        await _entered(room, address)
        return
    raise DriverConflict(f"others take every address that is chosen in the network {name}; try again")


async def _entered(room: Room, address: Resource) -> None:
    """Note that DHCP has the entry of the Address."""
    kept = KeptAddress.of(address)
    if kept.entered and not kept.lost:
        return
    async with room.store.transaction() as transaction:
        current = await transaction.get(address.path)
        if current is not None:
            await transaction.update(KeptAddress.changed(current, entered=True, lost=False))


async def _choose_again(room: Room, driver: Driver, network: Resource, path: str) -> None:
    """Give the Address at this path another IP than the one it has."""
    taken = await _held(driver, name_of(network))
    async with room.store.transaction() as transaction:
        address = await transaction.get(path)
        if address is None:
            return
        before = address.document["ip"]
        ip = await reserve_free(transaction, network.path, served_ranges(network)[0], path, taken | {before})
        await unclaim(transaction, network.path, claim_value(parse_ip(before, "ip")), path)
        await transaction.update(address.with_document(ip=ip))


async def return_shared(room: Room, driver: Driver, network: Resource, path: str, ip: str) -> None:
    """Do as ``bring_shared`` for an Address that its interface gives up, whatever others made of the network meanwhile.

    A network that is gone keeps nothing, and an address that others have now stays theirs. Comparisons go on trying.
    """
    with suppress(DriverNotFound):
        try:
            await bring_shared(room, driver, network, path, ip)
        except DriverConflict as error:
            if await _note_lost(room, path):
                await report(room, network.path, RESERVATIONS, str(error))


async def _note_lost(room: Room, path: str) -> bool:
    """Note that others have the address, which is told once, and return whether that is new."""
    async with room.store.transaction() as transaction:
        address = await transaction.get(path)
        if address is None or KeptAddress.of(address).lost:
            return False
        await transaction.update(KeptAddress.changed(address, lost=True))
        return True


async def demand_off(transaction: Transaction, address: Resource, machine: str) -> None:
    """Raise Conflict while a guest runs that would have to be held to another address of the host's network."""
    user = await transaction.get(machine)
    network = await transaction.get(address.document["network"]["href"])
    if is_shared(network) and user is not None and user.state not in OFF:
        raise Conflict(
            "the Network is the host's own, where a guest that runs is held to the one address that it has; "
            "stop the Machine first"
        )


def _is_entered(address: Resource, facts: NetworkFacts) -> bool:
    """Return whether the entry is there; an admin may have given the address a name in DNS."""
    wanted = shared_entry(address)
    return any((entry.ip, (entry.mac or "").lower()) == (wanted.ip, wanted.mac) for entry in facts.reservations)


async def repair_shared(room: Room, driver: Driver, network: Resource, facts: NetworkFacts) -> list[str]:
    """Put back the entries that reserved Addresses lack. Return words about each that was, or that others have now.

    Entries of Addresses that a Job is at work on are for that Job to bring.
    """
    words = []
    for address in await room.store.find("Address", "network", network.path):
        if not KeptAddress.of(address).entered or _is_entered(address, facts):
            continue
        user = address.document.get("resource", {}).get("href", "").partition("/networkInterfaces/")[0]
        async with room.guards.hold((network.path,)):
            if {address.path, user}.isdisjoint(await room.runner.claimed()):
                words += await _put_back(room, driver, network, address)
    return words


async def _put_back(room: Room, driver: Driver, network: Resource, address: Resource) -> list[str]:
    current, facts = await room.store.get(address.path), await driver.networks.read(name_of(network))
    if current is None or KeptAddress.of(current).leaving or _is_entered(current, facts):
        return []
    try:
        await bring_shared(room, driver, network, current.path, current.document["ip"])
    except DriverConflict as error:
        return [str(error)] if await _note_lost(room, address.path) else []
    return [f"the DHCP entry of {current.document['ip']} was missing"]

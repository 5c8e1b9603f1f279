"""The repair of what others changed in filters, DHCP and DNS of Networks: these follow from the store alone.

It is told in the Network's event log. What a job has written into the store and not yet brought to the hypervisor looks
the same; it is brought there too, but nobody is told of it.
"""

from __future__ import annotations

from drivers.base import Driver, NetworkFacts, Reservation
from gateway.orchestration.common.names import name_of
from gateway.orchestration.common.room import Room
from gateway.orchestration.networks.assignment import machine_of, reservations_of
from gateway.orchestration.networks.facts import KeptNetwork
from gateway.orchestration.networks.membership import groups_of
from gateway.orchestration.networks.reach import define_filter
from gateway.orchestration.networks.shared_addresses import is_shared, repair_shared
from gateway.orchestration.networks.trouble import RESERVATIONS, report
from gateway.store.model import Resource

UNSETTLED = frozenset({"CREATING", "DELETING"})


async def repair_network(room: Room, driver: Driver, network: Resource, facts: NetworkFacts | None) -> None:
    """Put right one Network of ours on this host; ``facts`` are what the hypervisor has of it."""
    if KeptNetwork.of(network).host != driver.name or network.state in UNSETTLED:
        return
    if is_shared(network):
        if facts is not None:
            await _shared(room, driver, network, facts)
        return
    await _filter(room, driver, network)
    if facts is not None:
        await _reservations(room, driver, network, facts)


async def _shared(room: Room, driver: Driver, network: Resource, facts: NetworkFacts) -> None:
    """Put right the entries of reserved Addresses, which alone are ours in a network of the host's own."""
    words = await repair_shared(room, driver, network, facts)
    if words:
        await report(room, network.path, RESERVATIONS, "; ".join(words))


async def _filter(room: Room, driver: Driver, network: Resource) -> None:
    async with room.guards.hold((network.path,)):
        changed = await define_filter(room, driver, network.path) and not await _explained(room, network)
    if changed:
        await report(room, network.path, "packet filter put right", "its rules were not what the network needs")


async def _explained(room: Room, network: Resource) -> bool:
    """Return whether a job is at work on what the Network's filter follows from: itself, its group, its Addresses."""
    claimed = await room.runner.claimed()
    if not {network.path, *groups_of(network)}.isdisjoint(claimed):
        return True
    return bool(await _moving(room, network, claimed))


async def _reservations(room: Room, driver: Driver, network: Resource, facts: NetworkFacts) -> None:
    """Put right what DHCP and DNS say.

    First comes a look without a lock; then, under it, again at both sides, since a job may be at work on either.
    """
    if _agree(facts, await reservations_of(room.store, network.path)):
        return
    async with room.guards.hold((network.path,)):
        facts = await driver.networks.read(name_of(network))
        wanted = {entry.ip: entry for entry in await reservations_of(room.store, network.path)}
        present = {entry.ip: entry for entry in facts.reservations}
        for ip in present.keys() - wanted.keys():
            await driver.networks.release_host(facts.name, present[ip])
        for ip, entry in wanted.items():
            if present.get(ip) != entry:
                await driver.networks.reserve_host(facts.name, entry)
        changed = {ip for ip in present.keys() | wanted.keys() if present.get(ip) != wanted.get(ip)}
        changed -= await _moving(room, network, await room.runner.claimed())
    if changed:
        words = ", ".join(sorted(changed))
        await report(room, network.path, RESERVATIONS, f"DHCP or DNS said something else of {words}")


async def _moving(room: Room, network: Resource, claimed: frozenset[str]) -> set[str]:
    """Return the addresses that a job is at work on, by the Address itself or by the Machine that uses it."""
    if not claimed:
        return set()
    addresses = await room.store.find("Address", "network", network.path)
    return {address.document["ip"] for address in addresses if not _about(address).isdisjoint(claimed)}


def _about(address: Resource) -> set[str]:
    user = address.document.get("resource")
    return {address.path, *([machine_of(user["href"])] if user else [])}


def _agree(facts: NetworkFacts, wanted: tuple[Reservation, ...]) -> bool:
    return sorted(facts.reservations, key=_ip) == sorted(wanted, key=_ip)


def _ip(entry: Reservation) -> str:
    return entry.ip

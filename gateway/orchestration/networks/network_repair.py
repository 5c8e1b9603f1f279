"""Puts right what others changed in the filters, DHCP and DNS of Networks: those follow from the store alone."""

from __future__ import annotations

import structlog

from drivers.base import Driver, NetworkFacts, Reservation
from gateway.orchestration.networks.assignment import reservations_of
from gateway.orchestration.networks.reach import bring_filter
from gateway.orchestration.networks.spec import name_of
from gateway.orchestration.resources import Room
from gateway.store.model import Resource

UNSETTLED = frozenset({"CREATING", "DELETING"})
log = structlog.get_logger("sync")


async def repair_networks(room: Room, driver: Driver, known: dict[str, NetworkFacts]) -> None:
    """All our Networks on a host; ``known`` are those that the hypervisor has, by name."""
    async for network in room.store.every("Network"):
        await repair_network(room, driver, network, known.get(name_of(network)))


async def repair_network(room: Room, driver: Driver, network: Resource, facts: NetworkFacts | None) -> None:
    foreign = network.internal.get("host") != driver.name or network.internal.get("host_network")
    if foreign or network.state in UNSETTLED:
        return
    await _filter(room, driver, network)
    if facts is not None:
        await _reservations(room, driver, network, facts)


async def _filter(room: Room, driver: Driver, network: Resource) -> None:
    if await bring_filter(room, driver, network.path):
        log.warning("packet filter put right", network=network.path)


async def _reservations(room: Room, driver: Driver, network: Resource, facts: NetworkFacts) -> None:
    """First a look without a lock; then, under it, again at both sides, since a job may be at work on either."""
    if _agree(facts, await reservations_of(room.store, network.path)):
        return
    async with room.guards.hold((network.path,)):
        facts = await driver.network(name_of(network))
        wanted = {entry.ip: entry for entry in await reservations_of(room.store, network.path)}
        found = {entry.ip: entry for entry in facts.reservations}
        for ip in found.keys() - wanted.keys():
            await driver.release_host(facts.name, found[ip])
        for ip, entry in wanted.items():
            if found.get(ip) != entry:
                await driver.reserve_host(facts.name, entry)
        changed = sorted(ip for ip in found.keys() | wanted.keys() if found.get(ip) != wanted.get(ip))
    if changed:
        log.warning("reservations put right", network=network.path, addresses=changed)


def _agree(facts: NetworkFacts, wanted: tuple[Reservation, ...]) -> bool:
    return sorted(facts.reservations, key=_ip) == sorted(wanted, key=_ip)


def _ip(entry: Reservation) -> str:
    return entry.ip

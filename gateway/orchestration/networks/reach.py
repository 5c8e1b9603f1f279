"""The reach of a Network's guests: the other Networks of its ForwardingGroup, and nothing of the gateway's else."""

from __future__ import annotations

from drivers.base import Driver, HypervisorSettings, Reach
from gateway.orchestration.common.names import uuid_of
from gateway.orchestration.common.room import Room
from gateway.orchestration.networks.assignment import is_reserved
from gateway.orchestration.networks.facts import KeptNetwork
from gateway.orchestration.networks.membership import groups_of, members
from gateway.orchestration.networks.ranges import range_spec
from gateway.orchestration.networks.shared_addresses import is_shared
from gateway.store.model import Resource
from gateway.store.reading import Reading

CLOSED = "open"
"""The forward mode of our PRIVATE Networks: libvirt filters nothing, the interfaces' own filters all."""


async def bring_filter(room: Room, driver: Driver, path: str) -> bool:
    """Make the Network's filter say what the store says now, and return whether it had to be changed.

    The host's own have none: each interface there is held to its own address by itself.
    """
    async with room.guards.hold((path,)):
        return await define_filter(room, driver, path)


async def define_filter(room: Room, driver: Driver, path: str) -> bool:
    """Make the filter as ``bring_filter`` does, for who holds the Network's guard already."""
    network = await room.store.get(path)
    if network is None or is_shared(network):
        return False
    return await driver.filters.define(await reach_of(room.store, network, room.hypervisors[driver.name]))


async def reach_of(store: Reading, network: Resource, settings: HypervisorSettings) -> Reach:
    """Return what the guests of the Network reach by the store."""
    others = [other for group in groups_of(network) for other in await members(store, group)]
    joined = [entry for other in others if other.path != network.path for entry in KeptNetwork.of(other).ranges]
    return Reach(
        network=uuid_of(network),
        ranges=own_addresses(network),
        closed=KeptNetwork.of(network).forward == CLOSED,
        joined=tuple(sorted(joined)),
        fenced=tuple(pool.range for pool in settings.address_pools),
        guarded=settings.anti_spoofing,
        fixed=settings.anti_spoofing and await _has_fixed(store, network),
    )


async def _has_fixed(store: Reading, network: Resource) -> bool:
    """Return whether an interface uses a reserved IPv6 Address of the Network."""
    if network.state == "CREATING" or not any(":" in entry for entry in KeptNetwork.of(network).ranges):
        return False
    addresses = await store.find("Address", "network", network.path)
    return any(
        is_reserved(address) and address.document["protocol"] == "IPv6" and "resource" in address.document
        for address in addresses
    )


def own_addresses(network: Resource) -> tuple[str, ...]:
    """Return the host's addresses in the Network, with prefix length."""
    specs = [range_spec(entry) for entry in KeptNetwork.of(network).ranges]
    return tuple(f"{spec.gateway}/{spec.prefix}" for spec in specs)

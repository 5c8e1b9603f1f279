"""What the guests of a Network reach: the other Networks of its ForwardingGroup, and nothing of the gateway's else."""

from __future__ import annotations

from drivers.base import Driver, HypervisorSettings, Reach
from gateway.orchestration.common.names import uuid_of
from gateway.orchestration.common.resource_service import Room
from gateway.orchestration.networks.assignment import is_reserved
from gateway.orchestration.networks.ranges import range_spec
from gateway.orchestration.networks.shared_addresses import is_shared
from gateway.store.model import Resource
from gateway.store.reading import Reading

CLOSED = "open"
"""The forward mode of our PRIVATE Networks: libvirt filters nothing, the interfaces' own filters all."""


async def bring_filter(room: Room, driver: Driver, path: str) -> bool:
    """Make the Network's filter say what the store says now. Whether it had to be changed.

    The host's own have none: each interface there is held to its own address by itself.
    """
    async with room.guards.hold((path,)):
        return await define_filter(room, driver, path)


async def define_filter(room: Room, driver: Driver, path: str) -> bool:
    """As ``bring_filter``, for who holds the Network's guard already."""
    network = await room.store.get(path)
    if network is None or is_shared(network):
        return False
    return await driver.define_reach(await reach_of(room.store, network, room.hypervisors[driver.name]))


async def reach_of(store: Reading, network: Resource, settings: HypervisorSettings) -> Reach:
    group = network.document.get("forwardingGroup")
    others = await members(store, group["href"]) if group else ()
    return Reach(
        network=uuid_of(network),
        ranges=own_addresses(network),
        closed=network.internal["forward"] == CLOSED,
        joined=tuple(
            sorted(entry for other in others if other.path != network.path for entry in other.internal["ranges"])
        ),
        fenced=tuple(pool.range for pool in settings.address_pools),
        guarded=settings.anti_spoofing,
        fixed=settings.anti_spoofing and await _has_fixed(store, network),
    )


async def _has_fixed(store: Reading, network: Resource) -> bool:
    """Whether an interface uses a reserved IPv6 Address of the Network."""
    if network.state == "CREATING" or not any(":" in entry for entry in network.internal["ranges"]):
        return False
    addresses = await store.find("Address", "network", network.path)
    return any(
        is_reserved(address) and address.document["protocol"] == "IPv6" and "resource" in address.document
        for address in addresses
    )


def own_addresses(network: Resource) -> tuple[str, ...]:
    """The host's addresses in it, with prefix length."""
    specs = [range_spec(entry) for entry in network.internal["ranges"]]
    return tuple(f"{spec.gateway}/{spec.prefix}" for spec in specs)


async def members(store: Reading, group: str) -> tuple[Resource, ...]:
    """The Networks of a ForwardingGroup, in the order in which they joined."""
    found = []
    for entry in await store.children(group, "ForwardingGroupNetwork"):
        network = await store.get(entry.document["network"]["href"])
        if network is not None:
            found.append(network)
    return tuple(found)

"""Which Network is in which ForwardingGroup: said by the Network and by the group's entry, always both."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Sequence

from gateway import clock
from gateway.errors import Conflict, Invalid
from gateway.orchestration.networks.ranges import as_range
from gateway.store.model import Resource
from gateway.store.transaction import Transaction

ROUTED = frozenset({"open", "route"})
"""The forward modes whose guests' packets reach the host's routes with their own addresses on them."""
ENTRY = "ForwardingGroupNetwork"


def check_routed(network: Resource, where: str) -> None:
    """Raises Invalid when its guests' packets cannot be routed to other Networks."""
    if network.internal.get("host_network"):
        raise Invalid("the Network is the host's own, and what it reaches is for the host's admin to say", where)
    forward = network.internal["forward"]
    if forward == "bridge":
        raise Invalid("the Network is a bridge into the host's surroundings, and is routed there, not here", where)
    if forward not in ROUTED:
        raise Invalid("the Network leads out by NAT, which rewrites its guests' addresses; it cannot be routed", where)


def check_apart(networks: Sequence[Resource], where: str) -> None:
    """Raises Conflict when two of them have addresses in common: no packet could tell where it belongs."""
    for one, other in itertools.combinations(networks, 2):
        for first, second in itertools.product(one.internal["ranges"], other.internal["ranges"]):
            if as_range(first).version == as_range(second).version and as_range(first).overlaps(as_range(second)):
                raise Conflict(f"{where}: {other.path} has {second}, which overlaps with {first} of {one.path}")


async def members(transaction: Transaction, group: str) -> list[Resource]:
    found = [await transaction.get(entry.document["network"]["href"]) for entry in await entries(transaction, group)]
    return [network for network in found if network is not None]


async def entries(transaction: Transaction, group: str) -> tuple[Resource, ...]:
    return await transaction.children(group, ENTRY)


async def join(transaction: Transaction, group: Resource, network: Resource, where: str) -> tuple[Resource, Resource]:
    """The group's new entry, and the Network that now names the group. Raises Conflict, naming the attribute."""
    if group.internal.get("dissolving"):
        raise Conflict(f"{group.path} is being deleted")
    known = network.document.get("forwardingGroup")
    if known is not None:
        words = "already in this ForwardingGroup" if known["href"] == group.path else f"in {known['href']}"
        raise Conflict(f"{where}: the Network is {words}; a Network is in one ForwardingGroup at most")
    if network.internal["host"] != group.internal["host"]:
        raise Conflict(f"{where}: the Network is on another hypervisor than the ForwardingGroup")
    check_apart([*await members(transaction, group.path), network], where)
    now = clock.now()
    entry = Resource(
        path=f"{group.path}/networks/{uuid.uuid4()}",
        kind=ENTRY,
        owner=group.owner,
        document={"network": {"href": network.path}},
        created=now,
        updated=now,
        parent=group.path,
    )
    joined = network.with_document(forwardingGroup={"href": group.path})
    return await transaction.insert(entry), await transaction.update(joined)


async def leave(transaction: Transaction, network: str, group: str) -> None:
    """Take the Network out of this group; one that is out already is no error."""
    for entry in await entries(transaction, group):
        if entry.document["network"]["href"] == network:
            await transaction.delete(entry.path)
    known = await transaction.get(network)
    if known is not None and (known.document.get("forwardingGroup") or {}).get("href") == group:
        await transaction.update(known.with_document(forwardingGroup=None))

"""The membership of Networks in ForwardingGroups: said by the Network and by the group's entry, always both."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from gateway import clock
from gateway.errors import Conflict, Invalid
from gateway.orchestration.networks.facts import KeptForwardingGroup, KeptNetwork
from gateway.orchestration.networks.ranges import as_range
from gateway.store.model import Resource
from gateway.store.reading import Reading
from gateway.store.transaction import Transaction

ROUTED = frozenset({"open", "route"})
"""The forward modes whose guests' packets reach the host's routes with their own addresses on them."""
ENTRY = "ForwardingGroupNetwork"


def check_routed(network: Resource, where: str) -> None:
    """Raise Invalid when packets of the Network's guests cannot be routed to other Networks."""
    kept = KeptNetwork.of(network)
    if kept.host_network:
        raise Invalid("the Network is the host's own, and what it reaches is for the host's admin to say", where)
    if kept.forward == "bridge":
        raise Invalid("the Network is a bridge into the host's surroundings, and is routed there, not here", where)
    if kept.forward not in ROUTED:
        raise Invalid("the Network leads out by NAT, which rewrites its guests' addresses; it cannot be routed", where)


def check_apart(network: Resource, others: Sequence[Resource], where: str) -> None:
    """Raise Conflict when the Network has addresses in common with one of the others: no packet could tell where.

    The others are apart from each other, since each was looked at when it came.
    """
    own = [(text, as_range(text)) for text in KeptNetwork.of(network).ranges]
    for other in others:
        for text in KeptNetwork.of(other).ranges:
            theirs = as_range(text)
            for ours, mine in own:
                if mine.version == theirs.version and mine.overlaps(theirs):
                    raise Conflict(f"{where}: {network.path} has {ours}, which overlaps with {text} of {other.path}")


def groups_of(network: Resource) -> tuple[str, ...]:
    """Return the path of the ForwardingGroup that the Network is in: one, or none."""
    group = network.document.get("forwardingGroup")
    return (group["href"],) if group else ()


async def members(store: Reading | Transaction, group: str) -> list[Resource]:
    """Return the Networks of a ForwardingGroup, in the order in which they joined."""
    networks = [await store.get(entry.document["network"]["href"]) for entry in await entries(store, group)]
    return [network for network in networks if network is not None]


async def entries(store: Reading | Transaction, group: str) -> tuple[Resource, ...]:
    """Return the entries of a ForwardingGroup, one for each Network in it."""
    return await store.children(group, ENTRY)


async def join(transaction: Transaction, group: Resource, network: Resource, where: str) -> tuple[Resource, Resource]:
    """Return the group's new entry, and the Network that now names the group. Raises Conflict for what cannot join."""
    if KeptForwardingGroup.of(group).leaving:
        raise Conflict(f"{group.path} is being deleted")
    for present in groups_of(network):
        words = "already in this ForwardingGroup" if present == group.path else f"in {present}"
        raise Conflict(f"{where}: the Network is {words}; a Network is in one ForwardingGroup at most")
    if KeptNetwork.of(network).host != KeptForwardingGroup.of(group).host:
        raise Conflict(f"{where}: the Network is on another hypervisor than the ForwardingGroup")
    check_apart(network, await members(transaction, group.path), where)
    now = clock.now()
    entry = Resource(
        path=f"{group.path}/networks/{uuid.uuid4()}",
        kind=ENTRY,
        project=group.project,
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
    current = await transaction.get(network)
    if current is not None and groups_of(current) == (group,):
        await transaction.update(current.with_document(forwardingGroup=None))

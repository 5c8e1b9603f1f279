"""The components that go with a System: in which order, and what keeps it from going (DSP0263 5.13.2.6)."""

from __future__ import annotations

from gateway.errors import Conflict
from gateway.orchestration.common.containment import (
    MEMBERSHIPS,
    machines_inside,
    member_of,
    memberships,
)
from gateway.orchestration.systems.facts import KeptMember
from gateway.orchestration.volumes.facts import KeptVolume
from gateway.store.model import Resource
from gateway.store.transaction import Transaction

ORDER: tuple[tuple[str, ...], ...] = (
    ("Machine", "System"),
    ("Volume", "NetworkPort", "Address", "Credential"),
    ("ForwardingGroup",),
    ("Network",),
)
"""What uses goes before what is used; what stands together goes at once."""


async def owned(transaction: Transaction, system: str) -> list[list[Resource]]:
    """Return the memberships of what the System made, in the order in which that goes."""
    entries = [entry for entry in await memberships(transaction, system) if KeptMember.of(entry).owned]
    return [[entry for entry in entries if MEMBERSHIPS[entry.kind] in kinds] for kinds in ORDER]


async def demand_removable(transaction: Transaction, system: Resource) -> None:
    """Raise Conflict when something else uses what the System would take along."""
    going = {member_of(entry) for group in await owned(transaction, system.path) for entry in group}
    inside = {member for member in going if member.startswith("systems/")}
    for nested in inside:
        going |= set(await machines_inside(transaction, nested))
    for path in sorted(going):
        member = await transaction.get(path)
        users = await _users(transaction, member) if member is not None else set()
        others = sorted(user for user in users if "/".join(user.split("/")[:2]) not in going)
        if others:
            raise Conflict(f"{others[0]} uses {path}, which goes with the System; take it from there first")


async def _users(transaction: Transaction, member: Resource) -> set[str]:
    if member.kind == "Volume":
        return set(KeptVolume.of(member).attachments.values())
    if member.kind == "NetworkPort" and "resource" in member.document:
        return {member.document["resource"]["href"]}
    if member.kind != "Network":
        return set()
    interfaces = await transaction.find("MachineNetworkInterface", "network", member.path)
    ports = await transaction.find("NetworkPort", "network", member.path)
    return {user.path for user in (*interfaces, *ports)}

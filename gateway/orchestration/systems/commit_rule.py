"""Commit rule of Systems: each transaction takes what is gone out of them, and gives them the state of their Machines.

It does not matter, then, who deleted a component or changed a Machine's state: a job, a user, or an admin with virsh.
"""

from __future__ import annotations

from dataclasses import replace

from gateway.orchestration.common.containment import (
    MEMBER_KINDS,
    MEMBERSHIPS,
    holders,
    machines_inside,
    memberships_of,
)
from gateway.orchestration.systems.facts import KeptSystem
from gateway.orchestration.systems.states import OWN_LIFE, derived_state
from gateway.store.model import Resource
from gateway.store.transaction import Transaction


async def keep_systems(transaction: Transaction) -> None:
    """Take what is gone out of the Systems, and give each System the state of its Machines."""
    touched: set[str] = set()
    for path, after in list(transaction.changes.items()):
        touched |= await _touched(transaction, transaction.before[path], after)
    for system in list(touched):
        touched |= await holders(transaction, "System", system)
    for system in touched:
        await derive(transaction, system)


async def _touched(transaction: Transaction, before: Resource | None, after: Resource | None) -> set[str]:
    """Return the Systems that have to be looked at because of one change."""
    changed = after or before
    if changed is None:
        return set()
    came_or_went = before is None or after is None
    if changed.kind in MEMBERSHIPS:
        return {str(changed.parent)} if came_or_went else set()
    if after is None and changed.kind in MEMBER_KINDS:
        left = await memberships_of(transaction, changed.kind, changed.path)
        for membership in left:
            await transaction.delete(membership.path)
        return {str(membership.parent) for membership in left}
    if changed.kind == "Machine" and before is not None and before.state != changed.state:
        return {str(entry.parent) for entry in await memberships_of(transaction, "Machine", changed.path)}
    return set()


async def derive(transaction: Transaction, path: str) -> None:
    """Write the System's state, and what its actions and meters need to know of its Machines."""
    system = await transaction.get(path)
    if system is None:
        return
    machines = await machines_inside(transaction, path)
    states = sorted({machine.state or "" for machine in machines.values()})
    before = KeptSystem.of(system)
    after = replace(before, states=tuple(states), machines=tuple(sorted(machines)))
    state = system.state if system.state in OWN_LIFE else derived_state(states)
    if after != before or state != system.state:
        await transaction.update(after.on(system.with_document(state=state)))

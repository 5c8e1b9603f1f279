"""The members of Systems, as a transaction sees them (DSP0263 5.13.1)."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

from gateway import clock
from gateway.cimi.registry import type_of
from gateway.cimi.system import MEMBER_SCHEMAS
from gateway.store.model import Document, Resource
from gateway.store.transaction import Transaction

MEMBER_KINDS = frozenset(MEMBER_SCHEMAS)
"""The kinds of resources that may be in a System."""
MEMBERSHIPS = {f"System{kind}": kind for kind in MEMBER_SCHEMAS}
"""The kind of a membership, to the kind of its member."""
ATTRIBUTES = {kind: f"{kind[0].lower()}{kind[1:]}" for kind in MEMBER_SCHEMAS}
"""The kind of a member, to the attribute of its membership that refers to the member."""
NAMESPACE = uuid.UUID("4f0a4c1e-7d52-5a36-9f6b-0d6a1c3be2f7")


def member_of(membership: Resource) -> str:
    """Return the path of the resource that the membership is of."""
    path: str = membership.document[ATTRIBUTES[MEMBERSHIPS[membership.kind]]]["href"]
    return path


def new_membership(system: Resource, kind: str, member: str, own: Document, mark: str = "") -> Resource:
    """Return a membership of the member, by its kind and path, in the System; nothing is written.

    ``own`` are further attributes of the membership. The same ``mark`` gives the same path in the same System each
    time; without a mark the path is a random one.
    """
    described, now = type_of(f"System{kind}"), clock.now()
    last = uuid.uuid5(NAMESPACE, f"{system.path} {mark}") if mark else uuid.uuid4()
    return Resource(
        path=f"{system.path}/{described.segment}/{last}",
        kind=described.kind,
        project=system.project,
        document={**own, ATTRIBUTES[kind]: {"href": member}},
        created=now,
        updated=now,
        parent=system.path,
    )


async def memberships(transaction: Transaction, system: str) -> list[Resource]:
    """Return all memberships of the System at this path, by one kind after the other."""
    return [membership for kind in MEMBERSHIPS for membership in await transaction.children(system, kind)]


async def memberships_of(transaction: Transaction, kind: str, member: str) -> tuple[Resource, ...]:
    """Return the memberships of one resource, by its kind and path, in all Systems."""
    return await transaction.find(f"System{kind}", ATTRIBUTES[kind], member)


async def holders(transaction: Transaction, kind: str, member: str) -> set[str]:
    """Return the paths of the Systems that a resource is in, directly or in a System inside of another.

    The Systems that the resource has left in this transaction are among them.
    """
    systems: set[str] = set()
    pending = [(kind, member)]
    while pending:
        kind, member = pending.pop()
        now = {str(membership.parent) for membership in await memberships_of(transaction, kind, member)}
        for system in (now | {*_left(transaction, kind, member)}) - systems:
            systems.add(system)
            pending.append(("System", system))
    return systems


def _left(transaction: Transaction, kind: str, member: str) -> Iterator[str]:
    for path, before in transaction.before.items():
        gone = before is not None and before.kind == f"System{kind}" and transaction.changes[path] is None
        if before is not None and gone and member_of(before) == member:
            yield str(before.parent)


async def machines_inside(transaction: Transaction, system: str) -> dict[str, Resource]:
    """Return all Machines of a System by their paths, those of the Systems inside of it included."""
    machines: dict[str, Resource] = {}
    seen, pending = {system}, [system]
    while pending:
        holder = pending.pop()
        for membership in await transaction.children(holder, "SystemMachine"):
            machine = await transaction.get(member_of(membership))
            if machine is not None:
                machines[machine.path] = machine
        inside = {member_of(entry) for entry in await transaction.children(holder, "SystemSystem")}
        pending.extend(inside - seen)
        seen |= inside
    return machines

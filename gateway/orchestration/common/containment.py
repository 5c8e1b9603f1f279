"""What is in which System, as a transaction sees it (DSP0263 5.13.1)."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

from gateway import clock
from gateway.cimi.registry import type_of
from gateway.cimi.system import MEMBER_SCHEMAS
from gateway.store.model import Document, Resource
from gateway.store.transaction import Transaction

MEMBER_KINDS = frozenset(MEMBER_SCHEMAS)
"""Kinds of what may be in a System."""
MEMBERSHIPS = {f"System{kind}": kind for kind in MEMBER_SCHEMAS}
"""Kind of a membership, to the kind of what it is of."""
ATTRIBUTES = {kind: f"{kind[0].lower()}{kind[1:]}" for kind in MEMBER_SCHEMAS}
"""Kind of a member, to the attribute of its membership that refers to it."""
NAMESPACE = uuid.UUID("4f0a4c1e-7d52-5a36-9f6b-0d6a1c3be2f7")


def member_of(membership: Resource) -> str:
    """Path of what the membership is of."""
    path: str = membership.document[ATTRIBUTES[MEMBERSHIPS[membership.kind]]]["href"]
    return path


def new_membership(system: Resource, kind: str, member: str, own: Document, mark: str = "") -> Resource:
    """``mark`` makes the same path of the same words; one of random else."""
    described, now = type_of(f"System{kind}"), clock.now()
    last = uuid.uuid5(NAMESPACE, f"{system.path} {mark}") if mark else uuid.uuid4()
    return Resource(
        path=f"{system.path}/{described.segment}/{last}",
        kind=described.kind,
        owner=system.owner,
        document={**own, ATTRIBUTES[kind]: {"href": member}},
        created=now,
        updated=now,
        parent=system.path,
    )


async def memberships(transaction: Transaction, system: str) -> list[Resource]:
    return [found for kind in MEMBERSHIPS for found in await transaction.children(system, kind)]


async def memberships_of(transaction: Transaction, kind: str, member: str) -> tuple[Resource, ...]:
    """In all Systems, those of this resource."""
    return await transaction.find(f"System{kind}", ATTRIBUTES[kind], member)


async def holders(transaction: Transaction, kind: str, member: str) -> set[str]:
    """The Systems in which it is, directly or in a System inside; with those that it left in this transaction."""
    found: set[str] = set()
    pending = [(kind, member)]
    while pending:
        kind, member = pending.pop()
        now = {str(membership.parent) for membership in await memberships_of(transaction, kind, member)}
        for system in (now | {*_left(transaction, kind, member)}) - found:
            found.add(system)
            pending.append(("System", system))
    return found


def _left(transaction: Transaction, kind: str, member: str) -> Iterator[str]:
    for path, before in transaction.before.items():
        gone = before is not None and before.kind == f"System{kind}" and transaction.changes[path] is None
        if before is not None and gone and member_of(before) == member:
            yield str(before.parent)


async def machines_inside(transaction: Transaction, system: str) -> dict[str, Resource]:
    """All Machines of a System, those of the Systems inside with them, by path."""
    found: dict[str, Resource] = {}
    seen, pending = {system}, [system]
    while pending:
        holder = pending.pop()
        for membership in await transaction.children(holder, "SystemMachine"):
            machine = await transaction.get(member_of(membership))
            if machine is not None:
                found[machine.path] = machine
        inside = {member_of(entry) for entry in await transaction.children(holder, "SystemSystem")}
        pending.extend(inside - seen)
        seen |= inside
    return found

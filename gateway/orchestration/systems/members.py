"""The collections of a System's components: taking existing resources in, and out again (DSP0263 5.13.1)."""

from __future__ import annotations

from gateway.errors import Conflict, Forbidden, Invalid, NotFound
from gateway.orchestration.common.containment import (
    ATTRIBUTES,
    MEMBERSHIPS,
    holders,
    member_of,
    new_membership,
)
from gateway.orchestration.common.contract import Caller, Outcome
from gateway.orchestration.common.first_answers import Write
from gateway.orchestration.common.permissions import changeable
from gateway.orchestration.common.references import OWN, resolve
from gateway.orchestration.common.resource_service import ResourceService
from gateway.store.model import Document, Resource
from gateway.store.transaction import Transaction

MOVED = frozenset({"Machine", "System"})
"""Kinds whose members the System's actions move."""
UNSETTLED = frozenset({"CREATING", "DELETING"})


class MemberService(ResourceService):
    """The members of one kind.

    A resource that is added stays when the System goes, and one that is taken out stays, too.
    """

    def collection_operations(self, caller: Caller, parent: Resource | None) -> tuple[str, ...]:
        """Return the operations on the collection.

        There are none while the System is unsettled, and for who may not change it.
        """
        if parent is None or not changeable(caller, parent) or parent.state in UNSETTLED:
            return ()
        return super().collection_operations(caller, parent)

    async def prepare(self, caller: Caller, collection: str, document: Document) -> Write:
        """Check that an existing resource may be taken in, and return what takes it in."""
        system = await self._system(caller, collection.rpartition("/")[0])
        kind = MEMBERSHIPS[self.kind]
        member = await self._member(caller, document, kind)
        own = {name: document[name] for name in OWN if name in document}
        entry = new_membership(system, kind, member.path, {"name": member.name, **own} if member.name else own)

        async def write(transaction: Transaction) -> Outcome:
            await self._demand(transaction, system, member)
            await transaction.insert(entry)
            plan = self.plan(caller, "add", collection, affected=(entry.path, system.path))
            return await self.made(transaction, entry, plan)

        return write

    async def _system(self, caller: Caller, path: str) -> Resource:
        system = await self.room.services["System"].read(caller, path)
        if not changeable(caller, system):
            raise Forbidden("this System belongs to somebody else; only its owner or an admin may add to it")
        return system

    async def _member(self, caller: Caller, document: Document, kind: str) -> Resource:
        where = ATTRIBUTES[kind]
        member = await resolve(self.store, caller, document[where]["href"], (kind,), where)
        if kind in MOVED and not changeable(caller, member):
            raise Invalid("belongs to somebody else, and the System's actions would move it", where)
        return member

    async def _demand(self, transaction: Transaction, system: Resource, member: Resource) -> None:
        """Raise Conflict or Invalid by what is there at this moment."""
        where = ATTRIBUTES[member.kind]
        current = await transaction.get(system.path)
        if current is None or current.state in UNSETTLED:
            raise Conflict(f"the System is {current.state if current else 'gone'}")
        now = await transaction.get(member.path)
        if now is None or now.state == "DELETING":
            raise Conflict(f"{where}: {member.path} is {now.state if now else 'gone'}")
        if any(member_of(entry) == member.path for entry in await transaction.children(system.path, self.kind)):
            raise Conflict(f"{where}: {member.path} is in this System already")
        if member.path == system.path or member.path in await holders(transaction, "System", system.path):
            raise Invalid(f"{member.path} would be inside itself", where)

    async def delete(self, caller: Caller, path: str, version: int | None) -> Outcome:
        """Take the component out of the System; it stays as a resource of its own."""
        entry = await self.to_change(caller, path, "delete", version)
        async with self.store.transaction() as transaction:
            system = await transaction.get(str(entry.parent))
            await self.current(transaction, path, version)
            if system is None:
                raise NotFound(f"{path} is gone")
            if system.state in UNSETTLED:
                raise Conflict(f"the System is {system.state}; its components are not taken out meanwhile")
            await transaction.delete(path)
            plan = self.plan(caller, "delete", path, affected=(system.path,), drop_on_success=(path,))
            job = await self.room.runner.completed(transaction, plan)
        return Outcome(None, job, finished=True)

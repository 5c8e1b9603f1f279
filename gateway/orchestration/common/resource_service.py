"""The service that all families of resources have in common: reading, listing, simple add, edit and delete."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any, Protocol

from gateway import clock
from gateway.cimi.registry import type_of
from gateway.errors import Forbidden, MethodNotAllowed, NotFound, PreconditionFailed
from gateway.jobs.plan import OnRestart, Plan, StepCall
from gateway.orchestration.common.contract import Caller, Incoming, Outcome, Readable, Role, Text, Writable
from gateway.orchestration.common.first_answers import Request, Write, answer_once
from gateway.orchestration.common.permissions import audience, changeable, demand, granted, visible
from gateway.orchestration.common.room import Room
from gateway.store.model import Document, Page, Query, Resource
from gateway.store.transaction import Transaction


def new_resource(kind: str, project: str | None, document: Document, **facts: Any) -> Resource:
    """Return a new resource with a random id in its root collection; ``facts`` are its internal ones."""
    now = clock.now()
    return Resource(
        path=f"{type_of(kind).segment}/{uuid.uuid4()}",
        kind=kind,
        project=project,
        document=document,
        created=now,
        updated=now,
        internal=facts,
    )


def component(parent: Resource, kind: str, segment: str, document: Document) -> Resource:
    """Return a new resource in a nested collection of its parent, in the same project.

    ``segment`` is the rest of its path: ``disks/vda``.
    """
    return Resource(
        path=f"{parent.path}/{segment}",
        kind=kind,
        project=parent.project,
        document=document,
        created=parent.created,
        updated=parent.updated,
        parent=parent.path,
    )


def touched(resource: Resource) -> Resource:
    """Return the resource with ``updated`` set, strictly later than before: an explicit change of its attributes."""
    return replace(resource, updated=max(clock.now(), resource.updated + timedelta(milliseconds=1)))


def edited(resource: Resource, document: Document, selected: frozenset[str] | None) -> Resource:
    """Return the resource after an update of all attributes that can be written, or of the ``selected`` ones.

    An attribute that the document leaves out is removed.
    """
    described = type_of(resource.kind)
    writable = {name for name, field in described.attributes.items() if field.writable and not field.write_only}
    names = writable if selected is None else writable & selected
    return touched(resource.with_document(**{name: document.get(name) for name in names}))


def with_mandatory(resource: Resource, document: Document, selected: frozenset[str] | None) -> Document:
    """Return a full update with the mandatory attributes that it leaves out, as they are.

    Clients of 1.x send what they change and nothing else. A partial update says by ``$select`` what it changes.
    """
    if selected is not None:
        return document
    names = [name for name in type_of(resource.kind).mandatory if document.get(name) is None]
    return {**document, **{name: resource.document[name] for name in names if name in resource.document}}


def erases(document: Document, selected: frozenset[str] | None, name: str) -> bool:
    """Return whether an update takes a write-only attribute away: by null, or selected and left out.

    A full update that leaves the attribute out does not: nobody can read it back to send it again.
    """
    return document.get(name) is None and (name in document or (selected is not None and name in selected))


class PlannedStep(Protocol):
    """A step with its arguments: ``gateway.orchestration.common.step.Step``, which stands on this module."""

    def call(self) -> StepCall:
        """Return the step as plans keep it."""
        ...


class ResourceService:
    """The service of one resource type. Each family overrides what is different for its types."""

    kind: str = ""
    catalogue = False
    """True when what an admin adds is shared with every user."""
    computed = False
    """True when reading adds what changes without any commit: its representations are not remembered."""

    def __init__(self, room: Room, kind: str | None = None) -> None:
        self.room = room
        self.store = room.store
        self.kind = kind or self.kind
        self.type = type_of(self.kind)

    # Reading

    async def read(self, caller: Caller, path: str) -> Resource:
        """Return the resource at the path, of this type. Raises NotFound when the caller may not see it either."""
        demand(caller.role, self.kind, "read")
        resource = self.store.peek(path) or await self.store.get(path)
        if resource is None or resource.kind != self.kind or not await self.seen(caller, resource):
            raise NotFound(f"there is no {self.kind} {path[:200]}")
        return resource

    async def seen(self, caller: Caller, resource: Resource) -> bool:
        """Return whether the caller may see the resource."""
        return visible(caller, resource)

    def may_change(self, caller: Caller, resource: Resource) -> bool:
        """Return whether the caller may change the resource, as far as that does not depend on the role."""
        return changeable(caller, resource)

    async def list(self, caller: Caller, query: Query) -> Page:
        """Return the page of the resources of this type that the caller sees and the query asks for."""
        demand(caller.role, self.kind, "read")
        return await self.store.page(replace(query, kind=self.kind, visible_to=audience(caller)))

    def looked_at(self, resource: Resource) -> tuple[str, ...]:
        """Return the paths of the other resources that ``operations`` looks at for this one."""
        return ()

    async def look_around(self, resource: Resource) -> tuple[str, ...]:
        """Bring to hand what ``operations`` looks at for this resource, and return the paths of that."""
        paths = self.looked_at(resource)
        for path in paths:
            if self.store.peek(path) is None:
                await self.store.get(path)
        return paths

    def operations(self, caller: Caller, resource: Resource) -> tuple[str, ...]:
        """Return which of ``edit`` and ``delete`` the caller may do to the resource now."""
        verbs = [("edit", self.type.editable), ("delete", self.type.deletable)]
        if not self.may_change(caller, resource):
            return ()
        return tuple(verb for verb, offered in verbs if offered and granted(caller.role, self.kind, verb))

    def collection_operations(self, caller: Caller, parent: Resource | None) -> tuple[str, ...]:
        """Return ``add`` when the type and the caller's role allow it, else nothing."""
        return ("add",) if self.type.addable and granted(caller.role, self.kind, "add") else ()

    # Changing

    async def to_change(self, caller: Caller, path: str, verb: str, version: int | None = None) -> Resource:
        """Return the resource at the path, when this caller may do ``verb`` to it.

        Raises NotFound, Forbidden, and PreconditionFailed when it has another version than the demanded one.
        """
        resource = await self.read(caller, path)
        demand(caller.role, self.kind, verb)
        if not self.may_change(caller, resource):
            raise Forbidden(f"this {self.kind} belongs to somebody else; only its owner or an admin may {verb} it")
        if version is not None and version != resource.version:
            raise PreconditionFailed(f"{path} was changed meanwhile; read it again")
        return resource

    async def current(self, transaction: Transaction, path: str, version: int | None = None) -> Resource:
        """Return the resource as it is now that nobody else writes. Raises NotFound, and PreconditionFailed."""
        current = await transaction.get(path)
        if current is None:
            raise NotFound(f"{path} is gone")
        if version is not None and version != current.version:
            raise PreconditionFailed(f"{path} was changed meanwhile; read it again")
        return current

    def refuse(self, verb: str) -> MethodNotAllowed:
        """Return the error for a verb that this type does not offer."""
        return MethodNotAllowed(f"a {self.kind} cannot be changed by {verb} here", ("GET", "HEAD"))

    async def add(self, caller: Caller, collection: str, document: Document) -> Outcome:
        """Make a resource, or give the first answer again. ``prepare`` says how this type's create goes."""
        if not self.type.addable:
            raise self.refuse("add")
        demand(caller.role, self.kind, "add")
        prepare = partial(self.prepare, caller, collection, document)
        return await answer_once(self.store, caller, Request(self.kind, collection, document), prepare)

    async def prepare(self, caller: Caller, collection: str, document: Document) -> Write:
        """Check everything about a create, and return what writes it. This method writes nothing."""
        resource = await self.make(caller, document)
        if self.catalogue and caller.role is Role.ADMIN:
            resource = replace(resource, shared=True)
        return partial(self._write, caller, collection, resource)

    async def _write(self, caller: Caller, collection: str, resource: Resource, transaction: Transaction) -> Outcome:
        await transaction.insert(resource)
        return await self.made(transaction, resource, self.plan(caller, "add", collection, affected=(resource.path,)))

    async def made(self, transaction: Transaction, resource: Resource, plan: Plan) -> Outcome:
        """Return the outcome of a create that this transaction makes by itself."""
        job = await self.room.runner.completed(transaction, plan)
        return Outcome(resource, job, finished=True)

    async def begun(self, transaction: Transaction, resource: Resource, plan: Plan, *, held: bool = True) -> Outcome:
        """Return the outcome of a create that its Job goes on with.

        When ``held`` is set, that Job alone writes the resource until the Job has ended.
        """
        job = await self.room.runner.submit(transaction, plan)
        if held:
            resource = await transaction.update(resource.held(job))
        return Outcome(resource, job, finished=False)

    async def rehearse(self, caller: Caller, document: Document) -> Resource | None:
        """Return what ``add`` would make of a Create document, in the state it would come to.

        Nothing is written. None stands for what others cannot refer to before it exists. Raises what the request
        deserves.
        """
        demand(caller.role, self.kind, "add")
        return await self.make(caller, document)

    async def make(self, caller: Caller, document: Document) -> Resource:
        """Return the checked new resource; nothing is written yet."""
        return new_resource(self.kind, caller.project, document)

    async def edit(
        self, caller: Caller, path: str, document: Document, selected: frozenset[str] | None, version: int | None
    ) -> Outcome:
        """Change all attributes of the resource that can be written, or only the ``selected`` ones.

        Raises MethodNotAllowed where the type cannot be edited, and what ``to_change`` and ``change`` raise.
        """
        if not self.type.editable:
            raise self.refuse("edit")
        resource = await self.to_change(caller, path, "edit", version)
        changed = await self.change(caller, resource, with_mandatory(resource, document, selected), selected)
        async with self.store.transaction() as transaction:
            updated = await transaction.update(changed, resource.version)
            job = await self.room.runner.completed(transaction, self.plan(caller, "edit", path))
        return Outcome(updated, job, finished=True)

    async def change(
        self, caller: Caller, resource: Resource, document: Document, selected: frozenset[str] | None
    ) -> Resource:
        """Return the checked resource after the edit; nothing is written yet."""
        return edited(resource, document, selected)

    async def delete(self, caller: Caller, path: str, version: int | None) -> Outcome:
        """Delete the resource, unless something needs it.

        Raises MethodNotAllowed where the type cannot be deleted, and what ``to_change`` and ``may_go`` raise.
        """
        if not self.type.deletable:
            raise self.refuse("delete")
        await self.may_go(await self.to_change(caller, path, "delete", version))
        async with self.store.transaction() as transaction:
            # Once more: nobody else writes now, so that nobody begins to need it meanwhile.
            await self.may_go(await self.current(transaction, path, version))
            return await self._dropped(transaction, caller, path)

    async def drop(self, caller: Caller, path: str) -> Outcome:
        """Delete a record that needs no step, unless it is gone already: the undoing of a create removes it."""
        async with self.store.transaction() as transaction:
            return await self._dropped(transaction, caller, path)

    async def _dropped(self, transaction: Transaction, caller: Caller, path: str) -> Outcome:
        await self.remove(transaction, path)
        plan = self.plan(caller, "delete", path, drop_on_success=(path,))
        job = await self.room.runner.completed(transaction, plan)
        return Outcome(None, job, finished=True)

    async def remove(self, transaction: Transaction, path: str) -> None:
        """Remove the resource, and what goes with it."""
        await transaction.delete(path)

    async def may_go(self, resource: Resource) -> None:
        """Raise Conflict when something needs the resource; this is asked again before the resource goes."""

    async def act(self, caller: Caller, path: str, action: str, document: dict[str, Any]) -> Outcome:
        """Raise MethodNotAllowed, and NotFound for a missing resource: the type has no actions."""
        await self.read(caller, path)
        raise MethodNotAllowed(f"a {self.kind} has no action {action[:60]}", ("GET", "HEAD"))

    async def act_on_collection(
        self, caller: Caller, collection: str, action: str, document: dict[str, Any]
    ) -> Outcome:
        """Raise MethodNotAllowed: the type's collections have no actions."""
        raise MethodNotAllowed(f"a collection of {self.kind} has no action {action[:60]}", ("GET", "HEAD"))

    # Bytes

    async def readable(self, caller: Caller, path: str, action: str, parameters: Mapping[str, str]) -> Text | Readable:
        """Return the bytes that an action gives. Raises MethodNotAllowed where the type has no such action."""
        raise MethodNotAllowed(f"a {self.kind} gives no bytes by {action[:60]}", ("GET", "HEAD"))

    async def writable(self, caller: Caller, path: str, action: str) -> Writable:
        """Return what takes the bytes of an action. Raises MethodNotAllowed where the type has no such action."""
        raise MethodNotAllowed(f"a {self.kind} takes no bytes by {action[:60]}", ("GET", "HEAD"))

    def incoming(
        self, caller: Caller, collection: str, action: str, size: int | None, properties: Mapping[str, str]
    ) -> AbstractAsyncContextManager[Incoming]:
        """Take bytes that are sent to an action of a collection; ``size`` is how many are announced.

        Raises MethodNotAllowed where the collection has no such action.
        """
        raise MethodNotAllowed(f"a collection of {self.kind} takes no bytes by {action[:60]}", ("GET", "HEAD"))

    # Pieces

    def plan(
        self,
        caller: Caller,
        action: str,
        target: str,
        *,
        steps: Iterable[PlannedStep] = (),
        settle: PlannedStep | None = None,
        locks: tuple[str, ...] = (),
        affected: tuple[str, ...] = (),
        drop_on_success: tuple[str, ...] = (),
        drop_on_failure: tuple[str, ...] = (),
        on_restart: OnRestart = OnRestart.RESUME,
    ) -> Plan:
        """Return the plan of a Job that this caller asks for; ``Plan`` says what the parts mean."""
        return Plan(
            action=action,
            target=target,
            project=caller.project,
            user=caller.user,
            steps=tuple(step.call() for step in steps),
            locks=locks,
            affected=affected,
            drop_on_success=drop_on_success,
            drop_on_failure=drop_on_failure,
            settle=settle.call() if settle is not None else None,
            on_restart=on_restart,
            parent_job=caller.parent_job,
            request_id=caller.request_id,
            address=caller.address,
            reason=caller.reason,
            credential=f"gateway {caller.reason}" if caller.reason else caller.credential,
        )

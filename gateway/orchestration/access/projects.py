"""Projects and their members over HTTP.

Admins make projects and remove them; who manages a project chooses its members, in requests that are made in it.
"""

from __future__ import annotations

from dataclasses import replace
from functools import reduce

from gateway.cimi.filter import AttributeType, Comparison, Expression, Or
from gateway.errors import Conflict, Forbidden
from gateway.orchestration.access.changes import add_project, checked_name, grant, remove_project
from gateway.orchestration.common.contract import Caller, Outcome, Role
from gateway.orchestration.common.first_answers import Write
from gateway.orchestration.common.permissions import demand
from gateway.orchestration.common.resource_service import ResourceService
from gateway.store.model import Document, Page, Query, Resource
from gateway.store.transaction import Transaction


class ProjectService(ResourceService):
    """The service of Projects: each user sees those in which they have a role."""

    kind = "Project"
    computed = True

    async def seen(self, caller: Caller, resource: Resource) -> bool:
        """Return whether the caller has a role in the project."""
        return caller.role is Role.ADMIN or resource.project in self._visible(caller)

    def may_change(self, caller: Caller, resource: Resource) -> bool:
        """Return whether the caller manages the project."""
        return caller.role is Role.ADMIN or (caller.manages and resource.project == caller.project)

    def _visible(self, caller: Caller) -> list[str]:
        return [caller.project] if caller.confined else [caller.project, *self.room.directory.projects_of(caller.user)]

    async def list(self, caller: Caller, query: Query) -> Page:
        """Return the page of the projects in which the caller has a role; an admin sees all."""
        demand(caller.role, self.kind, "read")
        filters = query.filters
        if caller.role is not Role.ADMIN:
            ids = dict.fromkeys(self._visible(caller))
            own: list[Expression] = [_is_project(identity) for identity in ids]
            filters = (*filters, reduce(Or, own))
        return await self.store.page(replace(query, kind=self.kind, visible_to=None, filters=filters))

    async def prepare(self, caller: Caller, collection: str, document: Document) -> Write:
        """Check a new project, and return what writes it."""
        name = checked_name(document["name"])
        own = {key: value for key, value in document.items() if key in ("description", "properties")}

        async def write(transaction: Transaction) -> Outcome:
            project = await add_project(transaction, name, own)
            return await self.made(transaction, project, self.plan(caller, "add", collection, affected=(project.path,)))

        return write

    async def change(
        self, caller: Caller, resource: Resource, document: Document, selected: frozenset[str] | None
    ) -> Resource:
        """Return the project after the edit. Raises Conflict for another name."""
        changed = await super().change(caller, resource, document, selected)
        if changed.name != resource.name:
            raise Conflict("name: a project keeps the name; make another project")
        return changed

    async def remove(self, transaction: Transaction, path: str) -> None:
        """Remove the project with its members. Raises Conflict while anything is in it, and for a user's own."""
        await remove_project(transaction, await self.current(transaction, path))


def _is_project(identity: str) -> Comparison:
    return Comparison("id", "=", f"projects/{identity}", AttributeType.REFERENCE)


class ProjectMemberService(ResourceService):
    """The service of ProjectMembers: who sees the project sees them."""

    kind = "ProjectMember"
    computed = True

    async def seen(self, caller: Caller, resource: Resource) -> bool:
        """Return whether the caller sees the project."""
        project = await self.store.get(resource.parent or "")
        return project is not None and await self._projects.seen(caller, project)

    @property
    def _projects(self) -> ProjectService:
        return ProjectService(self.room)

    def may_change(self, caller: Caller, resource: Resource) -> bool:
        """Return whether the caller manages the project."""
        return self._projects.may_change(caller, resource)

    async def list(self, caller: Caller, query: Query) -> Page:
        """Return the page of the members of a project that the caller sees."""
        demand(caller.role, self.kind, "read")
        return await self.store.page(replace(query, kind=self.kind, visible_to=None))

    def collection_operations(self, caller: Caller, parent: Resource | None) -> tuple[str, ...]:
        """Return ``add`` for who manages the project."""
        may = parent is not None and self._projects.may_change(caller, parent)
        return super().collection_operations(caller, parent) if may else ()

    async def prepare(self, caller: Caller, collection: str, document: Document) -> Write:
        """Check a new member, and return what writes it. Raises Forbidden for who does not manage the project."""
        project = await self._projects.read(caller, collection.rpartition("/")[0])
        if not self._projects.may_change(caller, project):
            raise Forbidden(
                "only an admin, or an admin of the project in requests that are made in it, gives roles in it"
            )
        name, role = document["userName"], Role(document["role"])
        own = {key: value for key, value in document.items() if key in ("name", "description", "properties")}

        async def write(transaction: Transaction) -> Outcome:
            current = await self.current(transaction, project.path)
            member = await grant(transaction, current, name, role, own)
            return await self.made(transaction, member, self.plan(caller, "add", collection, affected=(member.path,)))

        return write

    async def change(
        self, caller: Caller, resource: Resource, document: Document, selected: frozenset[str] | None
    ) -> Resource:
        """Return the member after the edit: the role may change. Raises Conflict for another user."""
        changed = await super().change(caller, resource, document, selected)
        if changed.document["userName"] != resource.document["userName"]:
            raise Conflict("userName: a member stays the same user; add another member")
        return changed

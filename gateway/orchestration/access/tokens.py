"""Tokens over HTTP: each user makes, sees and revokes their own; admins those of all."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from gateway import clock
from gateway.cimi.filter import AttributeType, Comparison
from gateway.errors import Forbidden, Invalid
from gateway.orchestration.access.changes import Limits, add_token
from gateway.orchestration.access.users import demand_unlimited
from gateway.orchestration.common.contract import Caller, Outcome, Role
from gateway.orchestration.common.directory import User
from gateway.orchestration.common.first_answers import Write
from gateway.orchestration.common.permissions import demand
from gateway.orchestration.common.resource_service import ResourceService
from gateway.store.model import Document, Page, Query, Resource
from gateway.store.transaction import Transaction


class TokenService(ResourceService):
    """The service of Tokens."""

    kind = "Token"
    computed = True

    async def seen(self, caller: Caller, resource: Resource) -> bool:
        """Return whether the token is the caller's own, or the caller an admin."""
        return self.may_change(caller, resource)

    def may_change(self, caller: Caller, resource: Resource) -> bool:
        """Return whether the token is the caller's own, or the caller an admin."""
        return caller.role is Role.ADMIN or resource.document["userName"] == caller.user

    async def list(self, caller: Caller, query: Query) -> Page:
        """Return the page of the caller's tokens; an admin sees those of all."""
        demand(caller.role, self.kind, "read")
        own = Comparison("userName", "=", caller.user, AttributeType.STRING)
        filters = query.filters if caller.role is Role.ADMIN else (*query.filters, own)
        return await self.store.page(replace(query, kind=self.kind, visible_to=None, filters=filters))

    async def prepare(self, caller: Caller, collection: str, document: Document) -> Write:
        """Check a new token, and return what writes it. Raises Forbidden and Invalid."""
        demand_unlimited(caller)
        user = self._user(caller, document.get("userName", caller.user))
        limits = Limits(
            Role(document["role"]) if "role" in document else None,
            document.get("readOnly", False),
            self._project(user, document.get("project")),
            _future(document.get("expires")),
        )
        own = {key: value for key, value in document.items() if key in ("name", "description", "properties")}

        async def write(transaction: Transaction) -> Outcome:
            current = await self.current(transaction, user.path)
            token, text = await add_token(transaction, current, limits, own)
            plan = self.plan(caller, "add", collection, affected=(token.path,))
            return replace(await self.made(transaction, token, plan), shown_once={"token": text})

        return write

    def _user(self, caller: Caller, name: str) -> User:
        """Return the user that a token is for. Raises Forbidden for another user's, and Invalid for nobody's."""
        if name != caller.user and caller.role is not Role.ADMIN:
            raise Forbidden("userName: only an admin makes tokens for others")
        user = self.room.directory.users.get(name)
        if user is None:
            raise Invalid(f"there is no user {name[:64]!r}", "userName")
        return user

    def _project(self, user: User, reference: Document | None) -> str | None:
        """Return the path of the project that a token is for. Raises Invalid where the user has no role."""
        if reference is None:
            return None
        path = str(reference["href"])
        kind, _, identity = path.partition("/")
        anywhere = user.role is Role.ADMIN and self.room.directory.has_project(identity)
        if kind != "projects" or not (anywhere or identity in self.room.directory.projects_of(user.name)):
            raise Invalid(f"{user.name} has no role in {path[:200]}", "project")
        return path


def _future(text: str | None) -> datetime | None:
    moment = datetime.fromisoformat(text) if text is not None else None
    if moment is not None and moment <= clock.now():
        raise Invalid(f"{text} is over", "expires")
    return moment

"""Users over HTTP: admins make and remove them, and each user sees themself and may change their own password."""

from __future__ import annotations

from dataclasses import replace

from drivers.threads import USER_PASSWORDS
from gateway import users
from gateway.cimi.filter import AttributeType, Comparison
from gateway.errors import Conflict, Forbidden, Invalid
from gateway.orchestration.access.changes import add_user, checked_name, remove_user
from gateway.orchestration.common.contract import Caller, Outcome, Role
from gateway.orchestration.common.directory import KeptUser
from gateway.orchestration.common.first_answers import Write
from gateway.orchestration.common.permissions import demand
from gateway.orchestration.common.resource_service import ResourceService, erases
from gateway.store.model import Document, Page, Query, Resource
from gateway.store.transaction import Transaction


def demand_unlimited(caller: Caller) -> None:
    """Raise Forbidden for a limited token: what it gave out would outlive it, or be worth more than it is."""
    if caller.limited:
        raise Forbidden("a token with limits changes no users and makes no tokens; come with the password")


async def hash_of(password: str) -> str:
    """Return the hash of a new password. Raises Invalid for one that is too long."""
    try:
        return await USER_PASSWORDS.run(users.hashed, password)
    except users.UsersError as error:
        raise Invalid(error.message, "password") from None


class UserService(ResourceService):
    """The service of Users."""

    kind = "User"
    computed = True

    async def seen(self, caller: Caller, resource: Resource) -> bool:
        """Return whether the caller is the user, or an admin."""
        return self.may_change(caller, resource)

    def may_change(self, caller: Caller, resource: Resource) -> bool:
        """Return whether the caller is the user, or an admin."""
        return caller.role is Role.ADMIN or resource.name == caller.user

    async def list(self, caller: Caller, query: Query) -> Page:
        """Return the page of all users for an admin, and of the caller alone for others."""
        demand(caller.role, self.kind, "read")
        user = self.room.directory.users.get(caller.user)
        own = Comparison("id", "=", user.path if user is not None else "", AttributeType.REFERENCE)
        filters = query.filters if caller.role is Role.ADMIN else (*query.filters, own)
        return await self.store.page(replace(query, kind=self.kind, visible_to=None, filters=filters))

    async def prepare(self, caller: Caller, collection: str, document: Document) -> Write:
        """Check a new user, and return what writes it."""
        demand_unlimited(caller)
        checked_name(document["name"])
        hashed = await hash_of(document["password"]) if document.get("password") else ""
        inherits = bool(document.get("inherits"))
        own = {key: value for key, value in document.items() if key not in ("password", "inherits")}

        async def write(transaction: Transaction) -> Outcome:
            user = await add_user(transaction, own, hashed, inherits=inherits)
            return await self.made(transaction, user, self.plan(caller, "add", collection, affected=(user.path,)))

        return write

    async def change(
        self, caller: Caller, resource: Resource, document: Document, selected: frozenset[str] | None
    ) -> Resource:
        """Return the user after the edit. Raises Forbidden for a role that users would give themselves."""
        demand_unlimited(caller)
        changed = await super().change(caller, resource, document, selected)
        if changed.name != resource.name:
            raise Conflict("name: a user keeps the name; make another user")
        if changed.document["role"] != resource.document["role"] and caller.role is not Role.ADMIN:
            raise Forbidden("role: only an admin gives roles to users")
        if document.get("password"):
            return KeptUser.changed(changed, hash=await hash_of(document["password"]))
        return KeptUser.changed(changed, hash="") if erases(document, selected, "password") else changed

    async def delete(self, caller: Caller, path: str, version: int | None) -> Outcome:
        """Remove a user. Raises Conflict for oneself, and for the last admin."""
        demand_unlimited(caller)
        user = await self.to_change(caller, path, "delete", version)
        if user.name == caller.user:
            raise Conflict("nobody removes themself; another admin may")
        return await super().delete(caller, path, version)

    async def remove(self, transaction: Transaction, path: str) -> None:
        """Remove the user with tokens and memberships, and their own project when nothing is in it."""
        await remove_user(transaction, await self.current(transaction, path))

"""Users, projects and tokens in the store of a gateway that does not run: an admin may have lost the password."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from gateway import users
from gateway.cli.account_types import AccountError, Member, ShownToken, TokenWish
from gateway.config import Settings
from gateway.orchestration.access import changes
from gateway.orchestration.access.changes import Limits, keep_an_admin
from gateway.orchestration.common.contract import Role
from gateway.orchestration.common.directory import KeptUser
from gateway.store.model import Resource
from gateway.store.questions.access import every_member
from gateway.store.store import Store
from gateway.store.transaction import Transaction

T = TypeVar("T")


class StoredAccounts:
    """The accounts in a store that nobody has open."""

    def __init__(self, settings: Settings) -> None:
        self._kept = settings.store

    def _read(self, work: Callable[[Store], Awaitable[T]]) -> T:
        async def opened() -> T:
            store = await Store.open(Path(self._kept.path), self._kept.key, self._kept.former_keys)
            try:
                return await work(store)
            finally:
                await store.close()

        return asyncio.run(opened())

    def _change(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        async def change(store: Store) -> T:
            async with store.transaction() as transaction:
                done = await work(transaction)
                await keep_an_admin(transaction)
            return done

        return self._read(change)

    # Users

    def users(self) -> list[tuple[str, str]]:
        """Return the name and the role of each user."""
        return [(str(user.name), user.document["role"]) for user in self._every("User")]

    def _every(self, kind: str) -> list[Resource]:
        async def read(store: Store) -> list[Resource]:
            return [resource async for resource in store.every(kind)]

        return self._read(read)

    def add_user(self, name: str, role: str, password: str | None, *, inherits: bool) -> None:
        """Make a user."""
        hashed, document = users.hash_of(password), {"name": name, "role": role}
        self._change(lambda transaction: changes.add_user(transaction, document, hashed, inherits=inherits))

    def set_password(self, name: str, password: str) -> None:
        """Change a user's password."""
        hashed = users.hashed(password)

        async def change(transaction: Transaction) -> None:
            user = await _named(transaction, "User", name)
            await transaction.update(KeptUser.changed(user, hash=hashed))

        self._change(change)

    def set_role(self, name: str, role: str) -> None:
        """Change a user's role."""

        async def change(transaction: Transaction) -> None:
            user = await _named(transaction, "User", name)
            await transaction.update(user.with_document(role=role))

        self._change(change)

    def remove_user(self, name: str) -> None:
        """Remove a user."""

        async def change(transaction: Transaction) -> None:
            await changes.remove_user(transaction, await _named(transaction, "User", name))

        self._change(change)

    # Projects

    def projects(self) -> list[tuple[str, list[Member]]]:
        """Return the name of each project, with its members."""
        members = self._read(every_member)
        return [
            (
                str(project.name),
                [
                    Member(str(project.name), member.document["userName"], member.document["role"])
                    for member in members
                    if member.parent == project.path
                ],
            )
            for project in self._every("Project")
        ]

    def add_project(self, name: str) -> None:
        """Make a project."""
        self._change(lambda transaction: changes.add_project(transaction, name))

    def remove_project(self, name: str) -> None:
        """Remove a project."""

        async def change(transaction: Transaction) -> None:
            await changes.remove_project(transaction, await _named(transaction, "Project", name))

        self._change(change)

    def grant(self, project: str, user: str, role: str) -> None:
        """Give a user a role in a project, in place of the one that they have."""

        async def change(transaction: Transaction) -> None:
            granted = await _named(transaction, "Project", project)
            member = await _member(transaction, granted, user)
            if member is None:
                await changes.grant(transaction, granted, user, Role(role))
            else:
                await transaction.update(member.with_document(role=role))

        self._change(change)

    def withdraw(self, project: str, user: str) -> None:
        """Take a user's role in a project."""

        async def change(transaction: Transaction) -> None:
            member = await _member(transaction, await _named(transaction, "Project", project), user)
            if member is None:
                raise AccountError(f"there is no member {user}")
            await transaction.delete(member.path)

        self._change(change)

    # Tokens

    def tokens(self) -> list[ShownToken]:
        """Return all tokens."""
        names = {project.path: str(project.name) for project in self._every("Project")}
        return [_shown(token, names) for token in self._every("Token")]

    def add_token(self, wish: TokenWish) -> str:
        """Make a token, and return what is sent as Bearer."""

        async def change(transaction: Transaction) -> str:
            user = await _named(transaction, "User", wish.user)
            project = await _named(transaction, "Project", wish.project) if wish.project is not None else None
            role = Role(wish.role) if wish.role is not None else None
            limits = Limits(role, wish.reads_only, project.path if project is not None else None, wish.expires)
            _, text = await changes.add_token(transaction, user, limits, {"name": wish.name})
            return text

        return self._change(change)

    def revoke(self, identity: str) -> None:
        """Revoke a token."""

        async def change(transaction: Transaction) -> None:
            path = f"tokens/{identity}"
            if await transaction.get(path) is None:
                raise AccountError(f"there is no token {identity}")
            await transaction.delete(path)

        self._change(change)


async def _named(transaction: Transaction, kind: str, name: str) -> Resource:
    """Return the user or project of a name. Raises AccountError when there is none."""
    named = await transaction.find(kind, "name", name)
    if not named:
        raise AccountError(f"there is no {kind.lower()} {name}")
    return named[0]


async def _member(transaction: Transaction, project: Resource, user: str) -> Resource | None:
    members = await transaction.children(project.path, "ProjectMember")
    return next((member for member in members if member.document["userName"] == user), None)


def _shown(token: Resource, names: dict[str, str]) -> ShownToken:
    document = token.document
    project = document["project"]["href"] if "project" in document else ""
    return ShownToken(
        token.path.rpartition("/")[2],
        document["userName"],
        document.get("name", ""),
        document.get("role", ""),
        document.get("readOnly", False),
        names.get(project, project),
        document.get("expires", ""),
        document.get("lastUse", ""),
    )

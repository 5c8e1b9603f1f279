"""The users of a gateway's first start: those of the users file; and a project for each owner of an older store."""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from gateway import users
from gateway.orchestration.access.changes import USER_NAMES, add_user, take_over
from gateway.orchestration.common.contract import Role
from gateway.store.claims import holder_of
from gateway.store.questions.access import has_users, projects_in_use
from gateway.store.store import Store
from gateway.store.transaction import Transaction

log = structlog.get_logger("auth")


async def import_users(store: Store, entries: Mapping[str, users.User]) -> None:
    """Make the users of the users file where the store has no admin: at the first start, and for one who lost them.

    Each of them has what the store has of an owner of that name, since that is whom it belonged to. What else has an
    owner gets a project of that name without a user.
    """
    async with store.transaction() as transaction:
        if await transaction.find("User", "role", Role.ADMIN.value):
            return
        first = not await has_users(transaction)
        for entry in entries.values():
            await _import(transaction, entry, first=first)
        for project in await projects_in_use(transaction) if first else ():
            await take_over(transaction, project)
    if entries:
        log.info("users imported from the users file", users=len(entries))


async def _import(transaction: Transaction, entry: users.User, *, first: bool) -> None:
    if await holder_of(transaction, USER_NAMES, entry.name) is None:
        await add_user(transaction, {"name": entry.name, "role": entry.role}, entry.hash, inherits=first)

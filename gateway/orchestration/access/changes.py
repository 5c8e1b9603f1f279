"""Changes of users, projects, members and tokens, each inside of a transaction: over HTTP and by commands at the host.

A name stands once among the users, and once among the projects, at a time. The id of a project is never given twice:
so a user who is removed and made again is another one, whose own project is new.
"""

from __future__ import annotations

import hashlib
import secrets
import uuid
from dataclasses import dataclass, replace
from datetime import datetime

from gateway import clock
from gateway.clock import timestamp
from gateway.errors import Conflict, Forbidden, Invalid
from gateway.orchestration.common.contract import Role
from gateway.orchestration.common.directory import KeptToken, KeptUser
from gateway.orchestration.common.resource_service import component, new_resource
from gateway.store.claims import claim, holder_of
from gateway.store.model import Document, Resource
from gateway.store.questions.access import sizes_of_project, take_project_id
from gateway.store.transaction import Transaction
from gateway.users import NAME

USER_NAMES = "names of users"
PROJECT_NAMES = "names of projects"
MOST_TOKENS = 100
"""Tokens that a user may have at once."""
HOST = "~host"
"""Id of the project in which admins act who come by the socket of this host: no name has a tilde."""
NOTHING: Document = {}
MARK = "cimi"
"""Begins each token: what it is can be told where one is found."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a token; None is no limit. ``project`` is a path."""

    role: Role | None = None
    reads_only: bool = False
    project: str | None = None
    expires: datetime | None = None


def digest_of(secret: str) -> str:
    """Return what is kept of the secret part of a token."""
    return hashlib.sha256(secret.encode()).hexdigest()


def checked_name(name: str) -> str:
    """Return the name of a user or a project. Raises Invalid for one that none may have."""
    if not NAME.fullmatch(name):
        raise Invalid(f"{name[:64]!r} is no name here: letters, digits and . _ @ - only, at most 64", "name")
    return name


# Users


async def add_user(transaction: Transaction, document: Document, hashed: str, *, inherits: bool = False) -> Resource:
    """Make a user with a project of their own. Raises Conflict when there is one of this name, and Invalid.

    ``document`` has the name and the role, ``hashed`` is the password's hash. ``inherits``: the user gets the project
    that an earlier one of this name has left, where there is one.
    """
    name = checked_name(document["name"])
    user = new_resource("User", None, document)
    if not await claim(transaction, USER_NAMES, name, user.path):
        raise Conflict(f"there is a user {name} already")
    project = await _left_by(transaction, name) if inherits else None
    if project is None:
        project = await add_project(transaction, await _free_name(transaction, name))
    user = user.with_document(project={"href": project.path})
    return await transaction.insert(KeptUser(hashed).on(replace(user, project=project.project)))


async def _left_by(transaction: Transaction, name: str) -> Resource | None:
    """Return the project that an earlier user of this name has left; None where it is somebody's own by now."""
    project = await transaction.get(f"projects/{name}")
    if project is None:
        return await take_over(transaction, name)
    return None if await transaction.find("User", "project", project.path) else project


async def take_over(transaction: Transaction, identity: str) -> Resource | None:
    """Make the project of what an owner had before there were projects; None where there is one of this name."""
    if await holder_of(transaction, PROJECT_NAMES, identity) is not None:
        return None
    await take_project_id(transaction, identity)
    return await _insert_project(transaction, identity, identity)


async def remove_user(transaction: Transaction, user: Resource) -> None:
    """Remove a user with their tokens and memberships, and their own project when nothing is in it."""
    name = str(user.name)
    for kind in ("Token", "ProjectMember"):
        for resource in await transaction.find(kind, "userName", name):
            await transaction.delete(resource.path)
    await transaction.delete(user.path)
    project = user.document["project"]["href"]
    if not await sizes_of_project(transaction, project.rpartition("/")[2]):
        await drop_project(transaction, project)


async def keep_an_admin(transaction: Transaction) -> None:
    """Raise Conflict when the transaction leaves no admin; the store calls this at the end of each."""
    users = [user for user in transaction.before.values() if user is not None and user.kind == "User"]
    admins = [user for user in users if user.document["role"] == Role.ADMIN.value]
    if admins and not await transaction.find("User", "role", Role.ADMIN.value):
        raise Conflict(f"{admins[0].name} is the last admin; make another one first")


# Projects


async def add_project(transaction: Transaction, name: str, own: Document = NOTHING) -> Resource:
    """Make a project. Raises Conflict when there is one of this name, and Invalid."""
    identity = checked_name(name)
    while not await take_project_id(transaction, identity):
        # No name has a tilde.
        identity = f"{name}~{secrets.token_hex(4)}"
    return await _insert_project(transaction, identity, name, own)


async def _insert_project(transaction: Transaction, identity: str, name: str, own: Document = NOTHING) -> Resource:
    now = clock.now()
    project = Resource(f"projects/{identity}", "Project", identity, {"name": name}, now, now).with_document(**own)
    await transaction.insert(project)
    if not await claim(transaction, PROJECT_NAMES, name, project.path):
        raise Conflict(f"there is a project {name} already")
    return project


async def _free_name(transaction: Transaction, name: str) -> str:
    """Return the name, or one that begins with it, for a new project of a user's own."""
    free, number = name, 1
    while await holder_of(transaction, PROJECT_NAMES, free) is not None:
        number += 1
        free = f"{name[:56]}-{number}"
    return free


async def host_project(transaction: Transaction) -> None:
    """Make the project of who comes by the socket of this host, unless it is there."""
    if await transaction.get(f"projects/{HOST}") is None:
        await take_project_id(transaction, HOST)
        await _insert_project(transaction, HOST, await _free_name(transaction, "host"))


async def remove_project(transaction: Transaction, project: Resource) -> None:
    """Remove a project with its members and what counts in it alone. Raises Conflict while anything is in it."""
    owners = await transaction.find("User", "project", project.path)
    if owners:
        raise Conflict(f"the project {project.name} is {owners[0].name}'s own, and goes with that user")
    left = await sizes_of_project(transaction, project.path.rpartition("/")[2])
    if left:
        words = ", ".join(f"{size} {kind}" for kind, size in left)
        raise Conflict(f"the project {project.name} is not empty: {words}; delete that first")
    await drop_project(transaction, project.path)


async def drop_project(transaction: Transaction, path: str) -> None:
    """Remove a project with its members, and the tokens that count in it alone."""
    for token in await transaction.find("Token", "project", path):
        await transaction.delete(token.path)
    await transaction.delete(path)


async def grant(
    transaction: Transaction, project: Resource, name: str, role: Role, own: Document = NOTHING
) -> Resource:
    """Give a user a role in a project. Raises Conflict when they have one already, and Invalid for no user."""
    if await holder_of(transaction, USER_NAMES, name) is None:
        raise Invalid(f"there is no user {name[:64]!r}", "userName")
    document: Document = {"userName": name, "role": role.value}
    member = component(project, "ProjectMember", f"members/{uuid.uuid4()}", document).with_document(**own)
    now = clock.now()
    member = replace(member, created=now, updated=now)
    if not await claim(transaction, f"members of {project.path}", name, member.path):
        raise Conflict(f"{name} has a role in the project {project.name} already")
    return await transaction.insert(member)


# Tokens


async def add_token(
    transaction: Transaction, user: Resource, limits: Limits, own: Document = NOTHING
) -> tuple[Resource, str]:
    """Make a token for a user, and return it with the text that is sent as Bearer. Raises Forbidden for too many."""
    name = str(user.name)
    if len(await transaction.find("Token", "userName", name)) >= MOST_TOKENS:
        raise Forbidden(f"{name} has {MOST_TOKENS} tokens; revoke one that is not used")
    identity, secret = uuid.uuid4().hex, secrets.token_urlsafe(32)
    now = clock.now()
    document: Document = {
        "userName": name,
        "role": limits.role.value if limits.role is not None else None,
        "readOnly": limits.reads_only or None,
        "project": {"href": limits.project} if limits.project is not None else None,
        "expires": timestamp(limits.expires) if limits.expires is not None else None,
        **own,
    }
    token = Resource(f"tokens/{identity}", "Token", user.project, {}, now, now).with_document(**document)
    made = await transaction.insert(KeptToken(digest_of(secret)).on(token))
    return made, f"{MARK}_{identity}_{secret}"

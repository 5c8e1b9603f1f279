"""The users, projects, members and tokens in memory, as the last commit left them, and as whom a request acts.

Each request asks here who it comes from, so nothing is read from the disk for that; and what a commit takes away counts
for no request after it. Who stays connected is told of each change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from gateway.errors import Forbidden
from gateway.orchestration.common.contract import Role
from gateway.store.durable import Kept
from gateway.store.model import Resource
from gateway.store.questions.access import every_member
from gateway.store.reading import Records

BY_RANK = (Role.VIEWER, Role.OPERATOR, Role.ADMIN)
"""The roles, the one that may least first."""
KINDS = ("User", "Project", "ProjectMember", "Token")


@dataclass(frozen=True)
class KeptUser(Kept):
    """The facts of a User beside its document."""

    hash: str = ""
    """The password by bcrypt; empty: the user has none, and comes in by something else."""


@dataclass(frozen=True)
class KeptToken(Kept):
    """The facts of a Token beside its document."""

    digest: str = ""
    """The SHA-256 of its secret part in hexadecimal digits: the secret is random, and of 256 bits."""


@dataclass(frozen=True, slots=True)
class User:
    """A user as requests know them. ``project`` is the id of their own project."""

    path: str
    name: str
    role: Role
    hash: str
    project: str


@dataclass(frozen=True, slots=True)
class Token:
    """A token as requests know it: whose it is, and what it allows of what its user may."""

    path: str
    user: str
    """Name of the user."""
    digest: str
    role: Role | None = None
    """The role that it allows at most; None for all that the user may."""
    reads_only: bool = False
    project: str | None = None
    """Id of the one project in which it counts; None for all of the user's."""
    expires: datetime | None = None

    @property
    def limited(self) -> bool:
        """Return whether it allows less than its user may, or not for ever."""
        return self.reads_only or not (self.role is None and self.project is None and self.expires is None)


@dataclass(frozen=True, slots=True)
class Standing:
    """A user as whom a request acts, in a project, with the role in it.

    ``manages``: who may choose the members of the project. ``limited``: a token allows less than the user may, or not
    for ever, so that no new one and no password is given out by it. ``confined``: nothing of another project counts.
    """

    user: str
    role: Role
    project: str
    manages: bool = False
    reads_only: bool = False
    limited: bool = False
    confined: bool = False


class Directory:
    """The users, projects, members and tokens. ``watch`` tells of their changes."""

    def __init__(self) -> None:
        self.users: dict[str, User] = {}
        """The users by their names."""
        self.tokens: dict[str, Token] = {}
        """The tokens by their ids."""
        self._projects: dict[str, str] = {}
        """The id of each project by its name."""
        self._roles: dict[tuple[str, str], Role] = {}
        """The roles of members, by the user's name and the project's id."""
        self._at: dict[str, Resource] = {}
        """The resources by their paths."""
        self._watchers: list[Callable[[], None]] = []

    async def open(self, store: Records) -> None:
        """Read all that there is, and follow the commits from now on."""
        store.watch(self._changed, *KINDS)
        for kind in ("User", "Project", "Token"):
            async for resource in store.every(kind):
                self._enter(resource)
        for resource in await every_member(store):
            self._enter(resource)

    def watch(self, watcher: Callable[[], None]) -> None:
        """Call ``watcher`` after each commit that changed a user, a project, a member or a token."""
        self._watchers.append(watcher)

    def renew(self) -> None:
        """Tell those who watch that who comes in by what may have changed elsewhere: certificates."""
        for watcher in self._watchers:
            watcher()

    # Questions

    def project_id(self, name: str) -> str:
        """Return the id of the project of this name; '' when there is none, in which nobody has a role."""
        return self._projects.get(name, "")

    def has_project(self, identity: str) -> bool:
        """Return whether there is a project of this id."""
        return f"projects/{identity}" in self._at

    def projects_of(self, name: str) -> list[str]:
        """Return the ids of the projects in which the user of this name has a role, the user's own first."""
        user = self.users.get(name)
        own = [user.project] if user is not None else []
        return own + [project for member, project in self._roles if member == name]

    def standing(self, user: User, token: Token | None = None, chosen: str | None = None) -> Standing:
        """Return as whom a request of the user acts that may come by a token, and may have chosen a project by name.

        Raises Forbidden for a project in which the user has no role, or that the token is not for.
        """
        limit = token.project if token is not None else None
        project = user.project if limit is None else limit
        if chosen is not None:
            project = self._projects.get(chosen, "")
            if limit is not None and project != limit:
                raise Forbidden(f"CIMI-Project: this token does not count in the project {chosen[:64]!r}")
        named = chosen is not None or limit is not None
        role, manages = self._role(user, project, chosen) if named else _at_home(user)
        if token is None:
            return Standing(user.name, role, project, manages)
        allowed = role if token.role is None else min(role, token.role, key=BY_RANK.index)
        manages = manages and token.role in (None, Role.ADMIN)
        confined = limit is not None
        return Standing(user.name, allowed, project, manages, token.reads_only, token.limited, confined)

    def _role(self, user: User, project: str, chosen: str | None) -> tuple[Role, bool]:
        """Return the role in a project that is named, and whether the user chooses its members.

        An admin's role is for all projects together: in one that is named they are an operator of it.
        """
        if user.role is Role.ADMIN and project:
            return Role.OPERATOR, True
        if project == user.project:
            return _at_home(user)
        role = self._roles.get((user.name, project))
        if role is None:
            raise Forbidden(f"CIMI-Project: there is no project {(chosen or project)[:64]!r} in which you have a role")
        return min(role, Role.OPERATOR, key=BY_RANK.index), role is Role.ADMIN

    # Commits

    def _changed(self, changes: Mapping[str, Resource | None]) -> None:
        for path, resource in changes.items():
            former = self._at.pop(path, None)
            if former is not None:
                self._strike(former)
            if resource is not None and resource.kind in KINDS:
                self._enter(resource)
        self.renew()

    def _enter(self, resource: Resource) -> None:
        self._at[resource.path] = resource
        document, name = resource.document, resource.name or ""
        if resource.kind == "User":
            project = _id(document["project"]["href"])
            hashed = KeptUser.of(resource).hash
            self.users[name] = User(resource.path, name, Role(document["role"]), hashed, project)
        elif resource.kind == "Project":
            self._projects[name] = _id(resource.path)
        elif resource.kind == "ProjectMember":
            self._roles[_membership(resource)] = Role(document["role"])
        else:
            self.tokens[_id(resource.path)] = _token(resource)

    def _strike(self, resource: Resource) -> None:
        if resource.kind == "User":
            self.users.pop(resource.name or "", None)
        elif resource.kind == "Project":
            self._projects.pop(resource.name or "", None)
        elif resource.kind == "ProjectMember":
            self._roles.pop(_membership(resource), None)
        else:
            self.tokens.pop(_id(resource.path), None)


def _at_home(user: User) -> tuple[Role, bool]:
    """Return the role where nothing is named, or the user's own project is, and whether they choose its members."""
    return user.role, user.role is not Role.VIEWER


def _membership(member: Resource) -> tuple[str, str]:
    return member.document["userName"], _id(member.parent or "")


def _token(resource: Resource) -> Token:
    document = resource.document
    expires = document.get("expires")
    return Token(
        resource.path,
        document["userName"],
        KeptToken.of(resource).digest,
        Role(document["role"]) if "role" in document else None,
        document.get("readOnly", False),
        _id(document["project"]["href"]) if "project" in document else None,
        datetime.fromisoformat(expires) if expires else None,
    )


def _id(path: str) -> str:
    return path.rpartition("/")[2]

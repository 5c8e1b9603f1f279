"""Users, projects and tokens as commands show and change them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from gateway.errors import GatewayError


class AccountError(GatewayError):
    """The lack of what was to be changed, or of a way to change it now; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Member:
    """A user's role in a project."""

    project: str
    user: str
    role: str


@dataclass(frozen=True, slots=True)
class TokenWish:
    """A token that is to be made. ``project`` is a name; None is no limit."""

    user: str
    name: str | None = None
    role: str | None = None
    reads_only: bool = False
    project: str | None = None
    expires: datetime | None = None


@dataclass(frozen=True, slots=True)
class ShownToken:
    """A token as it is listed; times are in ISO 8601, and what is empty is not limited, or was never."""

    identity: str
    user: str
    name: str = ""
    role: str = ""
    reads_only: bool = False
    project: str = ""
    expires: str = ""
    last_use: str = ""


class Users(Protocol):
    """The users. Each method raises GatewayError."""

    def users(self) -> list[tuple[str, str]]:
        """Return the name and the role of each user."""
        ...

    def add_user(self, name: str, role: str, password: str | None, *, inherits: bool) -> None:
        """Make a user; without a password they come in by other means."""
        ...

    def set_password(self, name: str, password: str) -> None:
        """Change a user's password."""
        ...

    def set_role(self, name: str, role: str) -> None:
        """Change a user's role."""
        ...

    def remove_user(self, name: str) -> None:
        """Remove a user."""
        ...


class Accounts(Users, Protocol):
    """The users, projects and tokens. Each method raises GatewayError."""

    def projects(self) -> list[tuple[str, list[Member]]]:
        """Return the name of each project, with its members."""
        ...

    def add_project(self, name: str) -> None:
        """Make a project."""
        ...

    def remove_project(self, name: str) -> None:
        """Remove a project."""
        ...

    def grant(self, project: str, user: str, role: str) -> None:
        """Give a user a role in a project, in place of the one that they have."""
        ...

    def withdraw(self, project: str, user: str) -> None:
        """Take a user's role in a project."""
        ...

    def tokens(self) -> list[ShownToken]:
        """Return all tokens."""
        ...

    def add_token(self, wish: TokenWish) -> str:
        """Make a token, and return what is sent as Bearer."""
        ...

    def revoke(self, identity: str) -> None:
        """Revoke a token."""
        ...

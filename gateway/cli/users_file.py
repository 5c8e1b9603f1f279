"""Users in the users file, before there is a store: the first start makes users of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from gateway import users
from gateway.cli.ownership import demand_unowned
from gateway.config import Settings


class UsersFile:
    """The users of a gateway that has not started yet."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._path = Path(settings.auth.users_file)

    def users(self) -> list[tuple[str, str]]:
        """Return the name and the role of each user."""
        return [(entry.name, entry.role) for entry in users.read(self._path).values()]

    def add_user(self, name: str, role: str, password: str | None, *, inherits: bool) -> None:
        """Add a user. Raises UsersError for a name whose earlier user left something that is not to be inherited."""
        if not inherits:
            demand_unowned(self._settings, name)
        entry = users.User(name, role, users.hash_of(password))
        with users.changing(self._path) as entries:
            _demand_new(entries, name)
            entries[name] = entry

    def set_password(self, name: str, password: str) -> None:
        """Change a user's password."""
        hashed = users.hashed(password)
        with users.changing(self._path) as entries:
            entries[name] = replace(_entry(entries, name), hash=hashed)

    def set_role(self, name: str, role: str) -> None:
        """Change a user's role."""
        with users.changing(self._path) as entries:
            entries[name] = replace(_entry(entries, name), role=role)

    def remove_user(self, name: str) -> None:
        """Remove a user."""
        with users.changing(self._path) as entries:
            _entry(entries, name)
            del entries[name]


def _demand_new(entries: Mapping[str, users.User], name: str) -> None:
    if name in entries:
        raise users.UsersError(f"{name} exists already; passwd changes the password")


def _entry(entries: Mapping[str, users.User], name: str) -> users.User:
    if name not in entries:
        raise users.UsersError(f"there is no user {name}")
    return entries[name]

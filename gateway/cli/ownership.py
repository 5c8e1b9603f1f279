"""The belongings of a name in the store: users are names, and a new one of an old name would get it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from gateway.config import Settings
from gateway.store.offline import OfflineStore
from gateway.users import UsersError


def owned_by(settings: Settings, name: str) -> str | None:
    """Return in words what the store has of a user's: resources, Jobs and events; None when there is nothing.

    Raises UsersError when the store cannot be looked at.
    """
    path = Path(settings.store.path)
    if not path.exists():
        return None
    try:
        with OfflineStore.open(path) as store:
            resources, events = store.owned_by(name)
    except sqlite3.Error as error:
        raise UsersError(f"{path} cannot be looked at for what belongs to {name}: {error}") from None
    return f"{resources} resources and {events} events" if resources or events else None


def demand_unowned(settings: Settings, name: str) -> None:
    """Raise UsersError when a new user of this name would get what an earlier one left."""
    left = owned_by(settings, name)
    if left is not None:
        raise UsersError(
            f"{left} of an earlier user {name} are in the store, and would be the new one's; "
            "choose another name, have an admin delete them, or say --inherit"
        )

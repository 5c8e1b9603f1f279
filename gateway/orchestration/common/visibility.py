"""The resources that a caller sees and may change."""

from __future__ import annotations

from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.permissions import Role
from gateway.store.model import Resource


def visible(caller: Caller, resource: Resource) -> bool:
    """Return whether the caller sees the resource.

    An admin sees everything; a user sees what is theirs, what is shared, and what belongs to nobody.
    """
    return changeable(caller, resource) or resource.shared or resource.owner is None


def changeable(caller: Caller, resource: Resource) -> bool:
    """Return whether the caller may change the resource: as an admin, or as its owner."""
    return caller.role is Role.ADMIN or resource.owner == caller.user


def audience(caller: Caller) -> str | None:
    """Return the user whose resources listings are cut to; None for an admin, who sees everything."""
    return None if caller.role is Role.ADMIN else caller.user


def rights(caller: Caller) -> tuple[str, str]:
    """Return what decides about what the caller is shown: all who have the same rights are shown the same.

    All admins are shown the same; for others it depends on what is theirs.
    """
    return ("", caller.role) if caller.role is Role.ADMIN else (caller.user, caller.role)

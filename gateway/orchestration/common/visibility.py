"""Whose resources a caller sees and may change."""

from __future__ import annotations

from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.permissions import Role
from gateway.store.model import Resource


def visible(caller: Caller, resource: Resource) -> bool:
    """An admin sees everything; a user what is theirs, what is shared, and what belongs to nobody."""
    return changeable(caller, resource) or resource.shared or resource.owner is None


def changeable(caller: Caller, resource: Resource) -> bool:
    return caller.role is Role.ADMIN or resource.owner == caller.user


def audience(caller: Caller) -> str | None:
    """What listings are cut to: None for everything."""
    return None if caller.role is Role.ADMIN else caller.user

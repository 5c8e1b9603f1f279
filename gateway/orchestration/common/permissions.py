"""Who may do what, and who sees what: deny by default, one row per operation."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.errors import Forbidden
from gateway.orchestration.common.contract import Caller, Role
from gateway.orchestration.common.directory import Standing
from gateway.store.model import Resource

ADMIN_ONLY = frozenset({Role.ADMIN})
CHANGERS = frozenset({Role.ADMIN, Role.OPERATOR})
EVERYBODY = frozenset(Role)

GRANTS: dict[str, frozenset[Role]] = {
    "read": EVERYBODY,
    "add": CHANGERS,
    "edit": CHANGERS,
    "delete": CHANGERS,
    "start": CHANGERS,
    "stop": CHANGERS,
    "restart": CHANGERS,
    "pause": CHANGERS,
    "suspend": CHANGERS,
    "capture": CHANGERS,
    "snapshot": CHANGERS,
    "restore": CHANGERS,
    "console": CHANGERS,
    "upload": CHANGERS,
    "download": CHANGERS,
    "import": CHANGERS,
    "export": CHANGERS,
    "package": CHANGERS,
    "fetch": CHANGERS,
}
"""The roles which may do an operation, on what they see and own."""

STRICTER: dict[tuple[str, str], frozenset[Role]] = {
    ("User", "add"): ADMIN_ONLY,
    ("User", "edit"): EVERYBODY,
    ("User", "delete"): ADMIN_ONLY,
    ("Project", "add"): ADMIN_ONLY,
    ("Project", "delete"): ADMIN_ONLY,
    ("Token", "add"): EVERYBODY,
    ("Token", "delete"): EVERYBODY,
    ("CloudEntryPoint", "edit"): ADMIN_ONLY,
    ("Quota", "edit"): ADMIN_ONLY,
    ("MachineConfiguration", "add"): ADMIN_ONLY,
    ("MachineConfiguration", "edit"): ADMIN_ONLY,
    ("MachineConfiguration", "delete"): ADMIN_ONLY,
    ("VolumeConfiguration", "add"): ADMIN_ONLY,
    ("VolumeConfiguration", "edit"): ADMIN_ONLY,
    ("VolumeConfiguration", "delete"): ADMIN_ONLY,
    ("NetworkConfiguration", "add"): ADMIN_ONLY,
    ("NetworkConfiguration", "edit"): ADMIN_ONLY,
    ("NetworkConfiguration", "delete"): ADMIN_ONLY,
    ("NetworkPortConfiguration", "add"): ADMIN_ONLY,
    ("NetworkPortConfiguration", "edit"): ADMIN_ONLY,
    ("NetworkPortConfiguration", "delete"): ADMIN_ONLY,
}
"""The roles for a kind and an operation, where fewer may do it, or more."""


def granted(role: Role, kind: str, operation: str) -> bool:
    """Return whether the role may do the operation on resources of this kind."""
    return role in STRICTER.get((kind, operation), GRANTS.get(operation, frozenset()))


def demand_any(role: Role, kind: str, operations: Iterable[str]) -> None:
    """Raise Forbidden when the role may do none of the operations on resources of this kind."""
    if not any(granted(role, kind, operation) for operation in operations):
        raise Forbidden(f"the role {role.value} may not act on a {kind}")


def demand(role: Role, kind: str, operation: str) -> None:
    """Raise Forbidden when the role may not do the operation on resources of this kind."""
    if not granted(role, kind, operation):
        raise Forbidden(f"the role {role.value} may not {operation} a {kind}")


def visible(caller: Caller, resource: Resource) -> bool:
    """Return whether the caller sees the resource.

    An admin sees everything; others see what is in their project, what is shared, and what belongs to nobody.
    """
    return changeable(caller, resource) or resource.shared or resource.project is None


def changeable(caller: Caller, resource: Resource) -> bool:
    """Return whether the caller may change the resource: as an admin, or in its project."""
    return caller.role is Role.ADMIN or resource.project == caller.project


def audience(caller: Caller) -> str | None:
    """Return the project whose resources listings are cut to; None for an admin, who sees everything."""
    return None if caller.role is Role.ADMIN else caller.project


def rights(caller: Caller | Standing) -> tuple[str, str, bool]:
    """Return what decides about what the caller is shown: all who have the same rights are shown the same.

    All admins are shown the same; for others it depends on what is in their project.
    """
    return ("" if caller.role is Role.ADMIN else caller.project, caller.role, caller.reads_only)

"""All declared types, and the way from a path to its type, other spellings of clients of 1.x included."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from marshmallow import Schema

from gateway.cimi import (
    access,
    catalog,
    cloud_entry_point,
    credential,
    job,
    machine,
    metadata,
    monitoring,
    network,
    quota,
    system,
    volume,
)
from gateway.cimi.resource_type import JSON, Action, ResourceType

TYPES: dict[str, ResourceType] = {
    declared.kind: declared
    for family in (
        *(cloud_entry_point, metadata, system, machine, volume, credential, network, monitoring),
        *(catalog, access, quota, job),
    )
    for declared in family.TYPES
}
CREATE_SCHEMAS: dict[str, type[Schema]] = {
    **system.CREATE_SCHEMAS,
    **machine.CREATE_SCHEMAS,
    **volume.CREATE_SCHEMAS,
    **credential.CREATE_SCHEMAS,
    **network.CREATE_SCHEMAS,
    **monitoring.CREATE_SCHEMAS,
}
CLOUD_ENTRY_POINT = TYPES["CloudEntryPoint"]

_ROOT = {declared.segment: declared for declared in TYPES.values() if declared.parent is None}
_NESTED = {(declared.parent, declared.segment): declared for declared in TYPES.values() if declared.parent}
VIEWS = {
    (owner.kind, segment): TYPES[kind]
    for owner in TYPES.values()
    if not owner.singleton
    for segment, kind in owner.listed_kinds
    if kind in TYPES and TYPES[kind].parent is None
}
"""Nested collections that list resources of a root collection: the meters of a Machine."""


type_of: Callable[[str], ResourceType] = TYPES.__getitem__
"""Return the type of this kind."""


def collection_at(path: str) -> ResourceType | None:
    """Return the type of the items of the collection at a path: ``machines`` or ``machines/7f3c/disks``."""
    return _collection(path, VIEWS)


def type_at(path: str) -> ResourceType | None:
    """Return the type of the resource at a path: ``machines/7f3c`` or ``machines/7f3c/disks/vda``.

    A resource that a nested collection only lists stands elsewhere: there is no ``machines/7f3c/meters/1``. An action
    of a collection is no resource of it.
    """
    if path == CLOUD_ENTRY_POINT.segment:
        return CLOUD_ENTRY_POINT
    collection, slash, last = path.rpartition("/")
    declared = _collection(collection, {}) if slash and last else None
    if declared is None or (declared.collection_actions and declared.collection_action(last)):
        return None
    return declared


def acting_collection_at(path: str) -> tuple[ResourceType, Action] | None:
    """Return the type and the action at the path of an action on a collection: ``systems/import``."""
    collection, _, verb = path.rpartition("/")
    declared = collection_at(collection) if collection else None
    action = declared.collection_action(verb) if declared is not None else None
    return (declared, action) if declared is not None and action is not None else None


def bytes_at(path: str, method: str) -> frozenset[str]:
    """Return the media types of what the actions at a path give where that is no document: ``text/plain``.

    The URI of a resource takes Action documents by POST, so that all its actions stand there, too.
    """
    owner, _, verb = path.rpartition("/")
    acted_on, named = type_at(path), type_at(owner) if owner else None
    possible: list[Action] = []
    if acted_on is not None and method == "POST":
        possible = [action for action in acted_on.actions if action.method == "POST"]
    elif acted_on is None and named is not None:
        possible = [action for action in named.actions if action.verb == verb]
    return frozenset(action.gives for action in possible if action.gives != JSON)


def _collection(path: str, views: Mapping[tuple[str, str], ResourceType]) -> ResourceType | None:
    """Return the type of the items of a collection; ``views`` may be the last part of the path."""
    parts = path.split("/")
    declared = _ROOT.get(parts[0])
    if declared is None or declared.singleton:
        return None
    for place in range(2, len(parts), 2):
        key = (declared.kind, parts[place])
        declared = _NESTED.get(key) or (views.get(key) if place == len(parts) - 1 else None)
        if declared is None:
            return None
    return declared if len(parts) % 2 == 1 and all(parts) else None


def snake_case(name: str) -> str:
    """Return a name of the standard as some providers of 1.0 spelled it in URLs: ``machineImages`` as
    ``machine_images``.
    """
    return re.sub(r"[A-Z]", lambda letter: f"_{letter.group().lower()}", name)


def _spellings(described: ResourceType, segment: str) -> set[str]:
    """Return the other names of a collection: by its URL here, and by what it holds (``machine_configurations``)."""
    return {snake_case(segment), snake_case(described.items_key)} - {segment}


ALIASES: dict[tuple[str | None, str], str] = {
    **{
        (declared.parent, spelling): declared.segment
        for declared in TYPES.values()
        if not declared.singleton
        for spelling in _spellings(declared, declared.segment)
    },
    **{
        (owner, spelling): segment
        for (owner, segment), declared in VIEWS.items()
        for spelling in _spellings(declared, segment)
    },
}
"""The segment of a collection by the kind that it is nested in, None for a root collection, and another spelling."""


def canonical(path: str) -> str:
    """Return the path with its collections spelled as this gateway does; a path without aliases as it is."""
    parts = path.split("/")
    kind: str | None = None
    for place in range(0, len(parts), 2):
        parts[place] = ALIASES.get((kind, parts[place]), parts[place])
        described = collection_at("/".join(parts[: place + 1]))
        if described is None:
            break
        kind = described.kind
    return "/".join(parts)

"""All declared types, and the way from a path to its type."""

from __future__ import annotations

from marshmallow import Schema

from gateway.cimi import cloud_entry_point, credential, job, machine, metadata, monitoring, network, system, volume
from gateway.cimi.resource_type import ResourceType

TYPES: dict[str, ResourceType] = {
    declared.kind: declared
    for family in (cloud_entry_point, metadata, system, machine, volume, credential, network, monitoring, job)
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
_VIEWS = {
    (owner.kind, segment): TYPES[kind]
    for owner in TYPES.values()
    if not owner.singleton
    for segment, kind in owner.listed_kinds
    if kind in TYPES and TYPES[kind].parent is None
}
"""Nested collections that list resources of a root collection: the meters of a Machine."""


def type_of(kind: str) -> ResourceType:
    return TYPES[kind]


def collection_at(path: str) -> ResourceType | None:
    """The type of the items of the collection at a path: ``machines`` or ``machines/7f3c/disks``."""
    parts = path.split("/")
    found = _ROOT.get(parts[0])
    if found is None or found.singleton:
        return None
    for segment in parts[2::2]:
        found = _NESTED.get((found.kind, segment)) or _VIEWS.get((found.kind, segment))
        if found is None:
            return None
    return found if len(parts) % 2 == 1 and all(parts) else None


def type_at(path: str) -> ResourceType | None:
    """The type of the resource at a path: ``machines/7f3c`` or ``machines/7f3c/disks/vda``."""
    if path == CLOUD_ENTRY_POINT.segment:
        return CLOUD_ENTRY_POINT
    collection, slash, last = path.rpartition("/")
    return collection_at(collection) if slash and last else None

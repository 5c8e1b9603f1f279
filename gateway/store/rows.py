"""Resources as rows and back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from gateway.cimi.fields import timestamp
from gateway.store.collation import sort_key
from gateway.store.model import Document, Resource
from gateway.store.sealing import MARK

COLUMNS = (
    "path, kind, owner, shared, parent, created, updated, version, held_by, document, "
    f"CASE WHEN instr(internal, '{MARK}') THEN opened(path, internal) ELSE internal END"
)
EVERYONE = ""
LONG = (9, 10)
"""Places in a row of what may be long: the document and the internal facts."""


def bytes_in(text: str) -> int:
    """Return how many bytes a text is long as the store and answers have it, in UTF-8."""
    return len(text) if text.isascii() else len(text.encode())


def audience(resource: Resource) -> str:
    """Return the user whose listings show the resource, or '' for everyone."""
    return EVERYONE if resource.shared or resource.owner is None else resource.owner


def to_row(resource: Resource) -> dict[str, Any]:
    """Return all columns of a resource, by their names."""
    return {"path": resource.path, **_plain(resource), **_written(_documents(resource))}


def to_change(before: Resource, after: Resource) -> dict[str, Any]:
    """Return the columns that are not as they were, by their names.

    SQLite rewrites every index of a column that is set, though the value be the same; those of ``document`` are many.
    """
    old = _plain(before)
    changed = {name: value for name, value in _plain(after).items() if value != old[name]}
    previous = _documents(before)
    documents = {name: value for name, value in _documents(after).items() if value != previous[name]}
    return {**changed, **_written(documents)}


def _plain(resource: Resource) -> dict[str, Any]:
    return {
        "kind": resource.kind,
        "owner": resource.owner,
        "shared": int(resource.shared),
        "audience": audience(resource),
        "parent": resource.parent or "",
        "name": sort_key(resource.name),
        "state": resource.state,
        "created": timestamp(resource.created),
        "updated": timestamp(resource.updated),
        "version": resource.version,
        "held_by": resource.held_by,
    }


def parameter(column: str) -> str:
    """Return what stands in SQL for a column's new value."""
    return "sealed(:path, :internal)" if column == "internal" else f":{column}"


def _documents(resource: Resource) -> dict[str, Document]:
    return {"document": resource.document, "internal": resource.internal}


def _written(columns: Mapping[str, Document]) -> dict[str, str]:
    return {name: json.dumps(value, ensure_ascii=False, separators=(",", ":")) for name, value in columns.items()}


def from_row(row: Sequence[Any]) -> Resource:
    """Return the resource of a row, which has the columns of ``COLUMNS``."""
    path, kind, owner, shared, parent, created, updated, version, held_by, document, internal = row
    return Resource(
        path=path,
        kind=kind,
        owner=owner,
        shared=bool(shared),
        parent=parent or None,
        created=datetime.fromisoformat(created),
        updated=datetime.fromisoformat(updated),
        version=version,
        held_by=held_by,
        document=json.loads(document),
        internal=json.loads(internal),
        size=bytes_in(document),
    )

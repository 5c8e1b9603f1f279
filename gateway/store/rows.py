"""Resources as rows and back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from gateway.cimi.fields import timestamp
from gateway.store.collation import sort_key
from gateway.store.model import Resource

COLUMNS = "path, kind, owner, shared, parent, created, updated, version, document, internal"
EVERYONE = ""


def audience(resource: Resource) -> str:
    """Whom listings show it to: '' for everyone."""
    return EVERYONE if resource.shared or resource.owner is None else resource.owner


def to_row(resource: Resource) -> dict[str, Any]:
    return {
        "path": resource.path,
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
        "document": json.dumps(resource.document, ensure_ascii=False, separators=(",", ":")),
        "internal": json.dumps(resource.internal, ensure_ascii=False, separators=(",", ":")),
    }


def from_row(row: Sequence[Any]) -> Resource:
    path, kind, owner, shared, parent, created, updated, version, document, internal = row
    return Resource(
        path=path,
        kind=kind,
        owner=owner,
        shared=bool(shared),
        parent=parent or None,
        created=datetime.fromisoformat(created),
        updated=datetime.fromisoformat(updated),
        version=version,
        document=json.loads(document),
        internal=json.loads(internal),
    )

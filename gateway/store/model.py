"""The contents of the store: resources as values and as rows, and questions about them."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from gateway.cimi.filter import Expression
from gateway.clock import timestamp
from gateway.store.sealing import MARK

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Resource:
    """A CIMI resource as the store keeps it.

    ``path`` is its identity, relative to the Cloud Entry Point: ``machines/7f3c...`` or, nested,
    ``machines/7f3c.../disks/vda``. ``document`` holds the CIMI attributes in the JSON vocabulary; references in
    it are relative paths too (``{"href": "machineImages/ab12"}``). ``internal`` never leaves the process: where
    the resource lives on the hypervisor, what it is made of, secrets.
    """

    path: str
    kind: str
    project: str | None
    """Id of the project that it is in; None is the gateway's own, which everyone sees and only an admin changes."""
    document: Document
    created: datetime
    updated: datetime
    parent: str | None = None
    """Path of the resource that it is a component of, and with which it dies."""
    shared: bool = False
    """True when every user may read and use it (what an admin adds to the catalogue), not change it."""
    internal: Document = field(default_factory=dict)
    maker: str | None = None
    """Name of the user who made it; None for what the gateway made by itself."""
    held_by: str | None = None
    """Path of the Job that alone writes the resource's state until it has ended."""
    version: int = 1
    """Grows with each change; the ETag is made from it."""
    size: int = field(default=0, compare=False)
    """Characters of the document as it was read or written; 0 for what is made up and is short."""

    @property
    def collection(self) -> str:
        """Path of the collection it stands in: ``machines`` or ``machines/7f3c/disks``."""
        return self.path.rpartition("/")[0]

    @property
    def state(self) -> str | None:
        """The state of the resource; None for a type without states."""
        state = self.document.get("state")
        return state if isinstance(state, str) else None

    @property
    def name(self) -> str | None:
        """The name of the resource; None when it has none."""
        name = self.document.get("name")
        return name if isinstance(name, str) else None

    def with_document(self, **attributes: Any) -> Resource:
        """Return a copy with these attributes set; an attribute set to None is removed."""
        merged = {**self.document, **attributes}
        return replace(self, document={key: value for key, value in merged.items() if value is not None})

    def held(self, job: str) -> Resource:
        """Return a copy that this Job holds."""
        return replace(self, held_by=job)

    def released(self) -> Resource:
        """Return a copy that no Job holds."""
        return replace(self, held_by=None)

    def with_internal(self, **facts: Any) -> Resource:
        """Return a copy with these internal facts set; a fact set to None is removed."""
        merged = {**self.internal, **facts}
        return replace(self, internal={key: value for key, value in merged.items() if value is not None})


@dataclass(frozen=True, slots=True)
class SortKey:
    """An attribute that a collection is ordered by."""

    attribute: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """A question about one collection (DSP0263 4.1.6).

    ``first`` and ``last`` are 1-based and inclusive. ``visible_to`` None sees everything (an admin); a project
    sees what is in it, what is shared, and what belongs to nobody. ``project`` leaves only what is in this one, shared
    or not.
    """

    kind: str
    parent: str | None = None
    visible_to: str | None = None
    project: str | None = None
    filters: tuple[Expression, ...] = ()
    order: tuple[SortKey, ...] = ()
    first: int = 1
    last: int | None = None
    most_bytes: int | None = None
    """Bytes of the page's items at most; the page ends early, with at least one item, where they come to more."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a collection: ``count`` is the collection's size before paging, ``items`` are those of the page."""

    items: tuple[Resource, ...]
    count: int


# Rows

EVERYONE = ""
COLUMNS = (
    "path, kind, project, shared, parent, created, updated, version, held_by, maker, document, "
    f"CASE WHEN instr(internal, '{MARK}') THEN opened(path, internal) ELSE internal END"
)
LONG = (10, 11)
"""Places in a row of what may be long: the document and the internal facts."""
SORT_KEY = "nfkd"
"""The name of ``sort_key`` in SQL; every connection to the store has it."""


def bytes_in(text: str) -> int:
    """Return how many bytes a text is long as the store and answers have it, in UTF-8."""
    return len(text) if text.isascii() else len(text.encode())


def from_row(row: Sequence[Any]) -> Resource:
    """Return the resource of a row, which has the columns of ``COLUMNS``."""
    path, kind, project, shared, parent, created, updated, version, held_by, maker, document, internal = row
    return Resource(
        path=path,
        kind=kind,
        project=project,
        shared=bool(shared),
        parent=parent or None,
        created=datetime.fromisoformat(created),
        updated=datetime.fromisoformat(updated),
        version=version,
        held_by=held_by,
        maker=maker,
        document=json.loads(document),
        internal=json.loads(internal),
        size=bytes_in(document),
    )


def to_row(resource: Resource) -> dict[str, Any]:
    """Return all columns of a resource, by their names."""
    return {"path": resource.path, **_in_sql(_values(resource))}


def to_change(before: Resource, after: Resource) -> dict[str, Any]:
    """Return the columns that are not as they were, by their names.

    SQLite rewrites every index of a column that is set, though the value be the same; those of ``document`` are many.
    """
    old = _values(before)
    return _in_sql({name: value for name, value in _values(after).items() if value != old[name]})


def insert_sql(row: Mapping[str, Any]) -> str:
    """Return the SQL that adds a resource, with its columns as named parameters."""
    return f"INSERT INTO resources ({', '.join(row)}) VALUES ({', '.join(map(_parameter, row))})"  # noqa: S608


def update_sql(changed: Mapping[str, Any]) -> str:
    """Return the SQL that writes the changed columns of the resource at ``:path``."""
    return f"UPDATE resources SET {', '.join(f'{name} = {_parameter(name)}' for name in changed)} WHERE path = :path"  # noqa: S608


def _parameter(column: str) -> str:
    return "sealed(:path, :internal)" if column == "internal" else f":{column}"


def _values(resource: Resource) -> dict[str, Any]:
    """Return the value of each column but the path, before it is written as SQL has it."""
    return {
        "kind": resource.kind,
        "project": resource.project,
        "shared": resource.shared,
        # Whose listings show the resource.
        "audience": EVERYONE if resource.shared or resource.project is None else resource.project,
        "parent": resource.parent or "",
        "name": resource.name,
        "state": resource.state,
        "created": resource.created,
        "updated": resource.updated,
        "version": resource.version,
        "held_by": resource.held_by,
        "maker": resource.maker,
        "document": resource.document,
        "internal": resource.internal,
    }


def _in_sql(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: IN_SQL[name](value) if name in IN_SQL else value for name, value in values.items()}


def _json(document: Document) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def sort_key(text: str | None) -> str | None:
    """Return the key by which a text is sorted: what NFKD makes of it, in binary order (DSP0263 4.1.6, $orderby).

    Letters that differ in composition, width or style alone are the same. None and other values are returned as they
    are.
    """
    return unicodedata.normalize("NFKD", text) if isinstance(text, str) else text


IN_SQL: Mapping[str, Callable[[Any], Any]] = {
    "shared": int,
    "name": sort_key,
    "created": timestamp,
    "updated": timestamp,
    "document": _json,
    "internal": _json,
}
"""How the values of columns are written that SQL does not have as they are."""

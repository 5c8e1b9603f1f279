"""References in documents: they must exist, be of the right type, and be visible to the caller."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gateway.cimi.fields import Attribute
from gateway.cimi.references import Array, Ref, RefOrValue, Structure, TypeRef
from gateway.cimi.registry import TYPES, type_at
from gateway.errors import Invalid
from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.permissions import visible
from gateway.store.model import Document, Resource
from gateway.store.reading import Reading
from gateway.store.transaction import Transaction

OWN = ("name", "description", "properties")
"""The attributes that go from a Create document to the new resource, and never from or to a template."""


async def resolve(store: Reading, caller: Caller, href: str, kinds: tuple[str, ...], attribute: str) -> Resource:
    """Return the resource that ``href`` refers to, which has to be of one of the ``kinds``.

    Raises Invalid, naming the attribute, for any other reference; another user's resource counts as missing.
    """
    described = type_at(href)
    if described is None or described.kind not in kinds:
        raise Invalid(f"{href[:200]} is no {' or '.join(kinds)}", attribute)
    resource = await store.get(href)
    if resource is None or not visible(caller, resource):
        raise Invalid(f"there is no {described.kind} {href[:200]}", attribute)
    return resource


def merged(below: Document, above: Document) -> Document:
    """Return the referenced document with the overrides beside its href; None erases (DSP0263 4.2.3.1)."""
    rest = {name: value for name, value in above.items() if name not in ("href", "name", "description", "properties")}
    kept = {name: value for name, value in below.items() if name not in ("name", "description", "properties")}
    return {name: value for name, value in {**kept, **rest}.items() if value is not None}


ANY = "Resource"
"""The kind in the declaration of a reference that may be to every kind."""


@dataclass(frozen=True, slots=True)
class Referring:
    """An attribute of a resource type in which references may stand.

    ``direct`` says that the attribute itself is the reference, and so has an index; else references stand inside of it.
    """

    kind: str
    attribute: str
    direct: bool


def _referred(field: Attribute, outer: frozenset[Any] = frozenset()) -> Iterator[tuple[str, bool]]:
    """Yield each kind that an attribute refers to, and whether the attribute itself is that reference.

    ``outer`` are the schemas that the attribute stands inside of.
    """
    if isinstance(field, Ref | RefOrValue) and not isinstance(field, TypeRef):
        yield field.kind, True
    inner = [field.entry] if isinstance(field, Array) else []
    if isinstance(field, Structure) and field.schema not in outer:
        inner, outer = list(field.members.values()), outer | {field.schema}
    for member in inner:
        yield from ((kind, False) for kind, _direct in _referred(member, outer))


def _table() -> dict[str, frozenset[Referring]]:
    table: dict[str, set[Referring]] = {}
    for declared in TYPES.values():
        for name, field in declared.attributes.items():
            for kind, direct in _referred(field) if field.writable else ():
                table.setdefault(kind, set()).add(Referring(declared.kind, name, direct))
    return {kind: frozenset(referring) for kind, referring in table.items()}


REFERRING = _table()
"""The attributes that may refer to each kind, derived from the declarations."""


async def empty_references(transaction: Transaction) -> None:
    """Empty all references to what the transaction deletes; the store calls this at the transaction's end."""
    for path, after in list(transaction.changes.items()):
        before = transaction.before[path]
        if before is not None and after is None:
            for resource in await _referring(transaction, before):
                await transaction.update(resource.with_document(**_emptied(resource.document, path)))


async def _referring(transaction: Transaction, gone: Resource) -> list[Resource]:
    places = REFERRING.get(gone.kind, frozenset()) | REFERRING.get(ANY, frozenset())
    resources: dict[str, Resource] = {}
    for place in places:
        if place.direct:
            listed = await transaction.find(place.kind, place.attribute, gone.path)
            resources.update((resource.path, resource) for resource in listed)
    for kind in {place.kind for place in places if not place.direct}:
        resources.update((resource.path, resource) for resource in await transaction.mentioning(kind, gone.path))
    return list(resources.values())


def _emptied(document: Document, path: str) -> Document:
    """Return the attributes that lose something, as they are afterwards; None for one that is empty then."""
    pruned = {name: _without(value, path) for name, value in document.items()}
    return {name: value for name, value in pruned.items() if value != document[name]}


def _without(value: Any, path: str) -> Any:
    """Return the value less every reference to the path; None when nothing is left of it."""
    if isinstance(value, dict):
        if value.get("href") == path:
            return None
        kept = {name: _without(inner, path) for name, inner in value.items()}
        changed = {name: inner for name, inner in kept.items() if inner is not None or value[name] is None}
        return changed or (None if value else value)
    if isinstance(value, list):
        kept_items = [inner for inner in (_without(entry, path) for entry in value) if inner is not None]
        return kept_items or None
    return value

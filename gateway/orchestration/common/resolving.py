"""References in documents: they must exist, be of the right type, and be visible to the caller."""

from __future__ import annotations

from gateway.cimi.registry import type_at
from gateway.errors import Invalid
from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.visibility import visible
from gateway.store.model import Document, Resource
from gateway.store.reading import Reading

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

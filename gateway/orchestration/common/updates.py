"""Updates as clients of 1.x send them: what they leave out stays where it has to, and what they take away goes."""

from __future__ import annotations

from gateway.cimi.registry import type_of
from gateway.store.model import Document, Resource


def with_mandatory(resource: Resource, document: Document, selected: frozenset[str] | None) -> Document:
    """Return a full update with the mandatory attributes that it leaves out, as they are.

    Clients of 1.x send what they change and nothing else. A partial update says by ``$select`` what it changes.
    """
    if selected is not None:
        return document
    names = [name for name in type_of(resource.kind).mandatory if document.get(name) is None]
    return {**document, **{name: resource.document[name] for name in names if name in resource.document}}


def erases(document: Document, selected: frozenset[str] | None, name: str) -> bool:
    """Return whether an update takes a write-only attribute away: by null, or selected and left out.

    A full update that leaves the attribute out does not: nobody can read it back to send it again.
    """
    return document.get(name) is None and (name in document or (selected is not None and name in selected))

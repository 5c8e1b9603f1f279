"""References by name between the components of one SystemTemplate: ``#web`` (DSP0263 5.13.3).

Where one may stand follows from the declarations: wherever a reference of the component's kind may.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gateway.cimi.edge import SYMBOL
from gateway.cimi.fields import Attribute
from gateway.cimi.references import Array, Ref, RefOrValue, Structure
from gateway.store.model import Document

ANYTHING = "Resource"
"""The kind of a reference that takes every kind."""
OWN_NAMES = "componentDescriptors"
"""What a nested SystemTemplate names is its own affair."""
Way = tuple[str | int, ...]
"""The keys and places that lead to a reference in a document."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference in a document; ``kind`` is what belongs there."""

    way: Way
    href: str
    kind: str

    @property
    def where(self) -> str:
        """Return the way as errors name it."""
        return ".".join(str(step) for step in self.way)


@dataclass(frozen=True, slots=True)
class Symbol:
    """A reference by name; ``kind`` is what belongs there."""

    way: Way
    name: str
    kind: str

    @property
    def where(self) -> str:
        """Return the way as errors name it."""
        return ".".join(str(step) for step in self.way)


def references(field: Attribute, value: object, way: Way) -> Iterator[Reference]:
    """Yield every reference in the value of an attribute."""
    if isinstance(field, Array) and isinstance(value, list):
        for place, entry in enumerate(value):
            yield from references(field.entry, entry, (*way, place))
    if not isinstance(value, dict):
        return
    if isinstance(field, Ref | RefOrValue) and value.get("href"):
        yield Reference(way, value["href"], field.kind)
    if isinstance(field, Structure):
        for name, member in field.members.items():
            if name in value and name != OWN_NAMES:
                yield from references(member, value[name], (*way, name))


def symbols(field: Attribute, value: object, way: Way) -> Iterator[Symbol]:
    """Yield every reference by name in the value of an attribute."""
    for reference in references(field, value, way):
        if reference.href.startswith(SYMBOL):
            yield Symbol(reference.way, reference.href[len(SYMBOL) :], reference.kind)


def placed(document: Document, paths: dict[Way, str]) -> Document:
    """Return the document with each reference by name turned into one to this path."""
    changed = copy.deepcopy(document)
    for way, path in paths.items():
        _at(changed, way)["href"] = path
    return changed


def without(document: Document, ways: list[Way]) -> Document:
    """Return the document less the entries of lists, and the attributes, that these references are."""
    changed = copy.deepcopy(document)
    # The last first, so that the others' places stay. Where two ways part, both have a name, or both a place.
    for way in sorted(ways, reverse=True):
        del _at(changed, way[:-1])[way[-1]]
    return changed


def _at(document: Document, way: Way) -> Any:
    """Return what is at the end of a way: an object, or a list."""
    place: Any = document
    for step in way:
        place = place[step]
    return place

"""References by name between the components of one SystemTemplate: ``#web`` (DSP0263 5.13.3).

Where one may stand follows from the declarations: wherever a reference of the component's kind may.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass

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
    """One that stands in a document; ``kind`` is what belongs there."""

    way: Way
    href: str
    kind: str

    @property
    def where(self) -> str:
        return ".".join(str(step) for step in self.way)


@dataclass(frozen=True, slots=True)
class Symbol:
    way: Way
    name: str
    kind: str

    @property
    def where(self) -> str:
        return ".".join(str(step) for step in self.way)


def references(field: Attribute, value: object, way: Way) -> Iterator[Reference]:
    """Every reference in the value of an attribute."""
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
    """Every reference by name in the value of an attribute."""
    for found in references(field, value, way):
        if found.href.startswith(SYMBOL):
            yield Symbol(found.way, found.href[len(SYMBOL) :], found.kind)


def placed(document: Document, paths: dict[Way, str]) -> Document:
    """The document with each reference by name turned into one to this path."""
    found = copy.deepcopy(document)
    for way, path in paths.items():
        target = found
        for step in way:
            target = target[step]  # type: ignore[index]
        target["href"] = path
    return found


def without(document: Document, ways: list[Way]) -> Document:
    """The document less the entries of lists, and the attributes, that these references are."""
    found = copy.deepcopy(document)
    for way in sorted(ways, key=lambda way: tuple(str(step).rjust(6) for step in way), reverse=True):
        holder = found
        for step in way[:-1]:
            holder = holder[step]  # type: ignore[index]
        del holder[way[-1]]  # type: ignore[arg-type]
    return found

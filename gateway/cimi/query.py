"""`$select`, `$expand`, `$filter`, `$orderby`, `$first`, `$last` of a request (DSP0263 4.1.6)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from gateway.cimi.filter import Expression, parse_all
from gateway.cimi.resource_type import ResourceType

EVERYTHING = "*"


@dataclass(frozen=True, slots=True)
class QueryOptions:
    """The options of a query string."""

    filters: tuple[Expression, ...] = ()
    order: tuple[tuple[str, bool], ...] = ()
    """Attributes to sort by, each with whether it is in descending order."""
    first: int = 1
    last: int | None = None
    select: frozenset[str] | None = None
    """Names of the attributes to show; None for all."""
    expand: frozenset[str] = frozenset()
    """Names of the references to expand, or ``*`` for all."""
    narrowed: bool = False
    """Whether the query says which items of a collection are wanted, or in which order."""


PLAIN = QueryOptions()
"""The options of a query that says nothing."""
NARROWING = frozenset({"$filter", "$first", "$last", "$orderby"})
DECISIVE = NARROWING | {"$select", "$expand"}


def parse_query(parameters: Iterable[tuple[str, str]], declared: ResourceType, base: str) -> QueryOptions:
    """Return the options in the parameters; unknown ones are ignored. Raises Invalid for a bad ``$filter``."""
    pairs = list(parameters)
    last = _position(pairs, "$last")
    return QueryOptions(
        filters=parse_all([text for name, text in pairs if name == "$filter"], declared.filter_types, base),
        order=_order([text for name, text in pairs if name == "$orderby"], declared),
        first=max(1, _position(pairs, "$first") or 1),
        last=max(0, last) if last is not None else None,
        select=selected(pairs),
        expand=_expanded([text for name, text in pairs if name == "$expand"]),
        narrowed=any(name in NARROWING for name, _ in pairs),
    )


def decisive(parameters: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return the parameters that an answer depends on besides its format; clients may send any others."""
    return tuple(pair for pair in parameters if pair[0] in DECISIVE)


def selected(parameters: Iterable[tuple[str, str]]) -> frozenset[str] | None:
    """Return the united names of all ``$select``; None when there is none or it asks for everything."""
    texts = [text for name, text in parameters if name == "$select"]
    if not texts:
        return None
    names = frozenset(_names(texts))
    return None if EVERYTHING in names else names


def _names(texts: list[str]) -> list[str]:
    return [name.strip() for text in texts for name in text.split(",") if name.strip()]


def _expanded(texts: list[str]) -> frozenset[str]:
    return frozenset(name for text in texts for name in (_names([text]) or [EVERYTHING]))


def _position(pairs: list[tuple[str, str]], wanted: str) -> int | None:
    """Return the first value that is given for a parameter; None when it is no whole number of at most 18 digits.

    Positions begin at 1, so a last one below that is the end of an empty page (DSP0263 4.1.6.3).
    """
    text = next((text.strip() for name, text in pairs if name == wanted), "")
    digits = text.removeprefix("-")
    if not digits.isdecimal() or not digits.isascii() or len(digits) > 18:
        return None
    return int(text)


def _order(texts: list[str], declared: ResourceType) -> tuple[tuple[str, bool], ...]:
    keys: list[tuple[str, bool]] = []
    for entry in _names(texts):
        name, _, direction = entry.partition(":")
        if name in declared.filter_types:
            keys.append((name, direction.strip().lower() == "desc"))
    return tuple(keys[:8])


def select_resource(wire: dict[str, Any], names: frozenset[str] | None) -> dict[str, Any]:
    """Return the selected attributes of a resource; ``resourceURI`` always stays."""
    if names is None:
        return wire
    return {name: value for name, value in wire.items() if name == "resourceURI" or name in names}


@dataclass(frozen=True, slots=True)
class Selection:
    """The attributes that ``$select`` leaves of a collection; None stands for everything."""

    own: frozenset[str] | None = None
    """Names of the collection's own attributes, with that of its items where they are shown."""
    inner: frozenset[str] | None = None
    """Names of each item's attributes."""


def selection_of(options: QueryOptions, items_key: str, old_key: str | None = None) -> Selection:
    """Return what ``$select`` leaves of a collection (DSP0263 4.1.6.4).

    Names of the collection select from it, all others from each item. ``id``, which both have, is the items' too when
    another of their attributes is selected, or when the query is narrowed: clients of 1.x look items up that way.
    ``old_key`` is how CIMI 1.0 calls the items.
    """
    if options.select is None:
        return Selection()
    names = frozenset(items_key if name == old_key else name for name in options.select)
    inner = names - {"id", "count", "operations", "updated", "parent", items_key}
    if "id" in names and (inner or options.narrowed):
        inner |= {"id"}
    if not inner:
        return Selection(names | {"resourceURI"})
    return Selection(names | {"resourceURI", "id", "count", items_key}, inner)

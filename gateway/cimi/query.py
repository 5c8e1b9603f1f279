"""`$select`, `$expand`, `$filter`, `$orderby`, `$first`, `$last` of a request (DSP0263 4.1.6)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from gateway.cimi.filter import Expression, parse_all
from gateway.cimi.resource_type import ResourceType

EVERYTHING = "*"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the query string asks. ``select`` None means everything; ``expand`` may hold ``*``."""

    filters: tuple[Expression, ...] = ()
    order: tuple[tuple[str, bool], ...] = ()
    first: int = 1
    last: int | None = None
    select: frozenset[str] | None = None
    expand: frozenset[str] = frozenset()


def asked(parameters: Iterable[tuple[str, str]], described: ResourceType, base: str) -> Asked:
    """Read the parameters; unknown ones are ignored. Raises Invalid for a bad ``$filter``."""
    pairs = list(parameters)
    return Asked(
        filters=parse_all([text for name, text in pairs if name == "$filter"], described.filter_types, base),
        order=_order([text for name, text in pairs if name == "$orderby"], described),
        first=_position(pairs, "$first") or 1,
        last=_position(pairs, "$last"),
        select=selected(pairs),
        expand=_expanded([text for name, text in pairs if name == "$expand"]),
    )


def selected(parameters: Iterable[tuple[str, str]]) -> frozenset[str] | None:
    """The united names of all ``$select``; None when there is none or it asks for everything."""
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
    """The first value, when it is a whole number, else as if it were not there; positions begin at 1."""
    text = next((text.strip() for name, text in pairs if name == wanted), "")
    digits = text.removeprefix("-")
    if not digits.isdecimal() or not digits.isascii() or len(digits) > 18:
        return None
    return max(1, int(text))


def _order(texts: list[str], described: ResourceType) -> tuple[tuple[str, bool], ...]:
    keys: list[tuple[str, bool]] = []
    for entry in _names(texts):
        name, _, direction = entry.partition(":")
        if name in described.filter_types:
            keys.append((name, direction.strip().lower() == "desc"))
    return tuple(keys[:8])


def select_resource(wire: dict[str, Any], names: frozenset[str] | None) -> dict[str, Any]:
    """The selected attributes; ``resourceURI`` always stays."""
    if names is None:
        return wire
    return {name: value for name, value in wire.items() if name == "resourceURI" or name in names}


def select_collection(wire: dict[str, Any], items_key: str, names: frozenset[str] | None) -> dict[str, Any]:
    """Names of the collection select from it, all others from each item (DSP0263 4.1.6.4)."""
    if names is None:
        return wire
    own = {"id", "count", "operations", "updated", "parent", items_key}
    inner = frozenset(name for name in names if name not in own)
    if not inner:
        return {name: value for name, value in wire.items() if name == "resourceURI" or name in names}
    found = {
        name: value
        for name, value in wire.items()
        if name in ("resourceURI", "id", "count") or name in names or name == items_key
    }
    if items_key in found:
        found[items_key] = [select_resource(item, inner) for item in found[items_key]]
    return found

"""Resources by the value of one attribute, whatever collection they are in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from gateway.cimi.registry import type_of
from gateway.store.filter_sql import operand
from gateway.store.model import Resource
from gateway.store.rows import COLUMNS, from_row

Fetch = Callable[[str, Sequence[Any]], Awaitable[list[Any]]]


async def with_value(fetch: Fetch, kind: str, attribute: str, value: str) -> tuple[Resource, ...]:
    """Return the resources of a kind whose attribute has this value, in the order of their creation."""
    described = type_of(kind)
    equal = f"kind = '{described.kind}' AND {operand(attribute, described.filter_types[attribute])} = ?"
    sql = f"SELECT {COLUMNS} FROM resources WHERE {equal} ORDER BY created, path"  # noqa: S608
    return tuple(from_row(row) for row in await fetch(sql, (value,)))

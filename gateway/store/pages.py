"""Resources by question: a page of a collection, at a cost that does not grow with the collection (DSP0263 4.1.6).

The count comes from kept counters where it can, else from a cache that lives until the kind changes. The rows come
from one index in the right order: by the creation order and the audience, or by one equality of the filter.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from typing import Any

from gateway.cimi.filter import AttributeType, Comparison, Expression, PropertyComparison
from gateway.cimi.registry import type_of
from gateway.store.filter_sql import Condition, condition, index_of, may_seek, operand, order_key, parts, seeks_in_order
from gateway.store.model import COLUMNS, EVERYONE, Page, Query, from_row

Fetch = Callable[[str, Sequence[Any]], Awaitable[list[Any]]]
FetchWithin = Callable[[str, Sequence[Any], int], Awaitable[list[Any]]]
"""The first rows, up to the one with which they come to so many bytes."""
Counted = Callable[[str, tuple[Any, ...], Callable[[], Awaitable[int]]], Awaitable[int]]
"""From a kind and a question about it to the answer: a kept one, or what the last argument answers."""
FEW = 500
DEFAULT_ORDER = ("created", "path")


async def read_page(fetch: Fetch, counted: Counted, query: Query, fetch_within: FetchWithin | None = None) -> Page:
    """Return a page of a collection, with the size of the collection.

    The page ends early where its items come to ``query.most_bytes``, if ``fetch_within`` is given.
    """
    conjuncts = parts(query.filters)
    count = await _count(fetch, counted, query, conjuncts)
    size = (query.last if query.last is not None else count) - query.first + 1
    if size <= 0 or query.first > count:
        return Page((), count)
    driver = await _driver(fetch, query, conjuncts)
    conditions = [condition(part, query.kind, seek=part is driver) for part in conjuncts]
    sql, parameters = _select(query, driver, conditions, min(size, count))
    if query.most_bytes is None or fetch_within is None:
        rows = await fetch(sql, parameters)
    else:
        rows = await fetch_within(sql, parameters, query.most_bytes)
    return Page(tuple(from_row(row) for row in rows), count)


def _base(query: Query, audience: str | None) -> Condition:
    # The kind stands as a literal so that the partial indexes of the kind apply; kinds come from the declarations.
    base = Condition(f"resources.kind = '{type_of(query.kind).kind}' AND resources.parent = ?", (query.parent or "",))
    bounds = (("project", query.project), ("audience", audience))
    return _where([base, *(Condition(f"{column} = ?", (value,)) for column, value in bounds if value is not None)])


def _where(conditions: list[Condition]) -> Condition:
    return Condition(
        " AND ".join(part.sql for part in conditions), tuple(p for part in conditions for p in part.parameters)
    )


def _source(query: Query, driver: Expression | None) -> str:
    """Return what to read from.

    The properties lead to the resources when a property is sought, else the attribute's index does. The index is
    named, as SQLite without statistics takes the creation order instead. The parts of one resource are few, and better
    read by their parent.
    """
    if isinstance(driver, PropertyComparison):
        return "properties AS found CROSS JOIN resources ON resources.path = found.path"
    index = index_of(type_of(query.kind), driver.attribute) if isinstance(driver, Comparison) else None
    return f"resources INDEXED BY {index}" if index and not query.parent else "resources"


def _audiences(query: Query) -> list[str | None]:
    return [None] if query.visible_to is None else [query.visible_to, EVERYONE]


def _select(
    query: Query, driver: Expression | None, conditions: list[Condition], size: int
) -> tuple[str, tuple[Any, ...]]:
    """Return the SQL of a page and its parameters.

    It merges an ordered range for each audience, so each range is read from its index and no further than needed.
    """
    inner = _order(query, "found" if isinstance(driver, PropertyComparison) else "resources")
    reach = query.first - 1 + size
    branches, parameters = [], []
    for audience in _audiences(query):
        where = _where([_base(query, audience), *conditions])
        rows = f"SELECT resources.* FROM {_source(query, driver)} WHERE {where.sql} ORDER BY {inner} LIMIT ?"  # noqa: S608
        branches.append(f"SELECT * FROM ({rows})")  # noqa: S608
        parameters += [*where.parameters, reach]
    merged = " UNION ALL ".join(branches)
    sql = f"SELECT {COLUMNS} FROM ({merged}) AS resources ORDER BY {_order(query, 'resources')} LIMIT ? OFFSET ?"  # noqa: S608
    return sql, (*parameters, size, query.first - 1)


def _order(query: Query, leading: str) -> str:
    """Return the SQL of the order: missing values are last, and the default order makes every listing deterministic."""
    described = type_of(query.kind)
    keys = []
    for key in query.order:
        kind, field = described.filter_types[key.attribute], described.attributes.get(key.attribute)
        sql = order_key(key.attribute, field, kind)
        keys.append(f"{sql} {'DESC' if key.descending else 'ASC'} NULLS LAST")
    return ", ".join([*keys, *(f"{leading}.{column}" for column in DEFAULT_ORDER)])


async def _driver(fetch: Fetch, query: Query, conjuncts: list[Expression]) -> Expression | None:
    """Return the part of the filter that seeks in an index; None to walk in order and check."""
    if await _sees_few(fetch, query):
        return None
    for part in conjuncts:
        if seeks_in_order(part) and not query.order:
            return part
    for part in conjuncts:
        if may_seek(part) and await _few(fetch, query, part):
            return part
    return None


async def _sees_few(fetch: Fetch, query: Query) -> bool:
    """Return whether the user sees only few resources.

    These are sooner read by the audience than by what the filter says.
    """
    return query.visible_to is not None and await _kept_count(fetch, query, None) < FEW


async def _few(fetch: Fetch, query: Query, part: Expression) -> bool:
    where = _where([_base(query, None), condition(part, query.kind, seek=True)])
    sql = f"SELECT count(*) FROM (SELECT 1 FROM {_source(query, part)} WHERE {where.sql} LIMIT ?)"  # noqa: S608
    rows = await fetch(sql, (*where.parameters, FEW))
    return bool(rows[0][0] < FEW)


async def _count(fetch: Fetch, counted: Counted, query: Query, conjuncts: list[Expression]) -> int:
    kept = query.project is None
    if kept and not conjuncts:
        return await _kept_count(fetch, query, None)
    if kept and len(conjuncts) == 1 and _is_state(conjuncts[0]):
        assert isinstance(conjuncts[0], Comparison)
        return await _kept_count(fetch, query, str(conjuncts[0].value))

    async def ask() -> int:
        total = 0
        candidates = [] if await _sees_few(fetch, query) else [part for part in conjuncts if may_seek(part)]
        seeker = min(candidates, key=lambda part: not seeks_in_order(part), default=None)
        conditions = [condition(part, query.kind, seek=part is seeker) for part in conjuncts]
        for audience in _audiences(query):
            where = _where([_base(query, audience), *conditions])
            rows = await fetch(f"SELECT count(*) FROM {_source(query, seeker)} WHERE {where.sql}", where.parameters)  # noqa: S608
            total += rows[0][0]
        return total

    return await counted(query.kind, (query.parent, query.visible_to, query.project, query.filters), ask)


def _is_state(part: Expression) -> bool:
    return (
        isinstance(part, Comparison)
        and part.attribute == "state"
        and part.operator == "="
        and part.type is AttributeType.STRING
    )


async def _kept_count(fetch: Fetch, query: Query, state: str | None) -> int:
    sql, parameters = (
        "SELECT coalesce(sum(size), 0) FROM counts WHERE kind = ? AND parent = ?",
        [
            query.kind,
            query.parent or "",
        ],
    )
    if query.visible_to is not None:
        sql += " AND audience IN (?, ?)"
        parameters += [query.visible_to, EVERYONE]
    if state is not None:
        sql += " AND state = ?"
        parameters.append(state)
    rows = await fetch(sql, parameters)
    return int(rows[0][0])


@cache
def value_sql(kind: str, attribute: str) -> str:
    """Return the SQL for the resources of a kind with a value of one attribute, in the order of their creation.

    The attribute's index answers.
    """
    described = type_of(kind)
    equal = f"kind = '{described.kind}' AND {operand(attribute, described.filter_types[attribute])} = ?"
    return f"SELECT {COLUMNS} FROM resources WHERE {equal} ORDER BY created, path"  # noqa: S608

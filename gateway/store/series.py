"""Pages of what is only ever appended: the events of a log (DSP0263 4.1.6, 5.22).

A series is a table of entries, each with an owner (the log), a position and a time. Positions of an owner have no
gaps and times never fall, so the n-th entry, and the first one after a moment, are found by seeking: a page costs
the same however long the series is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.cimi.filter import And, AttributeType, Comparison, Expression, Or, PropertyComparison, operands
from gateway.cimi.registry import type_of
from gateway.clock import timestamp
from gateway.store.filter_sql import Condition, joined, member_of, parts
from gateway.store.model import Page, Query, Resource, SortKey

Fetch = Callable[[str, Sequence[Any]], Awaitable[list[Any]]]
EVERYONE = ""
NEVER_EQUAL = Condition("0")


@dataclass(frozen=True, slots=True)
class Series:
    """A table of entries. All names are SQL of our own, never of a request.

    ``columns`` are the attributes which are columns beside the document. ``counts`` is a table with the number of
    entries by owner and these columns, None when there is none. ``entry`` makes a resource of a row of ``select``.
    """

    kind: str
    table: str
    owner: str
    select: str
    entry: Callable[[str, Sequence[Any]], Resource]
    columns: Mapping[str, str]
    timed: frozenset[str]
    """Attributes which are the time column."""
    counts: str | None = None
    audience: str | None = None
    number: str = "position"
    """The column by which an entry is named: the last part of its path."""


@dataclass(frozen=True, slots=True)
class _Bounds:
    first: int
    last: int

    @property
    def size(self) -> int:
        return max(0, self.last - self.first + 1)


async def read_entry(fetch: Fetch, series: Series, owner: str, position: int) -> Resource | None:
    """Return an owner's entry at a position, or of a number; None when there is none."""
    sql = f"SELECT {series.select} FROM {series.table} WHERE {series.owner} = ? AND {series.number} = ?"  # noqa: S608
    rows = await fetch(sql, (owner, position))
    return series.entry(owner, rows[0]) if rows else None


async def read_series(fetch: Fetch, series: Series, query: Query) -> Page:
    """Return a page of a series; ``query.parent`` is the owner, and ``visible_to`` None sees every entry."""
    owner = query.parent or ""
    conjuncts = parts(query.filters)
    times = [part for part in conjuncts if _bounds_time(series, part)]
    bounds = await _bounds(fetch, series, owner, times)
    plain = len(times) == len(conjuncts) and query.visible_to is None
    if plain:
        count = bounds.size
    else:
        count = await _count(fetch, series, query, bounds)
    last = count if query.last is None else min(query.last, count)
    size = last - query.first + 1
    if size <= 0:
        return Page((), count)
    if plain and _by_position(series, query.order):
        rows = await _stretch(fetch, series, query, bounds, size)
    else:
        rows = await _search(fetch, series, query, bounds, size)
    return Page(tuple(series.entry(owner, row) for row in rows), count)


async def _bounds(fetch: Fetch, series: Series, owner: str, times: list[Expression]) -> _Bounds:
    """Return the first and last position of the entries that fit the comparisons with the time."""
    # Two selections: SQLite seeks for a single min or max, and scans for both at once.
    end = f"(SELECT {{}}(position) FROM {series.table} WHERE {series.owner} = ?)"  # noqa: S608
    low, high = (await fetch(f"SELECT {end.format('min')}, {end.format('max')}", (owner, owner)))[0]
    if low is None:
        return _Bounds(1, 0)
    for part in times:
        assert isinstance(part, Comparison)
        if part.operator in (">", ">=", "="):
            position = await _from(fetch, series, owner, ">" if part.operator == ">" else ">=", part.value)
            low = high + 1 if position is None else max(low, position)
        if part.operator in ("<", "<=", "="):
            position = await _from(fetch, series, owner, ">=" if part.operator == "<" else ">", part.value)
            high = high if position is None else min(high, position - 1)
    return _Bounds(low, high)


async def _from(fetch: Fetch, series: Series, owner: str, operator: str, moment: Any) -> int | None:
    """Return the first position whose time is after a moment (``>``) or not before it (``>=``); None without one."""
    sql = (
        f"SELECT position FROM {series.table} WHERE {series.owner} = ? AND time {operator} ? "  # noqa: S608
        "ORDER BY time, position LIMIT 1"
    )
    rows = await fetch(sql, (owner, timestamp(moment)))
    return rows[0][0] if rows else None


def _bounds_time(series: Series, part: Expression) -> bool:
    return isinstance(part, Comparison) and part.attribute in series.timed and part.operator != "!="


# What cannot be sought by position alone


def _operand(series: Series, attribute: str, kind: AttributeType) -> str:
    if attribute in series.timed:
        return "time"
    if attribute == "id":
        return f"({series.owner} || '/{type_of(series.kind).segment}/' || {series.number})"
    return series.columns.get(attribute) or member_of(attribute, kind)


def _condition(series: Series, part: Expression) -> Condition:
    if isinstance(part, And | Or):
        return joined(part, [_condition(series, entry) for entry in operands(part)])
    if isinstance(part, PropertyComparison) or part.type is AttributeType.UNKNOWN:
        return NEVER_EQUAL
    operator = "<>" if part.operator == "!=" else part.operator
    value = timestamp(part.value) if isinstance(part.value, datetime) else part.value
    return Condition(f"{_operand(series, part.attribute, part.type)} {operator} ?", (value,))


def _is_counted(series: Series, part: Expression) -> bool:
    if isinstance(part, And | Or):
        return _is_counted(series, part.left) and _is_counted(series, part.right)
    return isinstance(part, Comparison) and (part.attribute in series.columns or part.type is AttributeType.UNKNOWN)


def _untimed(series: Series, query: Query) -> list[Expression]:
    """Return the parts of the filter that bound no time."""
    return [part for part in parts(query.filters) if not _bounds_time(series, part)]


async def _count(fetch: Fetch, series: Series, query: Query, bounds: _Bounds) -> int:
    """Return the number of entries that fit: from the kept counts where they know, else by counting them.

    A series' bounded length limits what counting costs.
    """
    uncounted = [part for part in parts(query.filters) if _bounds_time(series, part) or not _is_counted(series, part)]
    kept = series.counts is not None and not uncounted
    conditions = [_condition(series, part) for part in _untimed(series, query)]
    total = 0
    for audience in _audiences(series, query):
        where = _joined([_owned(series, query), *audience, *([] if kept else [_within(bounds)]), *conditions])
        source, number = (series.counts, "coalesce(sum(size), 0)") if kept else (series.table, "count(*)")
        total += (await fetch(f"SELECT {number} FROM {source} WHERE {where.sql}", where.parameters))[0][0]  # noqa: S608
    return total


def _owned(series: Series, query: Query) -> Condition:
    return Condition(f"{series.owner} = ?", (query.parent or "",))


def _within(bounds: _Bounds) -> Condition:
    return Condition("position BETWEEN ? AND ?", (bounds.first, bounds.last))


def _audiences(series: Series, query: Query) -> list[list[Condition]]:
    """Return a range of the index for each audience; a single unrestricted one for those who see all."""
    if query.visible_to is None or series.audience is None:
        return [[]]
    return [[Condition(f"{series.audience} = ?", (audience,))] for audience in (query.visible_to, EVERYONE)]


def _joined(conditions: list[Condition]) -> Condition:
    parameters = tuple(value for part in conditions for value in part.parameters)
    return Condition(" AND ".join(part.sql for part in conditions), parameters)


def _by_position(series: Series, order: tuple[SortKey, ...]) -> bool:
    return not order or order[0].attribute in series.timed or order[0].attribute == "id"


def _descending(query: Query) -> bool:
    return bool(query.order) and query.order[0].descending


async def _stretch(fetch: Fetch, series: Series, query: Query, bounds: _Bounds, size: int) -> list[Any]:
    """Return entries without a gap, by arithmetic on their positions."""
    if _descending(query):
        high = bounds.last - query.first + 1
        low, direction = high - size + 1, "DESC"
    else:
        low = bounds.first + query.first - 1
        high, direction = low + size - 1, "ASC"
    where = _joined([_owned(series, query), _within(_Bounds(low, high))])
    sql = f"SELECT {series.select} FROM {series.table} WHERE {where.sql} ORDER BY position {direction}"  # noqa: S608
    return await fetch(sql, where.parameters)


async def _search(fetch: Fetch, series: Series, query: Query, bounds: _Bounds, size: int) -> list[Any]:
    """Return the rows of a page, merged from an ordered range for each audience."""
    order = _order(series, query)
    others = [_condition(series, part) for part in _untimed(series, query)]
    branches, parameters = [], []
    for audience in _audiences(series, query):
        where = _joined([_owned(series, query), *audience, _within(bounds), *others])
        rows = f"SELECT * FROM {series.table} WHERE {where.sql} ORDER BY {order} LIMIT ?"  # noqa: S608
        branches.append(f"SELECT * FROM ({rows})")  # noqa: S608
        parameters += [*where.parameters, query.first - 1 + size]
    merged = " UNION ALL ".join(branches)
    sql = f"SELECT {series.select} FROM ({merged}) ORDER BY {order} LIMIT ? OFFSET ?"  # noqa: S608
    return await fetch(sql, (*parameters, size, query.first - 1))


def _order(series: Series, query: Query) -> str:
    if _by_position(series, query.order):
        return "position DESC" if _descending(query) else "position ASC"
    types = type_of(series.kind).filter_types
    keys = [
        f"{_operand(series, key.attribute, types[key.attribute])} {'DESC' if key.descending else 'ASC'} NULLS LAST"
        for key in query.order
    ]
    return ", ".join([*keys, "position ASC"])

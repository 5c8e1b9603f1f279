"""A meter's samples: their changes, and pages at a cost that grows neither with number nor age (DSP0263 4.1.6, 5.18).

A series has tiers: as measured, and ever coarser and older ones. Within a tier positions have no gaps and times rise.
So the n-th sample, and the first one after a moment, are found by seeking in at most three places.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gateway.cimi.filter import And, Comparison, Expression, Or, PropertyComparison, operands
from gateway.clock import timestamp
from gateway.store.filter_sql import Condition, joined, parts
from gateway.store.model import Page, Query, Resource, SortKey
from gateway.store.transaction import Transaction

Fetch = Callable[[str, Sequence[Any]], Awaitable[list[Any]]]
TIERS = (2, 1, 0)
"""The tiers, oldest first."""
TIMED = frozenset({"timestamp", "created", "updated", "id"})
FALSE = Condition("0")
DIGITS = 3
"""Digits of the fraction that samples are kept with."""

FIRST_SINCE = """(SELECT position FROM samples WHERE series = {series} AND tier = {tier} AND time >= {moment}
AND position >= coalesce((SELECT position FROM samples WHERE series = {series} AND tier = {tier}
AND position % 64 = 0 AND time < {moment} ORDER BY time DESC LIMIT 1), 0) ORDER BY position LIMIT 1)"""
"""The first position at or after a moment: from the mark before it, at most 64 samples are looked at."""
END = "(SELECT {}(position) FROM samples WHERE series = {series} AND tier = {tier})"


@dataclass(frozen=True, slots=True)
class _Span:
    """Positions of one tier, both inclusive."""

    tier: int
    first: int
    last: int

    @property
    def size(self) -> int:
        return max(0, self.last - self.first + 1)


@dataclass(frozen=True, slots=True)
class _Window:
    """A span of time in milliseconds since 1970; ``until`` is exclusive."""

    since: int | None = None
    until: int | None = None


async def read_sample(fetch: Fetch, meter: str, time: int) -> Resource | None:
    """Return the sample of a Meter at a time in milliseconds since 1970; None when there is none."""
    spans = await _spans(fetch, meter, _Window(time, time + 1))
    rows = await _stretch(fetch, meter, [span for span in spans if span.size], descending=False)
    return sample_resource(meter, *rows[0]) if rows else None


async def read_samples(fetch: Fetch, query: Query) -> Page:
    """Return a page of the samples of the Meter ``query.parent``."""
    meter = query.parent or ""
    window, others = _split(parts(query.filters))
    spans = await _spans(fetch, meter, window)
    if others or not _in_time(query.order):
        return await _search(fetch, query, spans, others)
    count = sum(span.size for span in spans)
    size = (count if query.last is None else min(query.last, count)) - query.first + 1
    if size <= 0:
        return Page((), count)
    descending = bool(query.order) and query.order[0].descending
    start = count - query.first - size + 1 if descending else query.first - 1
    rows = await _stretch(fetch, meter, _cut(spans, start, size), descending=descending)
    return Page(tuple(sample_resource(meter, *row) for row in rows), count)


def sample_resource(meter: str, time: int, value: float) -> Resource:
    """Return a sample of a Meter as a resource; ``time`` is in milliseconds since 1970."""
    moment = datetime.fromtimestamp(time / 1000, UTC)
    text, number = timestamp(moment), f"{value:.{DIGITS}f}".rstrip("0").rstrip(".")
    document = {"timestamp": text, "value": number, "sample": {"timestamp": text, "value": number}}
    return Resource(f"{meter}/samples/{time}", "Sample", None, document, moment, moment, parent=meter)


def milliseconds(moment: datetime) -> int:
    """Return a time in whole milliseconds since 1970."""
    return round(moment.timestamp() * 1000)


# What is asked


def _split(conjuncts: list[Expression]) -> tuple[_Window, list[Condition]]:
    """Return the comparisons with the time as a window, and all others as conditions."""
    since, until, others = [], [], []
    for part in conjuncts:
        if not isinstance(part, Comparison) or part.attribute not in TIMED - {"id"} or part.operator == "!=":
            others.append(_condition(part))
            continue
        moment, after = _moment(part), part.operator in (">", "<=")
        if part.operator in (">", ">=", "="):
            since.append(moment + after)
        if part.operator in ("<", "<=", "="):
            until.append(moment + (part.operator != "<"))
    return _Window(max(since, default=None), min(until, default=None)), others


def _moment(part: Comparison) -> int:
    assert isinstance(part.value, datetime)
    return milliseconds(part.value)


def _condition(part: Expression) -> Condition:
    if isinstance(part, And | Or):
        return joined(part, [_condition(entry) for entry in operands(part)])
    if isinstance(part, PropertyComparison):
        return FALSE
    operator = "<>" if part.operator == "!=" else part.operator
    if isinstance(part.value, datetime):
        return Condition(f"time {operator} ?", (_moment(part),))
    if part.attribute == "id":
        return Condition(f"time {operator} ?", (_number(str(part.value).rpartition("/")[2]),))
    return Condition(f"value {operator} ?", (_number(str(part.value)),)) if part.attribute == "value" else FALSE


def _number(text: str) -> float | None:
    """Return the number that a text says; None, as which nothing compares, for what is no number."""
    try:
        return float(text)
    except ValueError:
        return None


def _in_time(order: tuple[SortKey, ...]) -> bool:
    return not order or order[0].attribute in TIMED


# Seeking


async def _spans(fetch: Fetch, meter: str, window: _Window) -> list[_Span]:
    """Return the positions in each tier which the window has, oldest tier first."""
    number = (await fetch("SELECT number FROM sample_series WHERE meter = ?", (meter,)) or [(0,)])[0][0]
    columns = []
    for tier in TIERS:
        place = {"series": number, "tier": tier}
        columns += [END.format("min", **place), END.format("max", **place)]
        for moment in (window.since, window.until):
            columns.append("NULL" if moment is None else FIRST_SINCE.format(moment=moment, **place))
    [row] = await fetch(f"SELECT {', '.join(columns)}", ())
    return [_span(tier, row[4 * place : 4 * place + 4], window) for place, tier in enumerate(TIERS)]


def _span(tier: int, row: Sequence[Any], window: _Window) -> _Span:
    low, high, since, until = row
    if low is None or (window.since is not None and since is None):
        return _Span(tier, 1, 0)
    return _Span(tier, since if since is not None else low, until - 1 if until is not None else high)


def _cut(spans: list[_Span], start: int, size: int) -> list[_Span]:
    """Return the positions of ``size`` samples from the ``start``-th on, counted over all spans from 0."""
    stretches = []
    for span in spans:
        first, last = span.first + max(0, start), min(span.last, span.first + start + size - 1)
        if first <= last:
            stretches.append(_Span(span.tier, first, last))
        start -= span.size
    return stretches


async def _stretch(fetch: Fetch, meter: str, spans: list[_Span], *, descending: bool) -> list[Any]:
    rows: list[Any] = []
    for span in reversed(spans) if descending else spans:
        sql = (
            "SELECT time, value FROM samples WHERE series = (SELECT number FROM sample_series WHERE meter = ?) "  # noqa: S608
            f"AND tier = ? AND position BETWEEN ? AND ? ORDER BY position {'DESC' if descending else 'ASC'}"
        )
        rows += await fetch(sql, (meter, span.tier, span.first, span.last))
    return rows


async def _search(fetch: Fetch, query: Query, spans: list[_Span], others: list[Condition]) -> Page:
    """Return a page of samples by value.

    All samples of the window are looked at, whose number is bounded.
    """
    filled = [span for span in spans if span.size]
    if not filled:
        return Page((), 0)
    ranges = " OR ".join("(tier = ? AND position BETWEEN ? AND ?)" for _ in filled)
    where = " AND ".join(
        [
            f"series = (SELECT number FROM sample_series WHERE meter = ?) AND ({ranges})",  # noqa: S608
            *(part.sql for part in others),
        ]
    )
    parameters = [query.parent, *(value for span in filled for value in (span.tier, span.first, span.last))]
    parameters += [value for part in others for value in part.parameters]
    count = (await fetch(f"SELECT count(*) FROM samples WHERE {where}", parameters))[0][0]  # noqa: S608
    size = (count if query.last is None else min(query.last, count)) - query.first + 1
    if size <= 0:
        return Page((), count)
    sql = f"SELECT time, value FROM samples WHERE {where} ORDER BY {_order(query.order)} LIMIT ? OFFSET ?"  # noqa: S608
    rows = await fetch(sql, (*parameters, size, query.first - 1))
    return Page(tuple(sample_resource(query.parent or "", *row) for row in rows), count)


def _order(order: tuple[SortKey, ...]) -> str:
    """Return the SQL of the order, in which values are compared as numbers, not as texts."""
    columns = [("value" if key.attribute == "value" else "time", key) for key in order]
    terms = [f"{column} {'DESC' if key.descending else 'ASC'}" for column, key in columns]
    return ", ".join([*terms, "time ASC"])


# Changes


async def append_samples(transaction: Transaction, rows: Sequence[tuple[int, int, int, float]]) -> None:
    """Add samples: series, position, time in milliseconds, value.

    Samples of a series that belongs to no Meter any more are passed over.
    """
    transaction.put_each(
        "INSERT INTO samples (series, tier, position, time, value) SELECT ?1, 0, ?2, ?3, ?4 "
        "WHERE EXISTS (SELECT 1 FROM sample_series WHERE number = ?1)",
        rows,
    )


async def keep_totals(transaction: Transaction, rows: Sequence[tuple[int | None, float, int, int]]) -> None:
    """Write what Interval meters have measured since their interval began.

    Each row has that moment in milliseconds, the sum, the number of readings, and the series.
    """
    transaction.put_each("UPDATE sample_series SET began = ?, total = ?, readings = ? WHERE number = ?", rows)


@dataclass(frozen=True, slots=True)
class OldSamples:
    """The samples in a tier of a series up to a moment in milliseconds since 1970."""

    series: int
    tier: int
    until: int


async def thin_samples(transaction: Transaction, old: OldSamples, step: int, *, total: bool) -> None:
    """Put one sample for each ``step`` milliseconds in the next tier, in place of the old ones.

    The new sample is the sum of the old ones where ``total``, else their mean.
    """
    last = await _last_of(transaction, old)
    if last is None:
        return
    whole = "sum" if total else "avg"
    transaction.put(
        f"INSERT INTO samples SELECT series, tier + 1, row_number() OVER (ORDER BY min(position)) + "  # noqa: S608
        "(SELECT coalesce(max(position), 0) FROM samples WHERE series = ?1 AND tier = ?2 + 1), "
        f"max(time), round({whole}(value), {DIGITS}) FROM samples "
        "WHERE series = ?1 AND tier = ?2 AND position <= ?3 GROUP BY (time - 1) / ?4",
        (old.series, old.tier, last, step),
    )
    _forget(transaction, old, last)


async def forget_samples(transaction: Transaction, old: OldSamples) -> None:
    """Remove the old samples."""
    last = await _last_of(transaction, old)
    if last is not None:
        _forget(transaction, old, last)


async def _last_of(transaction: Transaction, old: OldSamples) -> int | None:
    """Return the position of the last of the old samples, None when there is none."""
    place = {"series": old.series, "tier": old.tier}
    since = FIRST_SINCE.format(moment=old.until + 1, **place)
    ends = (END.format(name, **place) for name in ("min", "max"))
    [(first, lowest, highest)] = await transaction.fetch(f"SELECT {since}, {', '.join(ends)}")
    last: int | None = highest if first is None else first - 1
    return last if last is not None and last >= lowest else None


def _forget(transaction: Transaction, old: OldSamples, last: int) -> None:
    sql = "DELETE FROM samples WHERE series = ? AND tier = ? AND position <= ?"
    transaction.put(sql, (old.series, old.tier, last))


async def bury_samples(transaction: Transaction, most: int) -> bool:
    """Remove at most ``most`` samples of a Meter that is gone; return False when there was no such Meter."""
    dead = await transaction.fetch("SELECT number FROM dead_series LIMIT 1")
    if not dead:
        return False
    changed = await transaction.change(
        "DELETE FROM samples WHERE (series, tier, position) IN "
        "(SELECT series, tier, position FROM samples WHERE series = ? LIMIT ?)",
        (dead[0][0], most),
    )
    if changed < most:
        transaction.put("DELETE FROM dead_series WHERE number = ?", dead[0])
    return True

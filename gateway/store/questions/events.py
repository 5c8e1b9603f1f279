"""Questions about the events of logs. Positions of a log have no gaps; ``event_heads`` has the newest of each."""

from __future__ import annotations

import json
from collections.abc import Sequence

from gateway.store.events import event_resource
from gateway.store.model import Resource
from gateway.store.questions import Fetching, marks
from gateway.store.series import EVERYONE


async def newest_position(store: Fetching, log: str) -> int:
    """Return the position of a log's newest event, 0 when it never had one; by the primary key."""
    rows = await store.fetch("SELECT position FROM event_heads WHERE log = ?", (log,))
    return int(rows[0][0]) if rows else 0


async def oldest_position(store: Fetching, log: str) -> int | None:
    """Return the position of the oldest event that a log has, None when it has none; by the primary key."""
    rows = await store.fetch("SELECT min(position) FROM events WHERE log = ?", (log,))
    return int(rows[0][0]) if rows[0][0] is not None else None


async def events_between(
    store: Fetching, log: str, between: tuple[int, int], project: str | None, most: int
) -> list[tuple[int, str, Resource]]:
    """Return position, audience and Event of a log's next events that a project may see, in order; by the primary key.

    The events stand ``between`` two positions: after the first, and up to the second, which is included. ``project``
    None sees all.
    """
    own = () if project is None else (project, EVERYONE)
    sql = "SELECT position, time, audience, document FROM events WHERE log = ? AND position > ? AND position <= ?"
    sql += (" AND audience IN (?, ?)" if own else "") + " ORDER BY position LIMIT ?"
    rows = await store.fetch(sql, (log, *between, *own, most))
    return [
        (position, audience, event_resource(log, position, time, audience, json.loads(document)))
        for position, time, audience, document in rows
    ]


async def positions_before(store: Fetching, persistence: str, moment: str) -> list[tuple[str, int]]:
    """Return each log of a persistence that has events from before a moment, with the newest position of those.

    The question costs a look into the index of times for each log.
    """
    sql = (
        "SELECT h.log, (SELECT position FROM events WHERE log = h.log AND time < ? "
        "ORDER BY time DESC, position DESC LIMIT 1) FROM event_heads AS h "
        "JOIN resources ON path = h.log WHERE kind = 'EventLog' AND json_extract(document, '$.persistence') = ?"
    )
    rows = await store.fetch(sql, (moment, persistence))
    return [(log, position) for log, position in rows if position is not None]


async def ends_of_logs(store: Fetching) -> list[tuple[str, int, int]]:
    """Return each log that has events, with its newest and its oldest position; by the primary key, once for each."""
    sql = "SELECT log, position, (SELECT min(position) FROM events WHERE log = h.log) FROM event_heads AS h"
    return [(log, newest, oldest) for log, newest, oldest in await store.fetch(sql) if oldest is not None]


async def events_by_severity(store: Fetching, logs: Sequence[str], project: str | None) -> list[tuple[str, str, int]]:
    """Return log, severity and number of the events that a project may see; from the table that counts them.

    ``project`` None sees all. At most some hundred logs.
    """
    sql = f"SELECT log, severity, sum(size) FROM event_counts WHERE log IN ({marks(logs)}) AND severity NOT NULL"  # noqa: S608
    own = () if project is None else (project, EVERYONE)
    sql += (" AND audience IN (?, ?)" if own else "") + " GROUP BY log, severity"
    return [(log, severity, size) for log, severity, size in await store.fetch(sql, (*logs, *own))]

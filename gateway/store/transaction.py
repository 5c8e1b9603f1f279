"""A transaction: the changes that can be made in it, and those that were."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from gateway import clock
from gateway.cimi.fields import timestamp
from gateway.errors import NotFound, PreconditionFailed
from gateway.store.claims import Claims
from gateway.store.event_times import EventTimes
from gateway.store.events import KeptEvent, NewEvent, event_resource, later
from gateway.store.events import to_row as to_event_row
from gateway.store.finding import with_value
from gateway.store.model import Document, Resource
from gateway.store.rows import COLUMNS, bytes_in, from_row, parameter, to_change, to_row
from gateway.store.samples import DIGITS, END, FIRST_SINCE
from gateway.store.writer import Writer


@dataclass(frozen=True, slots=True)
class PlanRow:
    """A Job's plan, and how far the Job has come in it."""

    job: str
    plan: Document
    phase: str
    position: int
    attempts: int = 0
    outcome: Document | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to an earlier request. ``same`` tells whether that request was the one that is asked about."""

    resource: str
    job: str
    existing: bool
    """Whether the resource was there before, so that the request has made nothing."""
    same: bool = True


class Transaction(Claims):
    """A change of the store, made by ``Store.transaction()``; ``changes`` reach the caches only after the commit."""

    def __init__(self, writer: Writer, committed: Callable[[str], Resource | None], event_times: EventTimes) -> None:
        self._writer = writer
        self._event_times = event_times
        self._committed = committed
        """What is at hand of what was there when this began; nobody else writes until it ends."""
        self.changes: dict[str, Resource | None] = {}
        self.before: dict[str, Resource | None] = {}
        """What each changed resource was when the transaction began; None for a new one."""
        self.events: list[KeptEvent] = []
        self.kinds: set[str] = set()

    async def get(self, path: str) -> Resource | None:
        """Return the resource at a path as this transaction sees it; None when there is none."""
        if path in self.changes:
            return self.changes[path]
        committed = self._committed(path)
        if committed is not None:
            return committed
        rows = await self._fetch(f"SELECT {COLUMNS} FROM resources WHERE path = ?", (path,))  # noqa: S608
        return from_row(rows[0]) if rows else None

    async def insert(self, resource: Resource) -> Resource:
        """Add a resource, and return it with its size. Raises Conflict, at the next read, when its path is taken."""
        row = to_row(resource)
        resource = replace(resource, size=bytes_in(row["document"]))
        names, marks = ", ".join(row), ", ".join(parameter(name) for name in row)
        sql = f"INSERT INTO resources ({names}) VALUES ({marks})"  # noqa: S608
        self._writer.put(sql, row, f"{resource.path} exists already")
        self._insert_properties(resource)
        self._note(None, resource, resource.path, resource.kind)
        return resource

    async def update(self, resource: Resource, expected_version: int | None = None) -> Resource:
        """Write the resource with the next version, and return it.

        Raises NotFound, or PreconditionFailed when it is not of ``expected_version`` any more.
        """
        current = await self.get(resource.path)
        if current is None:
            raise NotFound(f"{resource.path} does not exist any more")
        if expected_version is not None and current.version != expected_version:
            raise PreconditionFailed(f"{resource.path} was changed meanwhile; read it again")
        updated = replace(resource, version=current.version + 1)
        changed = to_change(current, updated)
        updated = replace(updated, size=bytes_in(changed["document"]) if "document" in changed else current.size)
        assignments = ", ".join(f"{name} = {parameter(name)}" for name in changed)
        self._writer.put(
            f"UPDATE resources SET {assignments} WHERE path = :path",  # noqa: S608
            {**changed, "path": updated.path},
        )
        if current.document.get("properties") != updated.document.get("properties"):
            self._writer.put("DELETE FROM properties WHERE path = ?", (updated.path,))
            self._insert_properties(updated)
        self._note(current, updated, updated.path, updated.kind)
        return updated

    async def delete(self, path: str) -> None:
        """Remove a resource with all its components; a missing one is no error."""
        current = await self.get(path)
        for (child,) in await self._fetch("SELECT path FROM resources WHERE parent = ?", (path,)):
            await self.delete(child)
        if current is not None:
            self._writer.put("DELETE FROM resources WHERE path = ?", (path,))
            self._note(current, None, path, current.kind)

    async def children(self, parent: str, kind: str) -> tuple[Resource, ...]:
        """Return the direct components of a kind that a resource has, in the order of their creation."""
        rows = await self._fetch(
            f"SELECT {COLUMNS} FROM resources WHERE parent = ? AND kind = ? ORDER BY created, path",  # noqa: S608
            (parent, kind),
        )
        return tuple(from_row(row) for row in rows)

    async def find(self, kind: str, attribute: str, value: str) -> tuple[Resource, ...]:
        """Return the resources of this kind whose attribute is this, or refers to this path; by its index."""
        return await with_value(self._fetch, kind, attribute, value)

    async def internal_values(self, kind: str, fact: str) -> list[Any]:
        """Return the entries of this internal list of all resources of the kind, without reading them whole."""
        rows = await self._fetch(
            "SELECT entry.value FROM resources, json_each(resources.internal, ?) AS entry "
            "WHERE resources.kind = ? AND resources.parent = ''",
            (f"$.{fact}", kind),
        )
        return [row[0] for row in rows]

    async def mentioning(self, kind: str, path: str) -> tuple[Resource, ...]:
        """Return the resources of this kind with a reference to this path anywhere in the document; looks at all."""
        reference = json.dumps({"href": path}, ensure_ascii=False, separators=(",", ":"))[1:-1]
        rows = await self._fetch(
            f"SELECT {COLUMNS} FROM resources WHERE kind = ? AND instr(document, ?)",  # noqa: S608
            (kind, reference),
        )
        return tuple(from_row(row) for row in rows)

    # Plans and logs of jobs

    async def write_plan(self, row: PlanRow) -> None:
        """Write a Job's plan and position, in place of the former ones."""
        self._writer.put(
            "INSERT OR REPLACE INTO plans (job, plan, phase, position, attempts, outcome) "
            "VALUES (?1, sealed(?1, ?2), ?3, ?4, ?5, ?6)",
            (row.job, json.dumps(row.plan), row.phase, row.position, row.attempts, json.dumps(row.outcome)),
        )

    async def drop_plan(self, job: str) -> None:
        """Remove a Job's plan; a missing one is no error."""
        self._writer.put("DELETE FROM plans WHERE job = ?", (job,))

    async def write_log(self, job: str, level: str, step: str, message: str) -> None:
        """Add a line to a Job's log, unless the Job is gone."""
        self._writer.put(
            "INSERT INTO job_log (job, time, level, step, message) SELECT ?, ?, ?, ?, ? "
            "WHERE EXISTS (SELECT 1 FROM resources WHERE path = ?)",
            (job, timestamp(clock.now()), level, step, message, job),
        )

    # Events

    async def append_events(self, new: Sequence[NewEvent]) -> None:
        """Add each event to the end of its log; an event of a log that does not exist is passed over."""
        logs = sorted({event.log for event in new})
        marks = ", ".join("?" for _ in logs)
        heads = await self._fetch(
            "SELECT path, position, time FROM resources LEFT JOIN event_heads ON log = path "  # noqa: S608
            f"WHERE kind = 'EventLog' AND path IN ({marks})",
            tuple(logs),
        )
        now = clock.now()
        ends = {
            log: (position or 0, await self._event_times.follow(self._writer, log, time, now))
            for log, position, time in heads
        }
        rows = []
        for event in new:
            if event.log not in ends:
                continue
            position, time = ends[event.log][0] + 1, later(event.time, ends[event.log][1])
            ends[event.log] = (position, time)
            rows.append(to_event_row(event, position, time))
            resource = event_resource(event.log, position, time, event.audience, event.document)
            self.events.append(KeptEvent(event.log, position, event.audience, resource))
        self._writer.put_each(
            "INSERT INTO events (log, position, time, audience, type, outcome, severity, document) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            rows,
        )

    async def forget_events(self, log: str, before_position: int, most: int) -> int:
        """Remove at most ``most`` of a log's events before a position, oldest first, and return how many went."""
        return await self._writer.change(
            "DELETE FROM events WHERE (log, position) IN "
            "(SELECT log, position FROM events WHERE log = ? AND position < ? ORDER BY position LIMIT ?)",
            (log, before_position, most),
        )

    # Samples

    async def append_samples(self, rows: Sequence[tuple[int, int, int, float]]) -> None:
        """Add samples: series, position, time in milliseconds, value.

        Samples of a series that belongs to no Meter any more are passed over.
        """
        self._writer.put_each(
            "INSERT INTO samples (series, tier, position, time, value) SELECT ?1, 0, ?2, ?3, ?4 "
            "WHERE EXISTS (SELECT 1 FROM sample_series WHERE number = ?1)",
            rows,
        )

    async def keep_totals(self, rows: Sequence[tuple[int | None, float, int, int]]) -> None:
        """Write what Interval meters have measured since their interval began.

        Each row has that moment in milliseconds, the sum, the number of readings, and the series.
        """
        self._writer.put_each("UPDATE sample_series SET began = ?, total = ?, readings = ? WHERE number = ?", rows)

    async def thin_samples(self, series: int, tier: int, step: int, before: int, *, total: bool) -> None:
        """Put one sample for each ``step`` milliseconds in the next tier, in place of those up to a moment.

        The new sample is the sum of the old ones where ``total``, else their mean. ``before`` is in milliseconds since
        1970.
        """
        last = await self._last_before(series, tier, before)
        if last is None:
            return
        whole = "sum" if total else "avg"
        self._writer.put(
            f"INSERT INTO samples SELECT series, tier + 1, row_number() OVER (ORDER BY min(position)) + "  # noqa: S608
            "(SELECT coalesce(max(position), 0) FROM samples WHERE series = ?1 AND tier = ?2 + 1), "
            f"max(time), round({whole}(value), {DIGITS}) FROM samples "
            "WHERE series = ?1 AND tier = ?2 AND position <= ?3 GROUP BY (time - 1) / ?4",
            (series, tier, last, step),
        )
        await self._forget_samples(series, tier, last)

    async def forget_samples(self, series: int, tier: int, before: int) -> None:
        """Remove the samples of a tier up to a moment in milliseconds since 1970."""
        last = await self._last_before(series, tier, before)
        if last is not None:
            await self._forget_samples(series, tier, last)

    async def _last_before(self, series: int, tier: int, moment: int) -> int | None:
        """Return the position of the last sample up to a moment, None when there is none."""
        place = {"series": series, "tier": tier}
        since = FIRST_SINCE.format(moment=moment + 1, **place)
        ends = (END.format(name, **place) for name in ("min", "max"))
        [(first, lowest, highest)] = await self._fetch(f"SELECT {since}, {', '.join(ends)}", ())
        last: int | None = highest if first is None else first - 1
        return last if last is not None and last >= lowest else None

    async def _forget_samples(self, series: int, tier: int, last: int) -> None:
        self._writer.put("DELETE FROM samples WHERE series = ? AND tier = ? AND position <= ?", (series, tier, last))

    async def bury_samples(self, most: int) -> bool:
        """Remove at most ``most`` samples of a Meter that is gone; return False when there was no such Meter."""
        dead = await self._fetch("SELECT number FROM dead_series LIMIT 1", ())
        if not dead:
            return False
        changed = await self._writer.change(
            "DELETE FROM samples WHERE (series, tier, position) IN "
            "(SELECT series, tier, position FROM samples WHERE series = ? LIMIT ?)",
            (dead[0][0], most),
        )
        if changed < most:
            self._writer.put("DELETE FROM dead_series WHERE number = ?", dead[0])
        return True

    # Retried creates

    async def remember(self, owner: str, key: str, fingerprint: str, answered: Answered) -> None:
        """Keep the answer to a request of this fingerprint, of which nothing can be learnt without the store's key."""
        self._writer.put(
            "INSERT OR REPLACE INTO answered (owner, key, fingerprint, resource, job, existing, created) "
            "VALUES (?, ?, digested(?), ?, ?, ?, ?)",
            (owner, key, fingerprint, answered.resource, answered.job, answered.existing, timestamp(clock.now())),
        )

    async def recall(self, owner: str, key: str, fingerprint: str) -> Answered | None:
        """Return the answer that is kept for a user's key; None when there is none."""
        rows = await self._fetch(
            "SELECT resource, job, existing, matches(fingerprint, ?) FROM answered WHERE owner = ? AND key = ?",
            (fingerprint, owner, key),
        )
        if not rows:
            return None
        resource, job, existing, same = rows[0]
        return Answered(resource, job, bool(existing), bool(same))

    async def forget_answered(self, before: datetime) -> None:
        """Remove the answers from before a time."""
        self._writer.put("DELETE FROM answered WHERE created < ?", (timestamp(before),))

    def _insert_properties(self, resource: Resource) -> None:
        properties: dict[str, str] = resource.document.get("properties") or {}
        if not properties:
            return
        self._writer.put_each(
            "INSERT OR IGNORE INTO properties (kind, key, value, created, path) VALUES (?, ?, ?, ?, ?)",
            [
                (resource.kind, key, value, timestamp(resource.created), resource.path)
                for key, value in properties.items()
            ],
        )

    def _note(self, before: Resource | None, after: Resource | None, path: str, kind: str) -> None:
        self.before.setdefault(path, before)
        self.changes[path] = after
        self.kinds.add(kind)

    async def _fetch(self, sql: str, parameters: Sequence[Any]) -> list[Any]:
        return await self._writer.fetch(sql, parameters)

"""A transaction: the connection that writes, and the changes that are made by it, all or none.

Each way to SQLite's thread and back costs more than most statements do there. So what asks for no answer waits for what
does, or for the commit, and goes along with it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import aiosqlite

from gateway import clock
from gateway.clock import timestamp
from gateway.errors import Conflict, NotFound, PreconditionFailed
from gateway.store.audit import AT_ONCE, INSERT, AuditEntry, rows_of
from gateway.store.events import EventTimes, KeptEvent, NewEvent, placed
from gateway.store.job_log import JobLine
from gateway.store.model import (
    COLUMNS,
    Document,
    Resource,
    bytes_in,
    from_row,
    insert_sql,
    to_change,
    to_row,
    update_sql,
)
from gateway.store.pages import value_sql

PROMISER: ContextVar[str | None] = ContextVar("promiser", default=None)
"""The user for whom requests and Jobs write, who are refused what is too much; None for what the gateway only sees."""
Parameters = Sequence[Any] | Mapping[str, Any]
Answer = tuple[list[Any], int]
"""The rows that were read, and how many were changed."""
CHUNK = 64


@dataclass(frozen=True, slots=True)
class Statement:
    """An SQL statement for each of some rows; ``conflict`` says what it means when it breaks a rule of the tables."""

    sql: str
    rows: tuple[Parameters, ...] = ((),)
    conflict: str = ""


class Writer(aiosqlite.Connection):
    """The connection that writes: ``begin``, then ``put`` and ``fetch``, then ``commit`` or ``rollback``.

    One transaction at a time uses the connection.
    """

    def __init__(self, connector: Callable[[], sqlite3.Connection]) -> None:
        super().__init__(connector, CHUNK)
        self._waiting: list[Statement] = []
        self._untouched = False
        """Nothing was said since the beginning, which waits too."""

    def begin(self, *, durable: bool) -> None:
        """Begin a transaction with the first statement that asks for an answer.

        The durability of the commit is said before that: SQLite takes it between transactions only.
        """
        synchronous = Statement(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        self._waiting = [synchronous, Statement("BEGIN IMMEDIATE")]
        self._untouched = True

    def put(self, sql: str, parameters: Parameters = (), conflict: str = "") -> None:
        """Have a statement done before anything that is put or fetched later.

        Its errors are raised by what comes next.
        """
        self._put(Statement(sql, (parameters,), conflict))

    def put_each(self, sql: str, rows: Iterable[Parameters]) -> None:
        """Have a statement done with each of the rows, as ``put`` does it with one."""
        self._put(Statement(sql, tuple(rows)))

    def _put(self, statement: Statement) -> None:
        self._untouched = False
        self._waiting.append(statement)

    async def fetch(self, sql: str, parameters: Parameters = ()) -> list[Any]:
        """Return the rows of a read, after all that was put.

        Raises Conflict when a statement that was put breaks a rule, with the words that it was given for that.
        """
        return (await self._all(sql, parameters))[0]

    async def change(self, sql: str, parameters: Parameters = ()) -> int:
        """Have a statement done, and return how many rows it changed. Raises Conflict as ``fetch`` does."""
        return (await self._all(sql, parameters))[1]

    async def commit(self) -> None:
        """Commit what was put since ``begin``; nothing is done when nothing was put or fetched."""
        if self._untouched:
            self._waiting = []
        else:
            await self._all("COMMIT", ())

    async def _all(self, sql: str, parameters: Parameters) -> Answer:
        """Do what waits, and then this statement, on the connection's thread."""
        statements, self._waiting, self._untouched = self._waiting, [], False
        answer: Answer = await self._execute(self._run, statements, sql, parameters)  # type: ignore[no-untyped-call]
        return answer

    async def rollback(self) -> None:
        """Take back what was done since ``begin``, after whatever a cancelled task still has in the thread's queue."""
        self._waiting = []
        await self.execute("ROLLBACK")

    def _run(self, statements: list[Statement], sql: str, parameters: Parameters) -> Answer:
        """Do the statements, and return the answer to the last one; runs on the thread."""
        for statement in statements:
            self._do(statement)
        cursor = self._conn.execute(sql, parameters)
        return cursor.fetchall(), cursor.rowcount

    def _do(self, statement: Statement) -> None:
        try:
            for row in statement.rows:
                self._conn.execute(statement.sql, row)
        except sqlite3.IntegrityError:
            if not statement.conflict:
                raise
            raise Conflict(statement.conflict) from None


@dataclass(frozen=True, slots=True)
class PlanRow:
    """A Job's plan, and how far the Job has come in it."""

    job: str
    plan: Document
    phase: str
    position: int
    attempts: int = 0
    outcome: Document | None = None
    unopened: bool = False
    """Whether the plan has a secret that the store could not open."""


class Transaction:
    """A change of the store, made by ``Store.transaction()``; ``changes`` reach the caches only after the commit."""

    def __init__(
        self, writer: Writer, committed: Mapping[str, Resource], event_times: EventTimes, numbers: Iterator[int]
    ) -> None:
        self._writer = writer
        self._event_times = event_times
        self._numbers = numbers
        """The numbers of the next lines in logs of Jobs."""
        self._committed = committed
        """What is at hand of what was there when this began; nobody else writes until it ends."""
        self.changes: dict[str, Resource | None] = {}
        self.before: dict[str, Resource | None] = {}
        """What each changed resource was when the transaction began; None for a new one."""
        self.events: list[KeptEvent] = []
        self.lines: list[JobLine] = []
        self.audited: list[AuditEntry] = []
        self.kinds: set[str] = set()

    async def get(self, path: str) -> Resource | None:
        """Return the resource at a path as this transaction sees it; None when there is none."""
        if path in self.changes:
            return self.changes[path]
        committed = self._committed.get(path)
        if committed is not None:
            return committed
        rows = await self.fetch(f"SELECT {COLUMNS} FROM resources WHERE path = ?", (path,))  # noqa: S608
        return from_row(rows[0]) if rows else None

    async def insert(self, resource: Resource) -> Resource:
        """Add a resource, and return it with its size. Raises Conflict, at the next read, when its path is taken."""
        if resource.maker is None:
            resource = replace(resource, maker=PROMISER.get() or None)
        row = to_row(resource)
        resource = replace(resource, size=bytes_in(row["document"]))
        self.put(insert_sql(row), row, f"{resource.path} exists already")
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
        self.put(update_sql(changed), {**changed, "path": updated.path})
        if current.document.get("properties") != updated.document.get("properties"):
            self.put("DELETE FROM properties WHERE path = ?", (updated.path,))
            self._insert_properties(updated)
        self._note(current, updated, updated.path, updated.kind)
        return updated

    async def delete(self, path: str) -> None:
        """Remove a resource with all its components; a missing one is no error."""
        current = await self.get(path)
        for (child,) in await self.fetch("SELECT path FROM resources WHERE parent = ?", (path,)):
            await self.delete(child)
        if current is not None:
            self.put("DELETE FROM resources WHERE path = ?", (path,))
            self._note(current, None, path, current.kind)

    async def children(self, parent: str, kind: str) -> tuple[Resource, ...]:
        """Return the direct components of a kind that a resource has, in the order of their creation."""
        rows = await self.fetch(
            f"SELECT {COLUMNS} FROM resources WHERE parent = ? AND kind = ? ORDER BY created, path",  # noqa: S608
            (parent, kind),
        )
        return tuple(from_row(row) for row in rows)

    async def find(self, kind: str, attribute: str, value: str) -> tuple[Resource, ...]:
        """Return the resources of this kind whose attribute is this, or refers to this path; by its index."""
        return tuple(from_row(row) for row in await self.fetch(value_sql(kind, attribute), (value,)))

    async def internal_values(self, kind: str, fact: str) -> list[Any]:
        """Return the entries of this internal list of all resources of the kind, without reading them whole."""
        rows = await self.fetch(
            "SELECT entry.value FROM resources, json_each(resources.internal, ?) AS entry "
            "WHERE resources.kind = ? AND resources.parent = ''",
            (f"$.{fact}", kind),
        )
        return [row[0] for row in rows]

    async def mentioning(self, kind: str, path: str) -> tuple[Resource, ...]:
        """Return the resources of this kind with a reference to this path anywhere in the document; looks at all."""
        reference = json.dumps({"href": path}, ensure_ascii=False, separators=(",", ":"))[1:-1]
        rows = await self.fetch(
            f"SELECT {COLUMNS} FROM resources WHERE kind = ? AND instr(document, ?)",  # noqa: S608
            (kind, reference),
        )
        return tuple(from_row(row) for row in rows)

    # Plans and logs of jobs

    async def write_plan(self, row: PlanRow) -> None:
        """Write a Job's plan and position, in place of the former ones."""
        self.put(
            "INSERT OR REPLACE INTO plans (job, plan, phase, position, attempts, outcome) "
            "VALUES (?1, sealed(?1, ?2), ?3, ?4, ?5, ?6)",
            (row.job, json.dumps(row.plan), row.phase, row.position, row.attempts, json.dumps(row.outcome)),
        )

    async def drop_plan(self, job: str) -> None:
        """Remove a Job's plan; a missing one is no error."""
        self.put("DELETE FROM plans WHERE job = ?", (job,))

    async def write_log(self, job: str, project: str | None, level: str, step: str, message: str) -> None:
        """Add a line to the log of a project's Job, unless the Job is gone."""
        line = JobLine(job, project, next(self._numbers), timestamp(clock.now()), level, step, message)
        self.put(
            "INSERT INTO job_log (job, line, time, level, step, message) SELECT ?1, ?2, ?3, ?4, ?5, ?6 "
            "WHERE EXISTS (SELECT 1 FROM resources WHERE path = ?1)",
            (job, line.number, line.time, level, step, message),
        )
        self.lines.append(line)

    # Events

    async def append_events(self, new: Sequence[NewEvent]) -> None:
        """Add each event to the end of its log; an event of a log that does not exist is passed over."""
        logs = sorted({event.log for event in new})
        marks = ", ".join("?" for _ in logs)
        heads = await self.fetch(
            "SELECT path, position, time FROM resources LEFT JOIN event_heads ON log = path "  # noqa: S608
            f"WHERE kind = 'EventLog' AND path IN ({marks})",
            tuple(logs),
        )
        now = clock.now()
        latest = self._event_times.latest(now)
        ends: dict[str, tuple[int, str | None]] = {}
        for log, position, time in heads:
            is_ahead = latest is not None and time is not None and time > latest
            ends[log] = (position or 0, await self._brought_back(log, now) if is_ahead else time)
        kept, rows = placed(new, ends)
        self.events += kept
        self.put_each(
            "INSERT INTO events (log, position, time, audience, type, outcome, severity, document) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            rows,
        )

    async def _brought_back(self, log: str, now: datetime) -> str:
        """Bring a log's events that are ahead of the clock back to now, and return the time of its newest event."""
        since = self._event_times.since
        [(before,)] = await self.fetch("SELECT max(time) FROM events WHERE log = ? AND time < ?", (log, since))
        right = max(timestamp(now), before or "")
        self.put("UPDATE events SET time = ? WHERE log = ? AND time > ? AND time >= ?", (right, log, right, since))
        self.put("UPDATE event_heads SET time = ? WHERE log = ?", (right, log))
        return right

    async def forget_events(self, log: str, before_position: int, most: int) -> int:
        """Remove at most ``most`` of a log's events before a position, oldest first, and return how many went."""
        return await self.change(
            "DELETE FROM events WHERE (log, position) IN "
            "(SELECT log, position FROM events WHERE log = ? AND position < ? ORDER BY position LIMIT ?)",
            (log, before_position, most),
        )

    # The audit log

    def append_audit(self, entries: Sequence[AuditEntry]) -> None:
        """Add entries to the end of the audit log."""
        if entries:
            self.audited += entries
            self.put_each(INSERT, rows_of(entries))

    async def forget_audit(self, *, stranger: bool, before: str, most: int) -> bool:
        """Remove the oldest entries, of strangers or of users, that are older than a time or more than ``most``.

        Return whether there may be more to remove: at most ``AT_ONCE`` go at once.
        """
        [(size,)] = await self.fetch("SELECT size FROM audit_sizes WHERE stranger = ?", (stranger,))
        sql = "SELECT position, time FROM audit WHERE stranger = ? ORDER BY position LIMIT ?"
        oldest = await self.fetch(sql, (stranger, AT_ONCE))
        gone = 0
        while gone < len(oldest) and (gone < size - most or oldest[gone][1] < before):
            gone += 1
        if gone:
            self.put("DELETE FROM audit WHERE stranger = ? AND position <= ?", (stranger, oldest[gone - 1][0]))
        return gone == AT_ONCE

    def _insert_properties(self, resource: Resource) -> None:
        properties: dict[str, str] = resource.document.get("properties") or {}
        if not properties:
            return
        self.put_each(
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

    # Statements

    def put(self, sql: str, parameters: Parameters = (), conflict: str = "") -> None:
        """Have a statement done before anything that is put or fetched later; see ``Writer.put``."""
        self._writer.put(sql, parameters, conflict)

    def put_each(self, sql: str, rows: Iterable[Parameters]) -> None:
        """Have a statement done with each of the rows, as ``put`` does it with one."""
        self._writer.put_each(sql, rows)

    async def fetch(self, sql: str, parameters: Parameters = ()) -> list[Any]:
        """Return the rows of a read, after all that was put. Raises Conflict as ``Writer.fetch`` does."""
        return await self._writer.fetch(sql, parameters)

    async def change(self, sql: str, parameters: Parameters = ()) -> int:
        """Have a statement done, and return how many rows it changed. Raises Conflict as ``fetch`` does."""
        return await self._writer.change(sql, parameters)

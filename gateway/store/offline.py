"""A store that commands read beside the gateway that has it open: its write-ahead log lets both work."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from gateway.store.model import Document
from gateway.store.questions.jobs import LogLine


class OfflineJob(NamedTuple):
    """A Job as the store has it."""

    path: str
    project: str
    created: str
    document: Document


class Owned(NamedTuple):
    """The number of a user's resources, Jobs among them, and of a user's events."""

    resources: int
    events: int


class OfflineStore:
    """A store that is only read."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator[OfflineStore]:
        """Read the store at the path while the block runs. Raises sqlite3.Error."""
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            yield cls(connection)
        finally:
            connection.close()

    def job(self, path: str) -> OfflineJob | None:
        """Return the Job at a path, by the primary key; None when there is none."""
        sql = f"SELECT path, {self._project}, created, document FROM resources WHERE path = ? AND kind = 'Job'"  # noqa: S608
        row = self._connection.execute(sql, (path,)).fetchone()
        return _job(row) if row is not None else None

    def newest_jobs(self, most: int) -> Iterator[OfflineJob]:
        """Return the newest Jobs first; by the index of the order in collections."""
        sql = (
            f"SELECT path, {self._project}, created, document FROM resources WHERE kind = 'Job' AND parent = '' "  # noqa: S608
            "ORDER BY created DESC LIMIT ?"
        )
        return map(_job, self._connection.execute(sql, (most,)))

    def log_lines(self, job: str, after: int) -> list[LogLine]:
        """Return a Job's log after a line; by the index of the log's Jobs."""
        sql = "SELECT line, time, level, step, message FROM job_log WHERE job = ? AND line > ? ORDER BY line"
        return [LogLine(*row) for row in self._connection.execute(sql, (job, after))]

    def line_before_newest(self, most: int) -> int:
        """Return the line after which the newest lines of all Jobs stand; by the primary key."""
        (line,) = self._connection.execute("SELECT coalesce(max(line), 0) - ? FROM job_log", (most,)).fetchone()
        return int(line)

    def lines_of_all(self, after: int) -> list[tuple[str, LogLine]]:
        """Return each line of all Jobs' logs after one, with its Job; by the primary key."""
        sql = "SELECT job, line, time, level, step, message FROM job_log WHERE line > ? ORDER BY line"
        return [(job, LogLine(*line)) for job, *line in self._connection.execute(sql, (after,))]

    def paths_of(self, kind: str) -> frozenset[str]:
        """Return the paths of all resources of a kind in its root collection; by the index of the kinds."""
        sql = "SELECT path FROM resources WHERE kind = ? AND parent = ''"
        return frozenset(path for (path,) in self._connection.execute(sql, (kind,)))

    def event_log_of(self, path: str) -> tuple[bool, str | None]:
        """Return whether there is a resource at the path, and the path of its EventLog; by the primary key."""
        sql = "SELECT json_extract(document, '$.eventLog.href') FROM resources WHERE path = ?"
        row = self._connection.execute(sql, (path,)).fetchone()
        return (row is not None, row[0] if row is not None else None)

    def newest_position(self, log: str) -> int:
        """Return the position of a log's newest event, 0 when it never had one; by the primary key."""
        row = self._connection.execute("SELECT position FROM event_heads WHERE log = ?", (log,)).fetchone()
        return int(row[0]) if row else 0

    def events_after(self, log: str, position: int, most: int) -> list[tuple[int, str, Document]]:
        """Return position, time and document of a log's next events; by the primary key."""
        sql = "SELECT position, time, document FROM events WHERE log = ? AND position > ? ORDER BY position LIMIT ?"
        rows = self._connection.execute(sql, (log, position, most)).fetchall()
        return [(number, time, json.loads(document)) for number, time, document in rows]

    @property
    def has_users(self) -> bool:
        """Whether the users are in the store: they are from the first start on of a gateway that keeps them there."""
        sql = "SELECT 1 FROM resources WHERE kind = 'User' LIMIT 1"
        return self._connection.execute(sql).fetchone() is not None

    @property
    def _project(self) -> str:
        """The column of what a resource belongs to: stores of before there were projects have it by another name."""
        names = {row[1] for row in self._connection.execute("PRAGMA table_info(resources)")}
        return "project" if "project" in names else "owner"

    def newest_audit_position(self) -> int:
        """Return the position of the newest entry of the audit log, 0 when it never had one; by the primary key."""
        row = self._connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'audit'").fetchone()
        return int(row[0]) if row else 0

    def audit_before(self, position: int, most: int) -> int:
        """Return the position before the last ``most`` entries up to a position; by the primary key."""
        sql = (
            "SELECT min(position) FROM (SELECT position FROM audit WHERE position <= ? ORDER BY position DESC LIMIT ?)"
        )
        (first,) = self._connection.execute(sql, (position, most)).fetchone()
        return position if first is None else int(first) - 1

    def audit_after(self, position: int, most: int) -> list[Document]:
        """Return the next entries of the audit log, with their positions and times; by the primary key."""
        sql = "SELECT position, time, entry FROM audit WHERE position > ? ORDER BY position LIMIT ?"
        rows = self._connection.execute(sql, (position, most)).fetchall()
        return [{"position": place, "time": time, **json.loads(entry)} for place, time, entry in rows]

    def documents(self, kind: str) -> list[tuple[str, str, Document]]:
        """Return path, creation and document of each resource of a kind in its root collection; by the kinds' index."""
        sql = "SELECT path, created, document FROM resources WHERE kind = ? AND parent = '' ORDER BY created, path"
        return [(path, created, json.loads(text)) for path, created, text in self._connection.execute(sql, (kind,))]

    def owned_by(self, user: str) -> Owned:
        """Return how much in the store is a user's; all resources and events are looked at."""
        sql = f"SELECT count(*) FROM resources WHERE {self._project} = ?"  # noqa: S608
        (resources,) = self._connection.execute(sql, (user,)).fetchone()
        (events,) = self._connection.execute("SELECT count(*) FROM events WHERE audience = ?", (user,)).fetchone()
        return Owned(resources, events)


def _job(row: tuple[Any, ...]) -> OfflineJob:
    path, project, created, document = row
    return OfflineJob(path, project, created, json.loads(document))

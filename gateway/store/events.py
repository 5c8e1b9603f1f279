"""Events as values and as rows, and their times: within a log these never fall, nor do they stay ahead of the clock."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from gateway.clock import TOLERANCE, timestamp
from gateway.store.model import Document, Resource, bytes_in
from gateway.store.series import Series


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event of one log before it has its position.

    ``audience`` is '' when all who see the log may see it, a project's id, or None for admins alone.
    """

    log: str
    time: datetime
    audience: str | None
    document: Document


@dataclass(frozen=True, slots=True)
class KeptEvent:
    """An event as a log has it: the log's path, the position in it, the audience, and the Event as a resource."""

    log: str
    position: int
    audience: str | None
    resource: Resource


def _entry(log: str, row: Sequence[Any]) -> Resource:
    position, time, audience, document = row
    return replace(event_resource(log, position, time, audience, json.loads(document)), size=bytes_in(document))


def event_resource(log: str, position: int, time: str, audience: str | None, document: Document) -> Resource:
    """Return the Event at a position of a log as a resource; ``time`` is in ISO 8601."""
    moment = datetime.fromisoformat(time)
    return Resource(
        path=f"{log}/events/{position}",
        kind="Event",
        project=audience or None,
        document={"timestamp": time, **document},
        created=moment,
        updated=moment,
        parent=log,
        internal={"audience": audience},
    )


EVENTS = Series(
    kind="Event",
    table="events",
    owner="log",
    select="position, time, audience, document",
    entry=_entry,
    columns={"type": "type", "outcome": "outcome", "severity": "severity"},
    timed=frozenset({"timestamp", "created", "updated"}),
    counts="event_counts",
    audience="audience",
)


Row = tuple[Any, ...]
"""The columns of an event: log, position, time, audience, type, outcome, severity, document."""
Ends = Mapping[str, tuple[int, str | None]]
"""Position and time of each log's newest event; 0 and None in a log without any."""


def placed(new: Sequence[NewEvent], ends: Ends) -> tuple[list[KeptEvent], list[Row]]:
    """Return the events behind the ends of their logs, as they are told and as rows.

    An event of a log that has no entry in ``ends`` is left out. A clock that is set back does not break the order of a
    log: no event is earlier than the one before it.
    """
    ends, kept, rows = dict(ends), [], []
    times = {time: timestamp(time) for time in {event.time for event in new}}
    for event in new:
        if event.log not in ends:
            continue
        position, newest = ends[event.log]
        position, time = position + 1, max(times[event.time], newest or "")
        ends[event.log] = (position, time)
        resource = event_resource(event.log, position, time, event.audience, event.document)
        kept.append(KeptEvent(event.log, position, event.audience, resource))
        rows.append(_row(event, position, time))
    return kept, rows


def _row(event: NewEvent, position: int, time: str) -> Row:
    document = event.document
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    about = (document["type"], document.get("outcome"), document.get("severity"))
    return (event.log, position, time, event.audience, *about, text)


@dataclass(frozen=True, slots=True)
class EventTimes:
    """The times that a process may correct in logs, after its clock was ahead for a while.

    ``since`` is when this process began to write. Events that it wrote while the clock was ahead may be brought back
    to now when the clock was set right. Events that others wrote before keep their times: theirs may be the right
    clock.
    """

    since: str
    newest_before: str

    def latest(self, now: datetime) -> str | None:
        """Return the time after which events are ahead of the clock, in ISO 8601; None when none may be brought back.

        None may be where an event from before this process is newer than the process: this clock may be the wrong one.
        """
        return timestamp(now + timedelta(seconds=TOLERANCE)) if self.newest_before <= self.since else None

"""Events as rows: what is to be kept, and how it is read back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from gateway.cimi.fields import timestamp
from gateway.store.model import Document, Resource
from gateway.store.rows import bytes_in
from gateway.store.series import Series


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event of one log before it has its position.

    ``audience`` is '' when all who see the log may see it, a user's name, or None for admins alone.
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
        owner=audience or None,
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


def to_row(new: NewEvent, position: int, time: str) -> tuple[Any, ...]:
    """Return the columns of an event at a position of its log; ``time`` is in ISO 8601."""
    text = json.dumps(new.document, ensure_ascii=False, separators=(",", ":"))
    document = new.document
    return (
        new.log,
        position,
        time,
        new.audience,
        document["type"],
        document.get("outcome"),
        document.get("severity"),
        text,
    )


def later(time: datetime, than: str | None) -> str:
    """Return the later one of an event's time and the time of the log's newest event, in ISO 8601.

    A clock that is set back does not break the order of a log.
    """
    text = timestamp(time)
    return text if than is None or text >= than else than

"""Times of events never fall within a log, whatever the clock does; and they do not stay ahead of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.cimi.fields import timestamp
from gateway.clock import TOLERANCE
from gateway.store.writer import Writer


@dataclass(frozen=True, slots=True)
class EventTimes:
    """The times that a process may correct in logs, after its clock was ahead for a while.

    ``since`` is when this process began to write. Events that it wrote while the clock was ahead may be brought back
    to now when the clock was set right. Events that others wrote before keep their times: theirs may be the right
    clock.
    """

    since: str
    newest_before: str

    @property
    def may_be_brought_back(self) -> bool:
        """True unless an event from before this process is newer than the process, so that this clock may be wrong."""
        return self.newest_before <= self.since

    async def follow(self, writer: Writer, log: str, newest: str | None, now: datetime) -> str | None:
        """Return the time of the log's newest event, after those that are minutes ahead were brought back to now."""
        text = timestamp(now)
        if newest is None or newest <= timestamp(now + timedelta(seconds=TOLERANCE)) or not self.may_be_brought_back:
            return newest
        [(before,)] = await writer.fetch("SELECT max(time) FROM events WHERE log = ? AND time < ?", (log, self.since))
        right = max(text, before or text)
        ahead = (right, log, right, self.since)
        writer.put("UPDATE events SET time = ? WHERE log = ? AND time > ? AND time >= ?", ahead)
        writer.put("UPDATE event_heads SET time = ? WHERE log = ?", (right, log))
        return right

"""The logs of Jobs as rows, as values, and as resources: lines that are only ever appended.

All lines have numbers of one sequence, so that who has read some of a log knows which are new.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.store.model import Resource
from gateway.store.series import Series


@dataclass(frozen=True, slots=True)
class JobLine:
    """A line of a Job's log. ``project`` is the Job's, ``number`` the line's; ``time`` is in ISO 8601."""

    job: str
    project: str | None
    number: int
    time: str
    level: str
    step: str
    message: str

    def as_resource(self) -> Resource:
        """Return the line as clients read it."""
        moment = datetime.fromisoformat(self.time)
        return Resource(
            path=f"{self.job}/log/{self.number}",
            kind="JobLine",
            project=self.project,
            document={"timestamp": self.time, "level": self.level, "step": self.step, "message": self.message},
            created=moment,
            updated=moment,
            parent=self.job,
        )


def _entry(job: str, row: Sequence[Any]) -> Resource:
    return JobLine(job, None, *row).as_resource()


JOB_LOG = Series(
    kind="JobLine",
    # A log is short: its lines are counted when it is read.
    table="(SELECT job, row_number() OVER (PARTITION BY job ORDER BY line) AS position, "
    "line, time, level, step, message FROM job_log)",
    owner="job",
    select="line, time, level, step, message",
    entry=_entry,
    # A clock that is set back does not change the order of the lines, so that no moment can be sought by it.
    columns={"timestamp": "time", "level": "level", "step": "step", "message": "message"},
    timed=frozenset(),
    number="line",
)

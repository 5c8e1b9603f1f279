"""Questions about Jobs that have not ended, and about their logs. The table of plans has a row for each such Job."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from gateway.store.model import Document
from gateway.store.questions import Fetching
from gateway.store.sealing import UNOPENED_MARK
from gateway.store.transaction import PlanRow


class LogLine(NamedTuple):
    """A line of a Job's log."""

    line: int
    time: str
    level: str
    step: str
    message: str


def _plan_row(row: tuple[Any, ...]) -> PlanRow:
    job, plan, phase, position, attempts, outcome = row
    unopened = UNOPENED_MARK in plan
    return PlanRow(job, json.loads(plan), phase, position, attempts, json.loads(outcome), unopened)


async def plan_of(store: Fetching, job: str) -> PlanRow | None:
    """Return the plan of a Job that has not ended, with its secrets open; by the primary key."""
    sql = "SELECT job, opened(job, plan), phase, position, attempts, outcome FROM plans WHERE job = ?"
    rows = await store.fetch(sql, (job,))
    return _plan_row(rows[0]) if rows else None


async def unfinished_plans(store: Fetching) -> list[PlanRow]:
    """Return the plans of all Jobs that have not ended, in the order of their beginnings; each of the few is read."""
    sql = (
        "SELECT job, opened(job, plan), phase, position, attempts, outcome FROM plans "
        "ORDER BY (SELECT min(line) FROM job_log WHERE job_log.job = plans.job)"
    )
    return [_plan_row(row) for row in await store.fetch(sql)]


async def plan_documents(store: Fetching) -> dict[str, Document]:
    """Return the plan of each Job that has not ended, by the Job's path; each of the few is read."""
    rows = await store.fetch("SELECT job, opened(job, plan) FROM plans")
    return {job: json.loads(plan) for job, plan in rows}


async def removals_below(store: Fetching, path: str) -> list[str]:
    """Return the Jobs that delete a component of the resource at the path; each plan of the few is looked at."""
    sql = (
        "SELECT job FROM plans WHERE json_extract(plan, '$.action') = 'delete' "
        "AND substr(json_extract(plan, '$.target'), 1, length(?1)) = ?1"
    )
    return [job for (job,) in await store.fetch(sql, (f"{path}/",))]


async def log_lines(store: Fetching, job: str, after: int = 0) -> list[LogLine]:
    """Return a Job's log after a line; by the index of the log's Jobs."""
    sql = "SELECT line, time, level, step, message FROM job_log WHERE job = ? AND line > ? ORDER BY line"
    return [LogLine(*row) for row in await store.fetch(sql, (job, after))]

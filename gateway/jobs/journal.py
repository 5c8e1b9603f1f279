"""The lines of Jobs in the journal: each names the Job, who asked for it, the request, and what it is about."""

from __future__ import annotations

from typing import Any

import structlog

from gateway.jobs.plan import Plan
from gateway.store.model import Resource


def logger_of(job: str, plan: Plan) -> Any:
    """Return the logger of a Job's lines (structlog's, with the fields bound)."""
    return structlog.get_logger("jobs").bind(job=job, **_subjects(plan), user=plan.owner, request=plan.request_id)


def first_step(plan: Plan) -> str:
    """Return the name of the step that a Job begins with."""
    return plan.steps[0].step if plan.steps else "settle"


def tell_end(job: Resource, plan: Plan) -> None:
    """Tell of a Job that ended with the transaction which wrote it."""
    logger = logger_of(job.path, plan)
    tell = logger.info if job.state == "SUCCESS" else logger.warning
    tell("end", state=job.state, reason=job.document.get("statusMessage") or job.state)


def _subjects(plan: Plan) -> dict[str, str]:
    """Return what the Job is about, and the Machine whenever it is about one or a part of one."""
    paths = (*plan.affected, plan.target)
    machine = next((path for path in paths if path.startswith("machines/")), None)
    subjects = {"resource": paths[0]} if paths[0] != machine else {}
    return {**subjects, "machine": machine} if machine is not None else subjects

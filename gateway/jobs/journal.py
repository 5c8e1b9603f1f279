"""The lines of Jobs: the same in a Job's log in the store and in the journal, where fields stand beside them.

Each line in the journal names the Job, who asked for it, the request, and what it is about.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from gateway.jobs.plan import Plan
from gateway.store.transaction import Transaction

SHORT_NAME = 60
"""Characters of a resource's name in a line; the field beside it has the whole name."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a Job: its level, the step that it is about, and its text. ``fields`` are for the journal alone."""

    level: str
    step: str
    message: str
    fields: Mapping[str, str] = field(default_factory=dict)

    async def write(self, transaction: Transaction, job: str, project: str | None) -> None:
        """Add the line to the log of a project's Job."""
        await transaction.write_log(job, project, self.level, self.step, self.message)

    def tell(self, logger: Any) -> None:
        """Write the line to the journal, by the logger of its Job."""
        getattr(logger, self.level, logger.info)(self.message, step=self.step, **self.fields)


def logger_of(job: str, plan: Plan) -> Any:
    """Return the logger of a Job's lines (structlog's, with the fields bound)."""
    user = plan.user or plan.project
    shared = {"project": plan.project} if user != plan.project else {}
    return structlog.get_logger("jobs").bind(job=job, **_subjects(plan), user=user, **shared, request=plan.request_id)


async def beginning(transaction: Transaction, plan: Plan) -> Line:
    """Return a Job's first line: what is done, to which resource by name and path, and by whom."""
    path, name = await _object(transaction, plan)
    words = [plan.action, path, *([_quoted(name)] if name else []), "by", _who(plan)]
    part = f", part of {plan.parent_job}" if plan.parent_job else ""
    fields = {"action": plan.action, "path": path, **({"name": name} if name else {})}
    return Line("info", "begin", " ".join(words) + part, fields)


def _who(plan: Plan) -> str:
    """Return who asked for the Job; of what the gateway does by itself also why, and whose it is."""
    if not plan.reason:
        return plan.user or plan.project or "the gateway"
    return f"the gateway for {plan.project}: {plan.reason}" if plan.project else f"the gateway: {plan.reason}"


def step_begins(plan: Plan, position: int = 0) -> Line:
    """Return the line of the step at a position in the plan."""
    step = plan.steps[position].step if position < len(plan.steps) else "settle"
    return Line("info", step, "begins")


def ending(state: str, message: str | None) -> Line:
    """Return a Job's last line: the state in which it ends, and its statusMessage."""
    words = f"{state}: {message}" if message else state
    level = "info" if state == "SUCCESS" else "warning"
    return Line(level, "end", words, {"state": state, "reason": message or state})


def recovery(phase: str) -> Line:
    """Return the line of a Job that a restart takes up again, to go on or to be undone."""
    return Line("warning", "recovery", f"taken up again after a restart: {phase}")


async def _object(transaction: Transaction, plan: Plan) -> tuple[str, str | None]:
    """Return path and name of what the Job is about: what is added by it, or else its target.

    A component without a name goes by the name of what it is a part of.
    """
    path = plan.affected[0] if plan.action == "add" and plan.affected else plan.target
    resource = await transaction.get(path) or transaction.before.get(path)
    if resource is None:
        return path, None
    if resource.name is None and resource.parent is not None:
        whole = await transaction.get(resource.parent)
        return path, whole.name if whole is not None else None
    return path, resource.name


def _quoted(name: str) -> str:
    """Return a name in quotes that it cannot end: others have chosen it."""
    return json.dumps(name if len(name) <= SHORT_NAME else f"{name[: SHORT_NAME - 1]}\u2026", ensure_ascii=False)


def _subjects(plan: Plan) -> dict[str, str]:
    """Return what the Job is about, and the Machine whenever it is about one or a part of one."""
    paths = (*plan.affected, plan.target)
    machine = next((path for path in paths if path.startswith("machines/")), None)
    subjects = {"resource": paths[0]} if paths[0] != machine else {}
    return {**subjects, "machine": machine} if machine is not None else subjects

"""Jobs as resources, those inside of others too, and their plans as rows (DSP0263 5.20)."""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from gateway import clock
from gateway.cimi.job import FINAL_JOB_STATES
from gateway.clock import timestamp
from gateway.jobs.plan import OnRestart, Plan, StepCall
from gateway.store.durable import Kept
from gateway.store.model import Document, Resource
from gateway.store.transaction import Transaction


@dataclass(frozen=True)
class KeptJob(Kept):
    """The facts of a Job that are kept beside its document."""

    request: str = ""
    """Id of the request that began the Job."""
    address: str = ""
    """Address that the request came from."""
    user: str = ""
    """Name of the user who asked for the Job; empty where it is the project's."""
    credential: str = ""
    """By what the user came in, as ``AuditEntry`` says it; empty where nobody noted it."""
    tries: dict[str, int] = field(default_factory=dict)
    """How often each work that may bring down who does it was begun, and has not ended."""


def new_job(plan: Plan, state: str) -> Resource:
    """Return the Job of a plan, as it is when it is accepted."""
    now = clock.now()
    document: Document = {
        "state": state,
        "targetResource": {"href": plan.target},
        "affectedResources": references((plan.target, *plan.affected)),
        "action": plan.action,
        "progress": 0,
        "timeOfStatusChange": timestamp(now),
    }
    if plan.parent_job:
        document["parentJob"] = {"href": plan.parent_job}
    job = Resource(f"jobs/{uuid.uuid4()}", "Job", plan.project, document, now, now)
    user = plan.user if plan.user != plan.project else ""
    return KeptJob(plan.request_id, plan.address, user, plan.credential).on(job)


def references(paths: tuple[str, ...]) -> list[Document]:
    """Return a reference to each of the paths, without repetitions."""
    return [{"href": path} for path in dict.fromkeys(paths)]


def in_state(job: Resource, state: str, **attributes: Any) -> Resource:
    """Return a copy of a Job in another state, as of now; ``attributes`` are set with it, None removes one."""
    return job.with_document(state=state, timeOfStatusChange=timestamp(clock.now()), **attributes)


def ended(job: Resource) -> bool:
    """Return whether a Job is in a final state."""
    return job.document["state"] in FINAL_JOB_STATES


def ended_at(job: Resource) -> datetime:
    """Return the time at which a Job's state changed last, which for an ended one is its end."""
    return datetime.fromisoformat(job.document["timeOfStatusChange"])


def plan_to_document(plan: Plan) -> Document:
    """Return a plan as JSON has it; what most have not is left out, as it was before there was any.

    ``owner`` is the project: a user's own has the user's name, who was the owner before there were projects.
    """
    document = asdict(plan)
    document["owner"] = document.pop("project")
    for key in ("reason", "credential"):
        if not document[key]:
            del document[key]
    if plan.user in ("", plan.project):
        del document["user"]
    return document


def plan_from_document(document: Document) -> Plan:
    """Return the plan that a document has, which an earlier version may have written."""
    steps = tuple(StepCall(**step) for step in document["steps"])
    settle = StepCall(**document["settle"]) if document["settle"] else None
    return Plan(
        action=document["action"],
        target=document["target"],
        project=document["owner"],
        steps=steps,
        locks=tuple(document["locks"]),
        affected=tuple(document["affected"]),
        drop_on_success=tuple(document["drop_on_success"]),
        drop_on_failure=tuple(document["drop_on_failure"]),
        settle=settle,
        on_restart=OnRestart(document["on_restart"]),
        parent_job=document["parent_job"],
        request_id=document["request_id"],
        address=document.get("address", ""),
        reason=document.get("reason", ""),
        user=document.get("user", ""),
        credential=document.get("credential", ""),
    )


# Jobs inside Jobs: parentJob and nestedJobs name only Jobs that are there


async def nest(transaction: Transaction, parent: str, job: str) -> None:
    """Write a new Job into the ``nestedJobs`` of the Job that it is a part of."""
    outer = await transaction.get(parent)
    if outer is not None:
        nested = [*outer.document.get("nestedJobs", []), {"href": job}]
        await transaction.update(outer.with_document(nestedJobs=nested))


async def unnest(transaction: Transaction) -> None:
    """Take deleted Jobs out of the Jobs that name them; the store calls it at the end of each transaction."""
    for path, after in list(transaction.changes.items()):
        before = transaction.before[path]
        if before is not None and before.kind == "Job" and after is None:
            await _part(transaction, before)


async def _part(transaction: Transaction, gone: Resource) -> None:
    parent = await transaction.get(gone.document.get("parentJob", {}).get("href", ""))
    if parent is not None:
        kept = [entry for entry in parent.document.get("nestedJobs", []) if entry["href"] != gone.path]
        await transaction.update(parent.with_document(nestedJobs=kept or None))
    for entry in gone.document.get("nestedJobs") or []:
        nested = await transaction.get(entry["href"])
        if nested is not None:
            await transaction.update(nested.with_document(parentJob=None))

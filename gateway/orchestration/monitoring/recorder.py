"""The one place through which all changes pass: it writes their events in the same transaction.

The store calls it at the end of each transaction with what each resource was and is. So no service has to remember
its events, and an event and its change are on disk both or neither. It also gives every resource whose type has an
``eventLog`` its log, and takes the log away with the resource (capability EventLog/Linked).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gateway import clock
from gateway.cimi.job import FINAL_JOB_STATES
from gateway.cimi.registry import CLOUD_ENTRY_POINT, TYPES, collection_at, type_at, type_of
from gateway.jobs.records import KeptJob
from gateway.orchestration.common.containment import MEMBER_KINDS, holders
from gateway.orchestration.common.resource_service import new_resource
from gateway.orchestration.monitoring.facts import Monitored
from gateway.orchestration.monitoring.occurrences import (
    CHANGES,
    EVERYTHING,
    Occurrence,
    Request,
    accessed,
    alarm,
    logs_of,
    model_changed,
    state_changed,
)
from gateway.store.model import Document, Resource
from gateway.store.store import Store
from gateway.store.transaction import Transaction

OUTCOMES = {"SUCCESS": "Success", "FAILED": "Failure", "STOPPED": "Warning"}
UNTOLD = frozenset({"state", "statusMessage", "eventLog", "summary", "lastUse"})
"""Attributes whose change is no change of the model."""
OUTSIDE = "changed outside the gateway"
LOGGED = tuple(kind for kind, declared in TYPES.items() if "eventLog" in declared.attributes)
"""The types whose resources have an EventLog each."""


async def tell(transaction: Transaction, *occurrences: Occurrence) -> None:
    """Write the events of these occurrences, besides the changes of this transaction."""
    if not occurrences:
        return
    now = clock.now()
    systems: dict[str, tuple[str, ...]] = {}
    events = []
    for occurrence in occurrences:
        root = "/".join(occurrence.about.split("/")[:2])
        if root not in systems:
            systems[root] = await _logs_of_systems(transaction, root)
        events += replace(occurrence, logs=(*occurrence.logs, *systems[root])).events(now)
    transaction.append_audit([occurrence.entry for occurrence in occurrences if occurrence.entry is not None])
    if events:
        await transaction.append_events(events)


async def _logs_of_systems(transaction: Transaction, path: str) -> tuple[str, ...]:
    """Return the logs of the Systems in which the resource at this path is."""
    described = type_at(path)
    if described is None or described.kind not in MEMBER_KINDS:
        return ()
    systems = [await transaction.get(system) for system in sorted(await holders(transaction, described.kind, path))]
    return tuple(log for system in systems if system is not None for log in logs_of(system))


class Recorder:
    """The rule of the store that gives resources their logs, and writes the events of all changes.

    ``persistence`` is what logs get whose creation says nothing, ``of_changes`` what the log of changes gets.
    """

    def __init__(self, persistence: str, of_changes: str) -> None:
        self._persistence = persistence
        self._of_changes = of_changes

    async def prepare(self, store: Store) -> None:
        """Make the gateway's own logs, and at the first start with event logs one for each resource there is."""
        if await store.get(EVERYTHING) is None:
            async with store.transaction() as transaction:
                await transaction.insert(_own_log(EVERYTHING, "every event of this gateway", self._persistence))
                for kind in LOGGED:
                    async for resource in store.every(kind):
                        await self._attach(transaction, resource)
        if await store.get(CHANGES) is None:
            async with store.transaction() as transaction:
                described = "every event of this gateway but refused requests"
                await transaction.insert(_own_log(CHANGES, described, self._of_changes))

    async def record(self, transaction: Transaction) -> None:
        """Give new resources their logs, and write the events of the transaction's changes."""
        changed = [(transaction.before[path], after) for path, after in transaction.changes.items()]
        for before, after in changed:
            await self._link(transaction, before, after)
        occurrences: list[Occurrence] = []
        for before, after in changed:
            now = transaction.changes[after.path] if after is not None else None
            occurrences += await self._occurrences(transaction, before, now)
        await tell(transaction, *occurrences)

    # Logs come and go with their resources

    async def _link(self, transaction: Transaction, before: Resource | None, after: Resource | None) -> None:
        if before is None and after is not None and after.kind in LOGGED:
            await self._attach(transaction, after)
        if before is not None and after is None:
            for log in logs_of(before):
                await transaction.delete(log)

    async def _attach(self, transaction: Transaction, resource: Resource) -> None:
        persistence = Monitored.of(resource).event_log.get("persistence", self._persistence)
        log = new_log(resource, {"persistence": persistence})
        await transaction.insert(log)
        linked = resource.with_document(eventLog={"href": log.path})
        await transaction.update(Monitored.changed(linked, event_log={}))

    # Occurrences

    async def _occurrences(
        self, transaction: Transaction, before: Resource | None, after: Resource | None
    ) -> list[Occurrence]:
        changed = after or before
        if changed is None or self._came_or_went_with_its_owner(transaction, changed):
            return []
        if changed.kind == "Job":
            return await self._of_job(transaction, before, after)
        occurrences = _of_resource(before, after)
        if not occurrences or changed.parent is None or logs_of(changed):
            return occurrences
        owner = await _nearest(transaction, changed.parent)
        return [replace(occurrence, logs=logs_of(owner) if owner else ()) for occurrence in occurrences]

    def _came_or_went_with_its_owner(self, transaction: Transaction, resource: Resource) -> bool:
        """Return whether a component's owner is itself new or gone, and tells of both."""
        owner = resource.parent
        if owner is None or owner not in transaction.changes:
            return False
        return transaction.before[owner] is None or transaction.changes[owner] is None

    async def _of_job(
        self, transaction: Transaction, before: Resource | None, job: Resource | None
    ) -> list[Occurrence]:
        """Return the events of the request that made the Job, and of the Job's end."""
        if job is None or job.document.get("parentJob"):
            return []
        if before is None:
            outcome = OUTCOMES.get(job.state or "", "Pending")
            return [await self._access(transaction, job, outcome)]
        if job.state not in FINAL_JOB_STATES or before.state == job.state:
            return []
        return await self._end(transaction, before, job)

    async def _access(self, transaction: Transaction, job: Resource, outcome: str) -> Occurrence:
        path = subject_of(job)
        return accessed(_request_of(job), path, await _nearest(transaction, path), outcome)

    async def _end(self, transaction: Transaction, before: Resource, job: Resource) -> list[Occurrence]:
        subject = await _nearest(transaction, subject_of(job))
        logs = logs_of(subject) if subject is not None else ()
        message = job.document.get("statusMessage") or ""
        ended = state_changed(job, before.state, message)
        about = subject.path if subject is not None else job.path
        outcome = OUTCOMES[str(job.state)]
        entry = _request_of(job).entry(subject_of(job), outcome, message)
        ended = Occurrence({**ended.document, "outcome": outcome}, ended.audience, logs, about, entry)
        if job.state != "FAILED":
            return [ended]
        failing = f"{job.document['action']}-failed"
        failed = alarm(subject if subject is not None else job, failing, message, severity="high")
        return [ended, failed]


def _request_of(job: Resource) -> Request:
    """Return the request that a Job was made for."""
    kept, project = KeptJob.of(job), job.project or ""
    initiator = kept.user or project
    return Request(job.document["action"], initiator, kept.address, kept.request, project, kept.credential, job.path)


def _of_resource(before: Resource | None, after: Resource | None) -> list[Occurrence]:
    if after is None:
        assert before is not None
        return [model_changed(before, "delete")]
    if before is None:
        return [model_changed(after, "create")]
    occurrences: list[Occurrence] = []
    names = changed_attributes(before, after)
    if names:
        occurrences.append(model_changed(after, "update", ", ".join(names)))
    if after.state != before.state:
        held = before.held_by is not None or after.held_by is not None
        occurrences.append(state_changed(after, before.state, "" if held else OUTSIDE))
        why = after.document.get("statusMessage")
        if after.state == "ERROR" and why and not held:
            occurrences.append(alarm(after, "fault", why))
    return occurrences


def changed_attributes(before: Resource, after: Resource) -> list[str]:
    """Return the names of what changed, without values, which may be secret and can be read at the resource."""
    public = {name for name, field in type_of(after.kind).attributes.items() if not field.write_only}
    return sorted(name for name in public - UNTOLD if before.document.get(name) != after.document.get(name))


def subject_of(job: Resource) -> str:
    """Return the path of what a Job is about: the resource which it adds to a collection, else its target."""
    target: str = job.document["targetResource"]["href"]
    others = [entry["href"] for entry in job.document.get("affectedResources", ()) if entry["href"] != target]
    return others[0] if others and collection_at(target) is not None else target


async def _nearest(transaction: Transaction, path: str) -> Resource | None:
    """Return the resource at a path as it is, or was before this transaction; for a component the owner with a log."""
    while path:
        resource = transaction.changes.get(path) or transaction.before.get(path) or await transaction.get(path)
        if resource is not None and (resource.parent is None or logs_of(resource)):
            return resource
        path = path.rpartition("/")[0]
    return None


def _own_log(path: str, described: str, persistence: str) -> Resource:
    """Return a log of the Cloud Entry Point."""
    now = clock.now()
    document: Document = {
        "name": path.rpartition("/")[2],
        "description": f"{described}; each user sees their own",
        "targetResource": {"href": CLOUD_ENTRY_POINT.segment},
        "persistence": persistence,
    }
    return Resource(path, "EventLog", None, document, now, now)


def new_log(target: Resource, document: dict[str, Any]) -> Resource:
    """Return an EventLog for a resource, owned and seen as that is; nothing is written."""
    name = {"name": f"events of {target.name}"} if target.name else {}
    whole = {**name, **document, "targetResource": {"href": target.path}}
    made = new_resource("EventLog", target.project, whole)
    return replace(made, shared=target.shared)

"""EventLogs and their Events as clients see them (DSP0263 5.22)."""

from __future__ import annotations

from dataclasses import replace

from gateway.cimi.monitoring import SEVERITIES
from gateway.cimi.registry import type_at
from gateway.errors import Conflict, Forbidden, Invalid, NotFound
from gateway.orchestration.common.contract import Caller, Outcome
from gateway.orchestration.common.first_answers import Write
from gateway.orchestration.common.permissions import audience, changeable, demand
from gateway.orchestration.common.resource_service import ResourceService
from gateway.orchestration.monitoring.facts import KeptEvent
from gateway.orchestration.monitoring.occurrences import CHANGES, EVERYONE, OWN_LOGS
from gateway.orchestration.monitoring.recorder import new_log
from gateway.orchestration.monitoring.templates import OWN, event_log_values, target_of
from gateway.store.events import EVENTS
from gateway.store.model import Document, Page, Query, Resource
from gateway.store.questions.events import events_by_severity
from gateway.store.transaction import Transaction

WHERE = "eventLogTemplate"
PAGE_OF_SUMMARIES = 500


class EventLogService(ResourceService):
    """The service of EventLogs."""

    kind = "EventLog"
    computed = True

    # Reading: the summary is counted at the moment of reading, as far as the caller sees

    async def read(self, caller: Caller, path: str) -> Resource:
        """Return the log, with the summary of the events that the caller sees now."""
        log = await super().read(caller, path)
        return (await self._summarized(caller, (log,)))[0]

    async def list(self, caller: Caller, query: Query) -> Page:
        """Return the page of logs, each with the summary of the events that the caller sees now."""
        page = await super().list(caller, query)
        return Page(await self._summarized(caller, page.items), page.count)

    async def _summarized(self, caller: Caller, logs: tuple[Resource, ...]) -> tuple[Resource, ...]:
        counts: dict[str, Document] = {log.path: dict.fromkeys(SEVERITIES, 0) for log in logs}
        paths = list(counts)
        for start in range(0, len(paths), PAGE_OF_SUMMARIES):
            some = paths[start : start + PAGE_OF_SUMMARIES]
            for log, severity, size in await events_by_severity(self.store, some, audience(caller)):
                counts[log][severity] = size
        return tuple(log.with_document(summary=counts[log.path]) for log in logs)

    def operations(self, caller: Caller, resource: Resource) -> tuple[str, ...]:
        """Return the operations legal now: the gateway's own logs cannot be deleted."""
        verbs = super().operations(caller, resource)
        return tuple(verb for verb in verbs if verb != "delete") if resource.path in OWN_LOGS else verbs

    # Changing

    async def prepare(self, caller: Caller, collection: str, document: Document) -> Write:
        """Check a new log, and return what writes it together with the reference to it.

        Raises Conflict for a resource that has a log already.
        """
        given = document[WHERE]
        values = await event_log_values(self.store, caller, given, WHERE)
        target = await target_of(self.store, caller, values, f"{WHERE}.targetResource")
        if not changeable(caller, target):
            raise Forbidden(f"{target.path} belongs to somebody else; only its owner or an admin may give it a log")
        persistence = values.get("persistence", self.room.policy.event_persistence)
        own = {name: document[name] for name in OWN if name in document}
        log = new_log(target, {**own, "persistence": persistence})

        async def write(transaction: Transaction) -> Outcome:
            current = await transaction.get(target.path)
            if current is None:
                raise Invalid(f"there is no {target.kind} {target.path}", f"{WHERE}.targetResource")
            if current.document.get("eventLog"):
                raise Conflict(f"{target.path} has an EventLog already: {current.document['eventLog']['href']}")
            await transaction.insert(log)
            await transaction.update(current.with_document(eventLog={"href": log.path}))
            return await self.made(transaction, log, self.plan(caller, "add", collection, affected=(log.path,)))

        return write

    async def change(
        self, caller: Caller, resource: Resource, document: Document, selected: frozenset[str] | None
    ) -> Resource:
        """Return the log after the edit, always with a persistence.

        An update without one sets the configured persistence; the log of changes keeps its own.
        """
        changed = await super().change(caller, resource, document, selected)
        if "persistence" not in changed.document:
            own = resource.document["persistence"] if resource.path == CHANGES else None
            changed = changed.with_document(persistence=own or self.room.policy.event_persistence)
        return changed.with_document(summary=None)

    async def delete(self, caller: Caller, path: str, version: int | None) -> Outcome:
        """Delete the log and the reference to it. Raises Conflict for the gateway's own logs."""
        await self.to_change(caller, path, "delete", version)
        if path in OWN_LOGS:
            raise Conflict("the gateway's own logs stay; its persistence says how long events are kept")
        async with self.store.transaction() as transaction:
            log = await self.current(transaction, path, version)
            target = await transaction.get(log.document["targetResource"]["href"])
            if target is not None and target.document.get("eventLog") == {"href": path}:
                await transaction.update(target.with_document(eventLog=None))
            await transaction.delete(path)
            plan = self.plan(caller, "delete", path, drop_on_success=(path,))
            job = await self.room.runner.completed(transaction, plan)
        return Outcome(None, job, finished=True)


class EventService(ResourceService):
    """The service of Events, which are read only; who sees a log sees in it what is for them."""

    kind = "Event"
    computed = True

    async def read(self, caller: Caller, path: str) -> Resource:
        """Return the Event at the path. Raises NotFound for one that the caller may not see, too."""
        demand(caller.role, self.kind, "read")
        log, _, position = path.rpartition("/events/")
        event = None
        if position.isascii() and position.isdecimal() and len(position) < 19:
            owner = await self._log(caller, log)
            event = await self.store.entry(EVENTS, log, int(position)) if owner else None
            if event is not None and owner is not None and not self._sees(caller, owner, event):
                event = None
        if event is None:
            raise NotFound(f"there is no Event {path[:200]}")
        return event

    async def _log(self, caller: Caller, path: str) -> Resource | None:
        log = await self.store.get(path)
        return log if log is not None and log.kind == "EventLog" and await self.seen(caller, log) else None

    def _sees(self, caller: Caller, log: Resource, event: Resource) -> bool:
        return self._all_of(caller, log) or KeptEvent.of(event).audience in (caller.project, EVERYONE)

    def _all_of(self, caller: Caller, log: Resource) -> bool:
        """Return whether the caller sees all of the log.

        The owner of a resource sees its whole log; in that of a System may be what happened to another's resource.
        """
        described = type_at(log.document["targetResource"]["href"])
        mixed = described is not None and described.kind == "System"
        return audience(caller) is None or (log.project == caller.project and not mixed)

    async def list(self, caller: Caller, query: Query) -> Page:
        """Return the page of the log's events that the caller may see."""
        demand(caller.role, self.kind, "read")
        log = await self.store.get(query.parent or "")
        if log is None:
            return Page((), 0)
        visible_to = None if self._all_of(caller, log) else caller.project
        return await self.store.series(EVENTS, replace(query, visible_to=visible_to))

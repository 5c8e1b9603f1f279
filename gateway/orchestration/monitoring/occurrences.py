"""The occurrences that a resource can have, as the standard's four kinds of event (DSP0263 5.22.4)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from gateway.cimi.registry import CLOUD_ENTRY_POINT, collection_at, type_at
from gateway.orchestration.common.contract import Caller
from gateway.plain_text import printable
from gateway.store.audit import AuditEntry
from gateway.store.events import NewEvent
from gateway.store.model import Document, Resource

EVERYTHING = "eventLogs/everything"
"""The log of the Cloud Entry Point, which holds every event; the live feed reads from it."""
CHANGES = "eventLogs/changes"
"""The other log of the Cloud Entry Point, which holds every event but refusals, and longer.

Requests of strangers push nothing out of this log.
"""
OWN_LOGS = (EVERYTHING, CHANGES)
"""Logs that are the gateway's own, and stay."""
EVERYONE = ""
ADMINS = None
LONGEST = 500


@dataclass(frozen=True, slots=True)
class Occurrence:
    """An event before it is written.

    ``logs`` are those it is written to, the gateway's own not counted. ``about`` is the path of what it happened to:
    the Systems which that is in write it down, too. ``entry`` goes into the audit log; without a document an occurrence
    is told there alone.
    """

    document: Document
    audience: str | None
    logs: tuple[str, ...] = ()
    about: str = ""
    entry: AuditEntry | None = None

    def repeated(self, counted: int, seconds: float) -> Occurrence:
        """Return the occurrence that stands for so many more like this one within a time, with their number."""
        entry = replace(self.entry, number=counted) if self.entry is not None else None
        if not self.document:
            return replace(self, entry=entry)
        content = self.document["content"]
        detail = f"{counted} more within {seconds:g} seconds; the last: {content.get('detail', '')}"[:LONGEST]
        return replace(self, document={**self.document, "content": {**content, "detail": detail}}, entry=entry)

    def events(self, now: datetime) -> list[NewEvent]:
        """Return the events as they are written now, one for each log; a refusal stands in no log of changes."""
        if not self.document:
            return []
        refusal = self.document["type"] == "access" and self.document["outcome"] == "Failure"
        logs = (*self.logs, EVERYTHING) if refusal else (*self.logs, *OWN_LOGS)
        return [NewEvent(log, now, self.audience, self.document) for log in logs]


def state_changed(resource: Resource, previous: str | None, note: str = "") -> Occurrence:
    """Return the event of a resource's new state, with the previous one; ``note`` is for people."""
    state = resource.document.get("state")
    failed = state == "ERROR"
    content = {**_subject(resource), "state": state, "previous": previous}
    outcome, severity = ("Failure", "high") if failed else ("Status", "low")
    return _about(resource, _document("state", content, outcome, severity, note))


def alarm(
    resource: Resource, code: str, detail: str, *, severity: str = "critical", outcome: str = "Failure"
) -> Occurrence:
    """Return the alarm about a resource.

    ``code`` says in a word what is wrong with the resource, ``detail`` in words for people.
    """
    content = {**_subject(resource), "code": code, "detail": clean(detail)}
    return _about(resource, _document("alarm", content, outcome, severity))


def model_changed(resource: Resource, change: str, detail: str = "") -> Occurrence:
    """Return the event of a change of a resource: ``change`` is create, update or delete."""
    content = {**_subject(resource), "change": change, "detail": detail}
    return _about(resource, _document("model", content, "Success", "low"))


@dataclass(frozen=True, slots=True)
class Request:
    """The request of a user: of a Job, or one that was refused."""

    operation: str
    initiator: str
    address: str
    request_id: str
    project: str = ""
    """Id of the project that it was made in; empty where nobody knows who asks."""
    credential: str = ""
    """By what the user came in, as ``AuditEntry`` says it; empty where nobody noted it."""
    job: str = ""

    @classmethod
    def of(cls, caller: Caller, operation: str) -> Request:
        """Return the request of a caller."""
        return cls(operation, caller.user, caller.address, caller.request_id, caller.project, caller.credential)

    def entry(self, path: str, outcome: str, detail: str = "") -> AuditEntry:
        """Return the entry of the audit log about the request for what stands at the path, and what came of it.

        Control characters are escapes there, and whoever shows an entry replaces them.
        """
        return AuditEntry(
            self.operation,
            outcome,
            path[:LONGEST],
            self.initiator[:LONGEST],
            self.project,
            self.credential,
            self.address,
            self.request_id,
            self.job,
            detail[:LONGEST],
        )

    @property
    def origin(self) -> str:
        """The address and the id of the request, in words; empty when neither is known."""
        parts = (("from", self.address), ("request", self.request_id))
        return ", ".join(f"{word} {value}" for word, value in parts if value)


def accessed(request: Request, path: str, resource: Resource | None, outcome: str, reason: str = "") -> Occurrence:
    """Return the event of a request and what came of it.

    The project sees it that the resource is in, else the one that was asked in, and the admins.
    """
    refused = outcome == "Failure"
    words = "; ".join(part for part in (reason, request.origin) if part)
    detail, href, initiator = (printable(text[:LONGEST]) for text in (words, path, request.initiator))
    content = {"operation": request.operation, "resource": {"href": href}, "detail": detail, "initiator": initiator}
    project = resource.project if resource is not None and not resource.shared else None
    audience = project or request.project or ADMINS
    document = _document("access", content, outcome, "medium" if refused else "low")
    logs = logs_of(resource) if resource is not None else ()
    return Occurrence(document, audience, logs, path, request.entry(path, outcome, reason))


def logs_of(resource: Resource) -> tuple[str, ...]:
    """Return the log of a resource, beside that of everything and those of the Systems which it is in."""
    reference = resource.document.get("eventLog")
    return (reference["href"],) if isinstance(reference, dict) and "href" in reference else ()


def audience_of(resource: Resource) -> str:
    """Return who sees the events of the resource: its project, or everyone when it is shared or nobody's."""
    return EVERYONE if resource.shared or resource.project is None else resource.project


def meaningful_path(path: str) -> str:
    """Return the part of a path that means something.

    The Cloud Entry Point stands for a path that means nothing.
    """
    text = path.strip("/")[:LONGEST]
    while text and collection_at(text) is None and type_at(text) is None:
        text = text.rpartition("/")[0]
    return text or CLOUD_ENTRY_POINT.segment


def clean(text: str) -> str:
    """Return the text as both formats and a terminal can show it, and not endless."""
    return printable(text[:LONGEST])


def _subject(resource: Resource) -> Document:
    name = clean(resource.document.get("name") or "")
    return {"resName": name, "resource": {"href": resource.path}, "resType": resource.kind}


def _about(resource: Resource, document: Document) -> Occurrence:
    return Occurrence(document, audience_of(resource), logs_of(resource), resource.path)


def _document(kind: str, content: Document, outcome: str, severity: str, note: str = "") -> Document:
    full: dict[str, Any] = {name: value for name, value in content.items() if value}
    described = {"description": clean(note)} if note else {}
    return {**described, "type": kind, "content": full, "outcome": outcome, "severity": severity}

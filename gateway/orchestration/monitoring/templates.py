"""Event logs by their templates: EventLogTemplate itself, and ``eventLogTemplate`` in other types' templates."""

from __future__ import annotations

from gateway.errors import Invalid
from gateway.orchestration.common.checked_service import CheckedService
from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.resolving import resolve
from gateway.orchestration.monitoring.recorder import LOGGED
from gateway.store.model import Document, Resource
from gateway.store.reading import Reading

OWN = ("name", "description", "properties")


class EventLogTemplateService(CheckedService):
    """The service of EventLogTemplates."""

    kind = "EventLogTemplate"

    async def check(self, caller: Caller, document: Document) -> None:
        """Raise Invalid for a target that can have no log."""
        if document.get("targetResource"):
            await target_of(self.store, caller, document, "targetResource")


async def target_of(store: Reading, caller: Caller, template: Document, where: str) -> Resource:
    """Return the resource that a log is to be about. Raises Invalid when it cannot have one."""
    reference = template.get("targetResource")
    if reference is None:
        raise Invalid("is missing", where)
    return await resolve(store, caller, reference["href"], LOGGED, where)


async def template_values(store: Reading, caller: Caller, given: Document, where: str) -> Document:
    """Return what an EventLogTemplate says, by reference, by value, or both; None erases (DSP0263 4.2.3.1)."""
    stored: Document = {}
    if "href" in given:
        stored = (await resolve(store, caller, given["href"], ("EventLogTemplate",), where)).document
    merged = {**stored, **{name: value for name, value in given.items() if name != "href"}}
    return {name: value for name, value in merged.items() if value is not None and name not in OWN}


async def requested_event_log(store: Reading, caller: Caller, template: Document, where: str = "") -> Document:
    """Return the attributes of a new resource's log that its template's ``eventLogTemplate`` asks for.

    ``where`` is the way to the template in a larger document, ending in a dot.
    """
    given, where = template.get("eventLogTemplate"), f"{where}eventLogTemplate"
    if given is None:
        return {}
    values = await template_values(store, caller, given, where)
    if "targetResource" in values:
        raise Invalid("must not be given here: the log is about the new resource itself", f"{where}.targetResource")
    return values

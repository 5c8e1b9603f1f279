"""Event logs by their templates: EventLogTemplate itself, and ``eventLogTemplate`` in other types' templates."""

from __future__ import annotations

from gateway.errors import Invalid
from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.references import resolve
from gateway.orchestration.common.resource_service import ResourceService, new_resource
from gateway.orchestration.monitoring.recorder import LOGGED
from gateway.store.model import Document, Resource
from gateway.store.reading import Reading

OWN = ("name", "description", "properties")


class EventLogTemplateService(ResourceService):
    """The service of EventLogTemplates."""

    kind = "EventLogTemplate"
    catalogue = True

    async def make(self, caller: Caller, document: Document) -> Resource:
        """Return the new template. Raises Invalid for a target that can have no log."""
        await self._check(caller, document)
        return new_resource(self.kind, caller.user, document)

    async def change(
        self, caller: Caller, resource: Resource, document: Document, selected: frozenset[str] | None
    ) -> Resource:
        """Return the template after the edit. Raises Invalid for a target that can have no log."""
        await self._check(caller, document)
        return await super().change(caller, resource, document, selected)

    async def _check(self, caller: Caller, document: Document) -> None:
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


async def asked_event_log(store: Reading, caller: Caller, template: Document, where: str = "") -> Document:
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

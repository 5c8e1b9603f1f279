"""SystemTemplates: what Systems are made by (DSP0263 5.13.3)."""

from __future__ import annotations

from typing import Any

from gateway.orchestration.common.contract import Caller, Outcome
from gateway.orchestration.common.permissions import granted
from gateway.orchestration.common.references import resolve
from gateway.orchestration.common.resource_service import new_resource
from gateway.orchestration.machines.templates import check_template_memory
from gateway.orchestration.monitoring.templates import (
    requested_event_log,
    requested_meters,
)
from gateway.orchestration.systems.blueprint import KINDS, blueprint
from gateway.orchestration.systems.facts import KeptTemplate
from gateway.orchestration.systems.packages.parts import Described
from gateway.orchestration.systems.packages.service import EXPORT, PackagedService
from gateway.orchestration.systems.packages.template_describing import TemplateDescription
from gateway.orchestration.systems.secrets import hashed, with_kept, without_secrets
from gateway.store.model import Document, Resource

DESCRIPTORS = "componentDescriptors"


class SystemTemplateService(PackagedService):
    """The SystemTemplates of all users.

    Mistakes in descriptors that no host would take are told at once, the others by a create.
    """

    kind = "SystemTemplate"
    catalogue = True

    def operations(self, caller: Caller, resource: Resource) -> tuple[str, ...]:
        """Return the operations that the caller may do, with ``export`` where it is granted."""
        verbs = super().operations(caller, resource)
        return (*verbs, EXPORT) if granted(caller.role, self.kind, EXPORT) else verbs

    async def act(self, caller: Caller, path: str, action: str, document: dict[str, Any]) -> Outcome:
        """Begin an export, or do what the base class does."""
        if action == EXPORT:
            return await self.export(caller, path, document)
        return await super().act(caller, path, action, document)

    async def described(self, caller: Caller, resource: Resource) -> Described:
        """Return what of the template is to be written into a package."""
        return await TemplateDescription(self.room, caller).describe(resource)

    async def make(self, caller: Caller, document: Document) -> Resource:
        """Return a new SystemTemplate. Raises what is wrong with it."""
        made = new_resource(self.kind, caller.project, document)
        return await self._checked(caller, made, document)

    async def change(
        self, caller: Caller, resource: Resource, document: Document, selected: frozenset[str] | None
    ) -> Resource:
        """Return the changed SystemTemplate. Raises what is wrong with it."""
        changed = await super().change(caller, resource, document, selected)
        if selected is not None and DESCRIPTORS not in selected:
            await self._check(caller, {**changed.document, DESCRIPTORS: []})
            return changed
        before = KeptTemplate.of(resource).descriptors
        given = with_kept(list(before) if before is not None else None, changed.document.get(DESCRIPTORS, []))
        return await self._checked(caller, changed, {**changed.document, DESCRIPTORS: given})

    async def _checked(self, caller: Caller, template: Resource, document: Document) -> Resource:
        await self._check(caller, document)
        descriptors = await hashed(document.get(DESCRIPTORS) or [])
        readable = without_secrets(descriptors)
        kept = KeptTemplate(tuple(descriptors) if descriptors != readable else None)
        return kept.on(template.with_document(**{DESCRIPTORS: readable or None}))

    async def _check(self, caller: Caller, document: Document) -> None:
        await requested_meters(self.room, caller, document, "System")
        await requested_event_log(self.store, caller, document)
        self._check_descriptors(document, "")
        await self._check_memory(caller, document, "")
        for place, descriptor in enumerate(document.get(DESCRIPTORS) or []):
            attribute = KINDS[descriptor["type"]]
            href = (descriptor.get(attribute) or {}).get("href")
            if href is not None:
                where = f"{DESCRIPTORS}.{place}.{attribute}"
                await resolve(self.store, caller, href, (f"{descriptor['type']}Template",), where)

    async def _check_memory(self, caller: Caller, document: Document, where: str) -> None:
        """Raise Invalid for a Machine with less memory than it needs, in the Systems inside, too."""
        for place, descriptor in enumerate(document.get(DESCRIPTORS) or []):
            at = f"{where}{DESCRIPTORS}.{place}."
            if descriptor.get("machineTemplate"):
                await check_template_memory(self, caller, descriptor["machineTemplate"], f"{at}machineTemplate.")
            if descriptor.get("systemTemplate"):
                await self._check_memory(caller, descriptor["systemTemplate"], f"{at}systemTemplate.")

    def _check_descriptors(self, document: Document, where: str) -> None:
        """Raise Invalid for what is wrong with descriptors, in the Systems inside, too."""
        blueprint(document, where)
        for place, descriptor in enumerate(document.get(DESCRIPTORS) or []):
            nested = descriptor.get("systemTemplate")
            if nested:
                self._check_descriptors(nested, f"{where}{DESCRIPTORS}.{place}.systemTemplate.")

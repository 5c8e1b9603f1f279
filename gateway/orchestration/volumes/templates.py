"""VolumeTemplates and VolumeConfigurations, which Volumes are made by (DSP0263 5.16.3, 5.16.4)."""

from __future__ import annotations

from gateway.errors import Invalid
from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.references import resolve
from gateway.orchestration.common.resource_service import ResourceService, new_resource
from gateway.orchestration.monitoring.templates import (
    requested_event_log,
    requested_meters,
)
from gateway.store.model import Document, Resource

REFERENCES = {"volumeConfig": "VolumeConfiguration", "volumeImage": "VolumeImage"}


class VolumeConfigurationService(ResourceService):
    """The VolumeConfigurations of all users."""

    kind = "VolumeConfiguration"
    catalogue = True

    async def make(self, caller: Caller, document: Document) -> Resource:
        """Return a new VolumeConfiguration. Raises Invalid without a capacity, or for a type that no pool takes."""
        checked = {"type": "mapped", **document}
        self._check(checked)
        return new_resource(self.kind, caller.project, checked)

    async def change(
        self, caller: Caller, resource: Resource, document: Document, selected: frozenset[str] | None
    ) -> Resource:
        """Return the changed VolumeConfiguration. Raises Invalid as ``make`` does."""
        changed = await super().change(caller, resource, document, selected)
        self._check(changed.document)
        return changed

    def _check(self, document: Document) -> None:
        if "capacity" not in document:
            raise Invalid("is missing", "capacity")
        types = {name for settings in self.room.hypervisors.values() for p in settings.every_pool for name in p.types}
        if document.get("type", "mapped") not in types:
            raise Invalid(f"no pool takes it; known are {', '.join(sorted(types))}", "type")


class VolumeTemplateService(ResourceService):
    """The VolumeTemplates of all users."""

    kind = "VolumeTemplate"
    catalogue = True

    async def make(self, caller: Caller, document: Document) -> Resource:
        """Return a new VolumeTemplate. Raises Invalid when it refers to what does not exist."""
        await check_template(self, caller, document)
        return new_resource(self.kind, caller.project, document)

    async def change(
        self, caller: Caller, resource: Resource, document: Document, selected: frozenset[str] | None
    ) -> Resource:
        """Return the changed VolumeTemplate. Raises Invalid when it refers to what does not exist."""
        await check_template(self, caller, document)
        return await super().change(caller, resource, document, selected)


async def check_template(service: ResourceService, caller: Caller, document: Document, where: str = "") -> None:
    """Raise Invalid when something that a template refers to does not exist.

    ``where`` is the way to the template in a larger document, ending in a dot.
    """
    await requested_event_log(service.store, caller, document, where)
    await requested_meters(service.room, caller, document, "Volume", where)
    for name, kind in REFERENCES.items():
        href = document.get(name, {}).get("href")
        if href is not None:
            await resolve(service.store, caller, href, (kind,), where + name)

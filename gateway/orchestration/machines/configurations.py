"""MachineConfigurations, stored or by value (DSP0263 5.14.6)."""

from __future__ import annotations

from gateway.errors import Invalid
from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.resource_service import ResourceService, new_resource
from gateway.orchestration.machine_core.least_memory import demand_memory
from gateway.store.model import Document, Resource


class MachineConfigurationService(ResourceService):
    """The service of MachineConfigurations."""

    kind = "MachineConfiguration"
    catalogue = True

    async def make(self, caller: Caller, document: Document) -> Resource:
        """Return the new configuration. Raises Invalid for one that is not whole."""
        check_configuration(document, self.room.policy.least_memory)
        return new_resource(self.kind, caller.user, document)

    async def change(
        self, caller: Caller, resource: Resource, document: Document, selected: frozenset[str] | None
    ) -> Resource:
        """Return the configuration after the edit. Raises Invalid for one that is not whole."""
        changed = await super().change(caller, resource, document, selected)
        check_configuration(changed.document, self.room.policy.least_memory)
        return changed


def check_configuration(document: Document, least: int, where: str = "") -> None:
    """Raise Invalid for a configuration that is not whole, or has less than ``least`` KiB of memory.

    ``where`` is the way to the configuration in a larger document, ending in a dot.
    """
    for name in ("cpu", "memory"):
        if name not in document:
            raise Invalid("is missing", where + name)
    demand_memory(document["memory"], least, f"{where}memory")
    for place, disk in enumerate(document.get("disks", [])):
        if "capacity" not in disk:
            raise Invalid("is missing", f"{where}disks.{place}.capacity")

"""MachineConfigurations: stored, by value, and those that a fresh gateway ships (DSP0263 5.14.6).

Each has the memory at least that its guest needs: with less that is killed, or never starts. Clients of 1.x that take
``memory`` for MiB or GiB would shrink a running guest to a few KiB.
"""

from __future__ import annotations

from gateway.errors import Invalid
from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.resource_service import ResourceService, new_resource
from gateway.store.model import Document, Query, Resource
from gateway.store.store import Store

PROPERTY = "leastMemory"
"""Property of a MachineImage: KiB that its guests need, in place of the configuration's."""
LONGEST_NUMBER = 12


MIB = 1024
GIGABYTE = 1_000_000
CONFIGURATIONS: tuple[Document, ...] = (
    {"name": "tiny", "description": "1 cpu, 256 MiB", "cpu": 1, "memory": 256 * MIB},
    {"name": "small", "description": "1 cpu, 1 GiB", "cpu": 1, "memory": 1024 * MIB},
    {
        "name": "medium",
        "description": "2 cpus, 2 GiB, 20 GB disk",
        "cpu": 2,
        "memory": 2048 * MIB,
        "disks": [{"capacity": 20 * GIGABYTE, "format": "ext4"}],
    },
    {
        "name": "large",
        "description": "4 cpus, 8 GiB, 40 GB disk",
        "cpu": 4,
        "memory": 8192 * MIB,
        "disks": [{"capacity": 40 * GIGABYTE, "format": "ext4"}],
    },
)


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


def least_memory(configured: int, image: Resource | None) -> int:
    """Return the KiB that a Machine of an image needs: as the image's property says, else as configured.

    Raises Invalid for a property that is no number.
    """
    text = (image.document.get("properties") or {}).get(PROPERTY) if image is not None else None
    if text is None:
        return configured
    digits = text.strip()
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= LONGEST_NUMBER):
        raise Invalid(f"the image's property {PROPERTY} is {text[:40]!r}; it is a number of KiB", "machineImage")
    return int(digits)


def demand_memory(memory: int, least: int, where: str) -> None:
    """Raise Invalid, naming the attribute and its unit, for less than a Machine needs. ``memory`` is in KiB."""
    if memory < least:
        raise Invalid(
            f"{memory} KiB is less than the {least} KiB ({least / 1024:g} MiB) that a Machine needs at least; memory "
            "is a number of KiB (kibibytes): 1 GiB is 1048576",
            where,
        )


async def ship(store: Store) -> None:
    """Write the shipped configurations into a store that never had a Job or a configuration.

    Configurations that an admin deleted stay deleted.
    """
    if (await store.page(Query("MachineConfiguration", last=1))).count:
        return
    if (await store.page(Query("Job", last=1))).count:
        return
    async with store.transaction() as transaction:
        for document in CONFIGURATIONS:
            await transaction.insert(new_resource("MachineConfiguration", None, document))

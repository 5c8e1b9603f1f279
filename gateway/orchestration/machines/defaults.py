"""The MachineConfigurations that a fresh gateway ships, seen by all and changed by admins."""

from __future__ import annotations

from gateway.orchestration.common.resource_service import new_resource
from gateway.store.model import Document, Query
from gateway.store.store import Store

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


async def ship(store: Store) -> None:
    """Write the configurations into a store that never had a Job or a configuration.

    Configurations that an admin deleted stay deleted.
    """
    if (await store.page(Query("MachineConfiguration", last=1))).count:
        return
    if (await store.page(Query("Job", last=1))).count:
        return
    async with store.transaction() as transaction:
        for document in CONFIGURATIONS:
            await transaction.insert(new_resource("MachineConfiguration", None, document))

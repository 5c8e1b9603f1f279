"""ResourceMetadata and the Cloud Entry Point: derived, or kept as one record (DSP0263 5.11, 5.12)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from gateway import clock
from gateway.cimi.metadata import describe
from gateway.cimi.registry import CLOUD_ENTRY_POINT, TYPES
from gateway.cimi.resource_type import ResourceType
from gateway.errors import NotFound
from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.matching import page_of
from gateway.orchestration.common.permissions import demand
from gateway.orchestration.common.resource_service import ResourceService
from gateway.orchestration.common.room import Room
from gateway.store.model import Document, Page, Query, Resource

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


class ResourceMetadataService(ResourceService):
    """The service of ResourceMetadata: one entry per served type, at ``resourceMetadata/<Kind>``.

    The entries change with the program only.
    """

    kind = "ResourceMetadata"

    def __init__(self, room: Room) -> None:
        super().__init__(room)
        shared = any(pool.shareable for settings in room.hypervisors.values() for pool in settings.every_pool)
        policy = room.policy
        values: dict[str, Any] = {
            "JobRetention": policy.retention_minutes,
            "LeastSampleInterval": policy.sample_period,
            "SharedVolumeSupport": shared,
        }
        self._entries = {
            f"{self.type.segment}/{declared.kind}": Resource(
                path=f"{self.type.segment}/{declared.kind}",
                kind=self.kind,
                project=None,
                document=_described(declared, values, old_clients=policy.deltacloud),
                created=EPOCH,
                updated=EPOCH,
            )
            for declared in _in_order(old_clients=policy.deltacloud)
        }

    async def read(self, caller: Caller, path: str) -> Resource:
        """Return the entry at the path. Raises NotFound."""
        demand(caller.role, self.kind, "read")
        if path not in self._entries:
            raise NotFound(f"there is no ResourceMetadata {path[:200]}")
        return self._entries[path]

    async def list(self, caller: Caller, query: Query) -> Page:
        """Return the page of the entries that the query asks for."""
        demand(caller.role, self.kind, "read")
        return page_of(self._entries.values(), query)


def _in_order(*, old_clients: bool) -> list[ResourceType]:
    """Return the types as they are listed; Machine first for clients of 1.0, which look at the first entry only."""
    return sorted(TYPES.values(), key=lambda declared: old_clients and declared.kind != "Machine")


def _described(declared: ResourceType, values: dict[str, Any], *, old_clients: bool) -> Document:
    document = describe(declared, values)
    return {**document, "typeUri": document["typeURI"]} if old_clients else document


class CloudEntryPointService(ResourceService):
    """The service of the Cloud Entry Point."""

    kind = "CloudEntryPoint"

    async def ensure(self) -> None:
        """Make the record at the first start; an admin may rename it later."""
        if await self.store.get(CLOUD_ENTRY_POINT.segment) is None:
            now = clock.now()
            document: Document = {"name": "cimi-gateway", "description": "CIMI on libvirt"}
            async with self.store.transaction() as transaction:
                await transaction.insert(Resource(CLOUD_ENTRY_POINT.segment, self.kind, None, document, now, now))

"""Samples as clients see them: made by the gateway, read only (DSP0263 5.18.2)."""

from __future__ import annotations

from gateway.errors import NotFound
from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.permissions import demand
from gateway.orchestration.common.resource_service import ResourceService
from gateway.store.model import Page, Query, Resource

LONGEST = 15


class SampleService(ResourceService):
    """Who sees a Meter sees its samples."""

    kind = "Sample"

    async def read(self, caller: Caller, path: str) -> Resource:
        demand(caller.role, self.kind, "read")
        meter, _, moment = path.rpartition("/samples/")
        owner = await self.store.get(meter)
        found = None
        known = owner is not None and owner.kind == "Meter" and await self.seen(caller, owner)
        if known and moment.isascii() and moment.isdecimal() and len(moment) <= LONGEST:
            found = await self.store.sample(meter, int(moment))
        if found is None:
            raise NotFound(f"there is no Sample {path[:200]}")
        return found

    def operations(self, caller: Caller, resource: Resource) -> tuple[str, ...]:
        return ()

    async def list(self, caller: Caller, query: Query) -> Page:
        """Whether the caller sees the Meter has been looked at on the way here."""
        demand(caller.role, self.kind, "read")
        return await self.store.samples(query)

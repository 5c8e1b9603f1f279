"""Samples as clients see them: made by the gateway, read only (DSP0263 5.18.2)."""

from __future__ import annotations

from gateway.errors import NotFound
from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.permissions import demand
from gateway.orchestration.common.resource_service import ResourceService
from gateway.store.model import Page, Query, Resource

LONGEST = 15


class SampleService(ResourceService):
    """The service of Samples; who sees a Meter sees its samples."""

    kind = "Sample"
    computed = True

    async def read(self, caller: Caller, path: str) -> Resource:
        """Return the sample at the path, whose last part is its time in milliseconds. Raises NotFound."""
        demand(caller.role, self.kind, "read")
        meter, _, moment = path.rpartition("/samples/")
        owner = await self.store.get(meter)
        sample = None
        visible = owner is not None and owner.kind == "Meter" and await self.seen(caller, owner)
        if visible and moment.isascii() and moment.isdecimal() and len(moment) <= LONGEST:
            sample = await self.store.sample(meter, int(moment))
        if sample is None:
            raise NotFound(f"there is no Sample {path[:200]}")
        return sample

    def operations(self, caller: Caller, resource: Resource) -> tuple[str, ...]:
        """Return nothing: samples are only read."""
        return ()

    async def list(self, caller: Caller, query: Query) -> Page:
        """Return the page of samples; the way here has checked that the caller sees the Meter."""
        demand(caller.role, self.kind, "read")
        return await self.store.samples(query)

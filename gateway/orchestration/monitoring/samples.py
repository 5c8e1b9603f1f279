"""Samples as clients see them: made by the gateway, read only (DSP0263 5.18.2)."""

from __future__ import annotations

from gateway.orchestration.common.appended import AppendedService
from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.permissions import demand
from gateway.store.model import Page, Query, Resource


class SampleService(AppendedService):
    """The service of Samples, which their time in milliseconds names; who sees a Meter sees its samples."""

    kind = "Sample"
    owner_kind, segment, longest = "Meter", "samples", 15

    async def entry(self, owner: str, number: int) -> Resource | None:
        """Return the sample of a Meter at this time; None when there is none."""
        return await self.store.sample(owner, number)

    async def list(self, caller: Caller, query: Query) -> Page:
        """Return the page of samples; the way here has checked that the caller sees the Meter."""
        demand(caller.role, self.kind, "read")
        return await self.store.samples(query)

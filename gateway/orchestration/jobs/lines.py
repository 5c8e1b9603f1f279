"""The logs of Jobs as clients read them: an extension of this provider."""

from __future__ import annotations

from gateway.errors import NotFound
from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.permissions import demand
from gateway.orchestration.common.resource_service import ResourceService
from gateway.store.job_log import JOB_LOG
from gateway.store.model import Page, Query, Resource

LONGEST = 18
"""Digits of a line's number."""


class JobLineService(ResourceService):
    """The service of JobLines; who sees a Job sees its log."""

    kind = "JobLine"
    computed = True

    async def read(self, caller: Caller, path: str) -> Resource:
        """Return the line at the path, whose last part is its number. Raises NotFound."""
        demand(caller.role, self.kind, "read")
        job, _, number = path.rpartition("/log/")
        owner = await self.store.get(job)
        line = None
        visible = owner is not None and owner.kind == "Job" and await self.seen(caller, owner)
        if visible and number.isascii() and number.isdecimal() and len(number) <= LONGEST:
            line = await self.store.entry(JOB_LOG, job, int(number))
        if line is None:
            raise NotFound(f"there is no JobLine {path[:200]}")
        return line

    def operations(self, caller: Caller, resource: Resource) -> tuple[str, ...]:
        """Return nothing: lines are only read."""
        return ()

    async def list(self, caller: Caller, query: Query) -> Page:
        """Return the page of lines; the way here has checked that the caller sees the Job."""
        demand(caller.role, self.kind, "read")
        return await self.store.series(JOB_LOG, query)

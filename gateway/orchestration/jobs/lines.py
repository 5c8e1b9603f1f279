"""The logs of Jobs as clients read them: an extension of this provider."""

from __future__ import annotations

from gateway.orchestration.common.appended import AppendedService
from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.permissions import demand
from gateway.store.job_log import JOB_LOG
from gateway.store.model import Page, Query, Resource


class JobLineService(AppendedService):
    """The service of JobLines; who sees a Job sees its log."""

    kind = "JobLine"
    owner_kind, segment, longest = "Job", "log", 18

    async def entry(self, owner: str, number: int) -> Resource | None:
        """Return the line of a Job with this number; None when there is none."""
        return await self.store.entry(JOB_LOG, owner, number)

    async def list(self, caller: Caller, query: Query) -> Page:
        """Return the page of lines; the way here has checked that the caller sees the Job."""
        demand(caller.role, self.kind, "read")
        return await self.store.series(JOB_LOG, query)

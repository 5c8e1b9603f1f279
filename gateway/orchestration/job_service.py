"""Jobs as clients see them (DSP0263 5.20)."""

from __future__ import annotations

from typing import Any

from gateway.errors import Conflict, MethodNotAllowed
from gateway.jobs.records import ended
from gateway.orchestration.permissions import granted
from gateway.orchestration.resources import ResourceService
from gateway.orchestration.service import Caller, Outcome
from gateway.orchestration.visibility import changeable
from gateway.store.model import Resource

PATIENCE = 30.0


class JobService(ResourceService):
    kind = "Job"

    def operations(self, caller: Caller, resource: Resource) -> tuple[str, ...]:
        verbs = super().operations(caller, resource)
        running = changeable(caller, resource) and resource.state in ("QUEUED", "RUNNING")
        return (*verbs, "stop") if running and granted(caller.role, self.kind, "stop") else verbs

    async def act(self, caller: Caller, path: str, action: str, document: dict[str, Any]) -> Outcome:
        if action != "stop":
            raise MethodNotAllowed(f"a Job has no action {action[:60]}", ("GET", "HEAD", "PUT", "DELETE"))
        job = await self.to_change(caller, path, "stop")
        if job.state == "STOPPING":
            raise Conflict("the Job is being stopped already")
        await self.room.runner.stop(path, f"stopped by {caller.user}")
        return Outcome(await self.store.get(path), path, finished=False)

    async def may_go(self, resource: Resource) -> None:
        """A running Job is stopped first; one that does not stop in time is a Conflict."""
        if ended(resource):
            return
        await self.room.runner.stop(resource.path, "stopped because it was deleted")
        if not ended(await self.room.runner.wait(resource.path, PATIENCE)):
            raise Conflict("the Job is still being stopped; delete it later")

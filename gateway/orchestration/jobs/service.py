"""Jobs as clients see them (DSP0263 5.20)."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from gateway.errors import Conflict, MethodNotAllowed, NotFound
from gateway.jobs.records import ended
from gateway.orchestration.common.contract import Caller, Outcome, Readable
from gateway.orchestration.common.permissions import changeable, granted
from gateway.orchestration.common.resource_service import ResourceService
from gateway.orchestration.systems.facts import KeptExport
from gateway.orchestration.systems.packages.export_steps import StoredPackage
from gateway.orchestration.systems.packages.folder import Folder
from gateway.store.model import Resource

PATIENCE = 30.0


def has_package(job: Resource) -> bool:
    """Return whether the Job has a package to be read."""
    exported = job.document.get("action") == "export" and job.state == "SUCCESS"
    return exported and not KeptExport.of(job).delivered


@dataclass(frozen=True, slots=True)
class PackageFile:
    """The package that an export has written, as a file that is given as a whole only."""

    package: StoredPackage
    tag: str | None = None

    @property
    def name(self) -> str:
        """Return the name of the file."""
        return f"{self.package.name}.ova"

    @property
    def size(self) -> int:
        """Return the number of its bytes."""
        return self.package.size

    def pieces(self, _offset: int, _length: int) -> AsyncGenerator[bytes, None]:
        """Yield the whole archive."""
        return self.package.pieces()


class JobService(ResourceService):
    """The service of Jobs."""

    kind = "Job"

    def operations(self, caller: Caller, resource: Resource) -> tuple[str, ...]:
        """Return the operations legal now: ``package`` after an export, ``stop`` while the Job is QUEUED or RUNNING."""
        verbs = super().operations(caller, resource)
        exported = changeable(caller, resource) and has_package(resource)
        if exported and granted(caller.role, self.kind, "package"):
            verbs = (*verbs, "package")
        running = changeable(caller, resource) and resource.state in ("QUEUED", "RUNNING")
        return (*verbs, "stop") if running and granted(caller.role, self.kind, "stop") else verbs

    async def act(self, caller: Caller, path: str, action: str, document: dict[str, Any]) -> Outcome:
        """Stop the Job. Raises MethodNotAllowed for another action, and Conflict for a Job that is being stopped."""
        if action != "stop":
            raise MethodNotAllowed(f"a Job has no action {action[:60]}", ("GET", "HEAD", "PUT", "DELETE"))
        job = await self.to_change(caller, path, "stop")
        if job.state == "STOPPING":
            raise Conflict("the Job is being stopped already")
        await self.room.runner.stop(path, f"stopped by {caller.user}")
        return Outcome(await self.store.get(path), path, finished=False)

    async def readable(self, caller: Caller, path: str, action: str, parameters: Mapping[str, str]) -> Readable:
        """Return the package that the Job has written. Raises NotFound, and Conflict while it is at work."""
        return PackageFile(await self.package(caller, path))

    async def package(self, caller: Caller, path: str) -> StoredPackage:
        """Return the package that an export has written. Raises NotFound, and Conflict while the Job is at work."""
        job = await self.to_change(caller, path, "package")
        if job.document.get("action") != "export":
            raise NotFound("this Job makes no package")
        if not ended(job):
            raise Conflict("the package is not written yet; wait for the Job")
        stored = await StoredPackage.in_folder(Folder(self.room.images.staging, path))
        if stored is None:
            raise NotFound("there is no package: the Job failed, or has put it at its destination")
        return stored

    async def delete(self, caller: Caller, path: str, version: int | None) -> Outcome:
        """Delete the Job together with its package; one that has not ended is stopped first.

        Raises Conflict when the Job does not stop within PATIENCE seconds, and what ``may_go`` raises.
        """
        job = await self.to_change(caller, path, "delete", version)
        await self.may_go(job)
        if not ended(job):
            await self._stop(job)
            version = None
        outcome = await super().delete(caller, path, version)
        await asyncio.to_thread(shutil.rmtree, Folder(self.room.images.staging, path).path, True)
        return outcome

    async def may_go(self, resource: Resource) -> None:
        """Raise Conflict while the Job that it is a part of is at work."""
        parent = await self.store.get(resource.document.get("parentJob", {}).get("href", ""))
        if parent is not None and not ended(parent):
            raise Conflict(f"the Job is a part of {parent.path}, which has not ended; delete it later")

    async def _stop(self, job: Resource) -> None:
        """Stop the Job, and wait until it has ended; one that ends by itself meanwhile is as good."""
        with suppress(Conflict):
            await self.room.runner.stop(job.path, "stopped because it was deleted")
        if not ended(await self.room.runner.wait(job.path, PATIENCE)):
            raise Conflict("the Job is still being stopped; delete it later")

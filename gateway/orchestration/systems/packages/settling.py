"""The last step of every Job on a package."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass

from gateway.jobs.plan import Ended, StepContext
from gateway.orchestration.common.room import Room
from gateway.orchestration.systems.packages.sources import PackageSource, SourceKind
from gateway.orchestration.systems.packages.step import PackageAt, PackageStep


@dataclass(frozen=True)
class SettlePackage(PackageStep):
    """The step that clears the staging directory, but for a package that waits for its download."""

    name = "settle package"
    keep: bool
    """The package stays in the folder after a success."""
    source: PackageSource | None = None
    """The place that an import has its package from."""

    async def settle_in(self, room: Room, job: StepContext, ended: Ended) -> None:
        """Remove what the Job has put down."""
        room.promises.drop(job.job)
        # On disk, so that no power cut brings the job back to a step that needs what goes now.
        await job.log("what the job put down is removed", durable=True)
        if not (self.keep and ended.succeeded):
            await asyncio.to_thread(shutil.rmtree, PackageAt(room, job).folder().path, True)
        if self.source is not None and self.source.kind is SourceKind.UPLOAD:
            await asyncio.to_thread(shutil.rmtree, self.source.path.parent, True)

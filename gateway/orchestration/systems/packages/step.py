"""What the steps of a package's import have in common."""

from __future__ import annotations

from typing import Any

from gateway.jobs.plan import Ended, StepContext
from gateway.orchestration.common.resource_service import Room
from gateway.orchestration.common.tries import TriedPackageReader, Tries
from gateway.orchestration.systems.packages.folder import Folder
from gateway.ovf.package import PackageReader

Arguments = dict[str, Any]
IMAGES = "images.json"
"""What became of the package's files: the paths of images."""


class PackageStep:
    name = ""

    def __init__(self, room: Room) -> None:
        self.room = room

    def folder(self, context: StepContext) -> Folder:
        return Folder(self.room.images.staging, context.job)

    def reader(self, context: StepContext) -> PackageReader:
        """Return who reads what the package says, and tries no more than twice what it dies of."""
        return TriedPackageReader(self.room.images.packages, Tries(self.room.store, context.job))

    async def run(self, context: StepContext, arguments: Arguments) -> None:
        raise NotImplementedError

    async def undo(self, context: StepContext, arguments: Arguments) -> None:
        """What lies in the folder goes when the Job is settled."""

    async def settle(self, context: StepContext, arguments: Arguments, ended: Ended) -> None:
        """Settle as ``run`` does, which is told how the plan ended among its arguments."""
        await self.run(context, {**arguments, "succeeded": ended.succeeded, "left": ended.left})

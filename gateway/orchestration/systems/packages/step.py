"""The common part of the steps of Jobs on packages."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.jobs.plan import StepContext
from gateway.orchestration.common.room import Room
from gateway.orchestration.common.step import Step
from gateway.orchestration.common.tries import TriedPackageReader, Tries
from gateway.orchestration.systems.packages.folder import Folder
from gateway.ovf.package import PackageReader


@dataclass(frozen=True, slots=True)
class PackageAt:
    """The place where a PackageStep works: the Job, and what it has put down."""

    room: Room
    job: StepContext

    def folder(self) -> Folder:
        """Return the folder of the Job."""
        return Folder(self.room.images.staging, self.job.job)

    def reader(self) -> PackageReader:
        """Return who reads what the package says, and tries no more than twice what it dies of."""
        return TriedPackageReader(self.room.images.packages, Tries(self.room.store, self.job.job))


@dataclass(frozen=True)
class PackageStep(Step):
    """A step of an import or export."""

    async def run(self, at: PackageAt) -> None:
        """Do the step."""
        await super().run_in(at.room, at.job)

    async def undo(self, at: PackageAt) -> None:
        """Take back what the step has done. The folder goes when the Job is settled."""

    async def run_in(self, room: Room, job: StepContext) -> None:
        """Do the step."""
        await self.run(PackageAt(room, job))

    async def undo_in(self, room: Room, job: StepContext) -> None:
        """Take back what the step has done."""
        await self.undo(PackageAt(room, job))

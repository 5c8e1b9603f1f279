"""The common part of the steps of a System's Jobs: each only asks the families."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.jobs.plan import StepContext
from gateway.orchestration.common.contract import Asker, Caller
from gateway.orchestration.common.room import Room
from gateway.orchestration.common.step import Step
from gateway.orchestration.systems.nested import stop_nested
from gateway.store.model import Resource


@dataclass(frozen=True, slots=True)
class SystemAt:
    """The place where a SystemStep works: its System, the Job, and who asks the families for the parts."""

    room: Room
    system: Resource
    job: StepContext
    caller: Caller


@dataclass(frozen=True)
class SystemStep(Step):
    """A step on one System. While it waits for the nested Jobs it holds no worker's place: they may need it."""

    resource: str
    """Path of the System."""
    caller: Asker

    async def run(self, at: SystemAt) -> None:
        """Do the step."""
        await super().run_in(at.room, at.job)

    async def undo(self, at: SystemAt) -> None:
        """Take nothing back of what was done to components that stay: the System shows what they are."""

    async def run_in(self, room: Room, job: StepContext) -> None:
        """Do the step, unless the System is gone."""
        system = await room.store.get(self.resource)
        if system is not None:
            async with job.resting():
                await self.run(self._at(room, system, job))

    async def undo_in(self, room: Room, job: StepContext) -> None:
        """Stop what is at work for the step, and take back what was done."""
        system = await room.store.get(self.resource)
        async with job.resting():
            await stop_nested(room, job.job)
            if system is not None:
                await self.undo(self._at(room, system, job))

    def _at(self, room: Room, system: Resource, job: StepContext) -> SystemAt:
        return SystemAt(room, system, job, self.caller.caller(job.job))

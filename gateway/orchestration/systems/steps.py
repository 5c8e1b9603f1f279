"""The steps of a System's Jobs. Each may be run again after a crash."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.jobs.plan import Ended, StepContext
from gateway.orchestration.common.room import Room
from gateway.orchestration.common.step import Step
from gateway.orchestration.systems.acting import ComponentMover
from gateway.orchestration.systems.blueprint import Component
from gateway.orchestration.systems.commit_rule import derive
from gateway.orchestration.systems.making import ComponentMaker
from gateway.orchestration.systems.nested import nested_jobs, wait_for_nested
from gateway.orchestration.systems.step import SystemAt, SystemStep
from gateway.orchestration.systems.unmaking import ComponentRemover
from gateway.store.model import Document


@dataclass(frozen=True)
class MakeComponents(SystemStep):
    """The step that creates all components of a new System, each by its family."""

    name = "make components"
    components: tuple[Component, ...]

    async def run(self, at: SystemAt) -> None:
        """Make the components, or go on with it."""
        await ComponentMaker(at, self.components).run()

    async def undo(self, at: SystemAt) -> None:
        """Remove the components that were made."""
        await ComponentRemover(at).run()


@dataclass(frozen=True)
class ActOnComponents(SystemStep):
    """The step that does an action on all Machines, each by its family."""

    name = "act on components"
    action: str
    document: Document
    """The checked Action document."""

    async def run(self, at: SystemAt) -> None:
        """Move the Machines, or go on with it."""
        await ComponentMover(at, self.action, self.document).run()


@dataclass(frozen=True)
class DeleteComponents(SystemStep):
    """The step that deletes all components that the System owns, each by its family."""

    name = "delete components"

    async def run(self, at: SystemAt) -> None:
        """Remove the components, or go on with it."""
        await wait_for_nested(at.room, await nested_jobs(at.room, at.job.job))
        await ComponentRemover(at).run()


@dataclass(frozen=True)
class SettleSystem(Step):
    """The step that leaves a System's record in its true state.

    A failed create and a done delete remove the System; everything else leaves it as its Machines are. A System whose
    create could not be undone stays in ERROR, so that what is left can be seen, and deleted.
    """

    name = "settle system"
    resource: str
    """Path of the System."""
    action: str

    async def settle_in(self, room: Room, job: StepContext, ended: Ended) -> None:
        """Remove the System, or let it say how its Machines are."""
        unmade = self.action == ("delete" if ended.succeeded else "add")
        async with room.store.transaction() as transaction:
            system = await transaction.get(self.resource)
            if system is None:
                return
            if unmade and not ended.left:
                await transaction.delete(system.path)
                return
            # What its Machines are is written after this: it only has to be no state of the System's own life.
            state = "ERROR" if unmade else "MIXED"
            await transaction.update(system.with_document(state=state).released())
            await derive(transaction, system.path)


SYSTEM_STEPS: tuple[type[Step], ...] = (MakeComponents, ActOnComponents, DeleteComponents, SettleSystem)

"""The steps of a System's Jobs. Each only asks the families, and may be run again after a crash."""

from __future__ import annotations

from typing import Any

from gateway.errors import GatewayError
from gateway.jobs.plan import Ended, StepContext
from gateway.orchestration.common.resource_service import Room
from gateway.orchestration.systems.acting import ComponentMover
from gateway.orchestration.systems.keeper import derive
from gateway.orchestration.systems.making import ComponentMaker
from gateway.orchestration.systems.nested import nested_jobs, stop_nested, wait_for_nested
from gateway.orchestration.systems.unmaking import ComponentRemover
from gateway.store.model import Resource

Arguments = dict[str, Any]


class SystemStep:
    """While it waits for the nested Jobs it holds no worker's place: they may need it."""

    name = ""

    def __init__(self, room: Room) -> None:
        self.room = room

    async def run(self, context: StepContext, arguments: Arguments) -> None:
        system = await self.room.store.get(arguments["resource"])
        if system is not None:
            async with context.resting():
                await self.do(context, system, arguments)

    async def undo(self, context: StepContext, arguments: Arguments) -> None:
        system = await self.room.store.get(arguments["resource"])
        async with context.resting():
            await stop_nested(self.room, context.job)
            if system is not None:
                await self.revert(context, system, arguments)

    async def do(self, context: StepContext, system: Resource, arguments: Arguments) -> None:
        raise GatewayError(f"the step {self.name} does nothing")

    async def revert(self, context: StepContext, system: Resource, arguments: Arguments) -> None:
        """What was done to components that stay is not taken back: the System shows what they are."""

    async def settle(self, context: StepContext, arguments: Arguments, ended: Ended) -> None:
        """Settle as ``run`` does, which is told how the plan ended among its arguments."""
        await self.run(context, {**arguments, "succeeded": ended.succeeded, "left": ended.left})


class MakeComponents(SystemStep):
    name = "make components"

    async def do(self, context: StepContext, system: Resource, arguments: Arguments) -> None:
        await ComponentMaker(self.room, context, system, arguments).run()

    async def revert(self, context: StepContext, system: Resource, arguments: Arguments) -> None:
        await ComponentRemover(self.room, context, system.path, arguments).run()


class ActOnComponents(SystemStep):
    name = "act on components"

    async def do(self, context: StepContext, system: Resource, arguments: Arguments) -> None:
        await ComponentMover(self.room, context, system.path, arguments).run()


class DeleteComponents(SystemStep):
    name = "delete components"

    async def do(self, context: StepContext, system: Resource, arguments: Arguments) -> None:
        await wait_for_nested(self.room, await nested_jobs(self.room, context.job))
        await ComponentRemover(self.room, context, system.path, arguments).run()


class SettleSystem:
    """A failed create and a done delete remove the System; everything else leaves it as its Machines are.

    One whose create could not be undone stays in ERROR, so that what is left can be seen, and deleted.
    """

    name = "settle system"

    def __init__(self, room: Room) -> None:
        self.room = room

    async def run(self, context: StepContext, arguments: Arguments) -> None:
        action, succeeded = arguments["action"], arguments["succeeded"]
        unmade = action == ("delete" if succeeded else "add")
        async with self.room.store.transaction() as transaction:
            system = await transaction.get(arguments["resource"])
            if system is None:
                return
            if unmade and not arguments["left"]:
                await transaction.delete(system.path)
                return
            # What its Machines are is written after this: it only has to be no state of the System's own life.
            state = "ERROR" if unmade else "MIXED"
            await transaction.update(system.with_document(state=state).released())
            await derive(transaction, system.path)

    async def undo(self, context: StepContext, arguments: Arguments) -> None:
        """It is never undone: it says how things are."""

    async def settle(self, context: StepContext, arguments: Arguments, ended: Ended) -> None:
        """Settle as ``run`` does, which is told how the plan ended among its arguments."""
        await self.run(context, {**arguments, "succeeded": ended.succeeded, "left": ended.left})


SYSTEM_STEPS: tuple[type[SystemStep | SettleSystem], ...] = (
    MakeComponents,
    ActOnComponents,
    DeleteComponents,
    SettleSystem,
)

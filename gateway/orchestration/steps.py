"""What the steps that move a hypervisor have in common."""

from __future__ import annotations

import time
from typing import Any

from drivers.base import Driver, DriverBusy, DriverUnavailable
from gateway.errors import GatewayError
from gateway.jobs.plan import StepContext, Superseded
from gateway.orchestration.resources import Room
from gateway.store.model import Resource

PATIENCE = 60.0
"""Seconds that a step waits for a hypervisor which is away, or busy with another's call, before it fails."""
PAUSE = 0.5


class DriverStep:
    """A step on the resource named in its arguments; tried again while the hypervisor is away."""

    name = ""

    def __init__(self, room: Room) -> None:
        self.room = room

    async def run(self, context: StepContext, arguments: dict[str, Any]) -> None:
        await self._patiently(context, arguments, self.do)

    async def undo(self, context: StepContext, arguments: dict[str, Any]) -> None:
        await self._patiently(context, arguments, self.revert)

    async def _patiently(self, context: StepContext, arguments: dict[str, Any], work: Any) -> None:
        resource = await self.room.store.get(arguments["resource"])
        if resource is None:
            return
        until = time.monotonic() + PATIENCE
        while True:
            try:
                await work(context, resource, self.room.driver(resource), arguments)
                return
            except (DriverUnavailable, DriverBusy) as error:
                if time.monotonic() > until:
                    raise
                await context.log(f"waits for the hypervisor: {error}", "warning")
            if await context.wait_stop(PAUSE):
                raise Superseded

    async def do(self, context: StepContext, resource: Resource, driver: Driver, arguments: dict[str, Any]) -> None:
        raise GatewayError(f"the step {self.name} does nothing")

    async def revert(
        self, context: StepContext, resource: Resource, driver: Driver, arguments: dict[str, Any]
    ) -> None:
        """Most steps that change a state have nothing to take back: settling tells the truth."""

"""What the steps that move a hypervisor have in common."""

from __future__ import annotations

import time
from typing import Any

from drivers.base import Driver, DriverBusy, DriverUnavailable
from gateway.errors import GatewayError
from gateway.jobs.plan import Ended, StepContext, Superseded
from gateway.orchestration.common.resource_service import Room
from gateway.orchestration.common.step import LOOK_EVERY, PATIENCE, PAUSE, unless_stopped
from gateway.orchestration.common.unconfigured import for_delete, is_configured
from gateway.store.model import Resource

__all__ = ["LOOK_EVERY", "PATIENCE", "PAUSE", "DriverStep", "unless_stopped"]


class DriverStep:
    """A step on the resource named in its arguments; tried again while the hypervisor is away."""

    name = ""
    leaves: str | None = None
    """What stays on a host without entry when this step of a delete has nothing to do there; empty: nothing to tell.
    None for a step that cannot be done without its host.
    """

    def __init__(self, room: Room) -> None:
        self.room = room

    async def run(self, context: StepContext, arguments: dict[str, Any]) -> None:
        await self._patiently(context, arguments, self.do)

    async def undo(self, context: StepContext, arguments: dict[str, Any]) -> None:
        await self._patiently(context, arguments, self.revert)

    async def settle(self, context: StepContext, arguments: dict[str, Any], ended: Ended) -> None:
        """Settle as ``do`` does, which is told how the plan ended among its arguments."""
        await self.run(context, {**arguments, "succeeded": ended.succeeded, "left": ended.left})

    async def _patiently(self, context: StepContext, arguments: dict[str, Any], work: Any) -> None:
        resource = await self.room.store.get(arguments["resource"])
        if resource is None:
            return
        driver = self.room.driver(resource)
        if not is_configured(driver):
            driver = await self._without_host(context, resource, driver, arguments)
        until = time.monotonic() + PATIENCE
        while True:
            began = time.monotonic()
            try:
                await work(context, resource, driver, arguments)
                return
            except (DriverUnavailable, DriverBusy) as error:
                now = time.monotonic()
                if not is_configured(driver):
                    # No entry comes back while the gateway runs.
                    raise
                if now - began > PATIENCE:
                    # Long work that broke off: only the time in which nothing works counts.
                    until = now + PATIENCE
                if now > until:
                    raise
                await context.log(f"waits for the hypervisor: {error}", "warning")
            if await context.wait_stop(PAUSE):
                raise Superseded

    def is_removal(self, arguments: dict[str, Any]) -> bool:
        """Return whether this is part of a delete, which goes on where the host has no entry."""
        return self.leaves is not None

    async def _without_host(
        self, context: StepContext, resource: Resource, driver: Driver, arguments: dict[str, Any]
    ) -> Driver:
        """Return what the step works on instead of the host, and say in the Job's log what stays there."""
        if not self.is_removal(arguments):
            return driver
        if self.leaves:
            told = f"{driver.name} is not in the configuration: {self.leaves} of {resource.path} stays there, if it is"
            await context.log(told, "warning")
        return for_delete(driver)

    async def do(self, context: StepContext, resource: Resource, driver: Driver, arguments: dict[str, Any]) -> None:
        raise GatewayError(f"the step {self.name} does nothing")

    async def revert(self, context: StepContext, resource: Resource, driver: Driver, arguments: dict[str, Any]) -> None:
        """Most steps that change a state have nothing to take back: settling tells the truth."""

"""A step of a plan is a frozen dataclass of its arguments, with what it does and how that is undone.

``Step`` is what every step is; ``ResourceStep`` works on one resource and its host, and is tried again while the host
is away. The JSON of a plan (``StepCall``) is made and read by ``durable`` alone: plans of earlier versions still run.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any, ClassVar, TypeVar

from drivers.base import Driver, DriverBusy, DriverUnavailable
from gateway.errors import GatewayError
from gateway.jobs.plan import Ended, StepCall, StepContext, StopRequested
from gateway.orchestration.common.hosts import for_delete, is_configured
from gateway.orchestration.common.room import Room
from gateway.store.durable import from_document, to_document
from gateway.store.model import Document, Resource

PATIENCE = 60.0
"""Seconds that a step waits for a hypervisor which is away, or busy with another's call, before it fails."""
PAUSE = 0.5
"""Seconds between two tries."""
LOOK_EVERY = 0.3
"""Seconds between two looks whether a job is to stop."""
T = TypeVar("T")


@dataclass(frozen=True)
class Step:
    """A step of a plan, whose fields are its arguments. Each coroutine may be run again after a crash."""

    name: ClassVar[str]
    """The name of the step in plans on disk, which stands for this step for ever."""
    weight: ClassVar[int] = 1
    """The step's share of a plan's progress."""

    def call(self) -> StepCall:
        """Return the step as plans keep it."""
        return StepCall(self.name, to_document(self), self.weight)

    async def run_in(self, room: Room, job: StepContext) -> None:
        """Do the step. Raises GatewayError for a step that only settles."""
        raise GatewayError(f"the step {self.name} does nothing")

    async def undo_in(self, room: Room, job: StepContext) -> None:
        """Take back what the step has done.

        Most steps that change a state take nothing back: the step that settles shows the state as it is.
        """

    async def settle_in(self, room: Room, job: StepContext, ended: Ended) -> None:
        """Leave the resources in a truthful state after the plan's other steps.

        Raises GatewayError for a step that does not settle.
        """
        raise GatewayError(f"the step {self.name} does not settle")


@dataclass(frozen=True, slots=True)
class Weighed:
    """A step of a plan that has a multiple of the share in its progress that steps of its kind have."""

    step: Step
    times: int

    def call(self) -> StepCall:
        """Return the step as plans keep it."""
        return replace(self.step.call(), weight=self.step.weight * self.times)


@dataclass(frozen=True, slots=True)
class At:
    """The place where a ResourceStep works: its resource, the driver of the resource's host, and the Job."""

    room: Room
    resource: Resource
    driver: Driver
    job: StepContext


@dataclass(frozen=True)
class ResourceStep(Step):
    """A step on one resource, which does nothing when the resource is gone.

    The step is tried again while the hypervisor is away.
    """

    leaves: ClassVar[str | None] = None
    """The name of what stays on a host without entry when this step of a delete has nothing to do there.
    The name is empty when there is nothing to tell, and None for a step that cannot be done without its host.
    """
    resource: str
    """Path of the resource."""

    async def run(self, at: At) -> None:
        """Do the step."""
        await super().run_in(at.room, at.job)

    async def undo(self, at: At) -> None:
        """Take back what the step has done."""

    async def settle(self, at: At, ended: Ended) -> None:
        """Leave the resource in a truthful state."""
        await super().settle_in(at.room, at.job, ended)

    def is_removal(self) -> bool:
        """Return whether the step is part of a delete, which goes on where the host has no entry."""
        return self.leaves is not None

    async def run_in(self, room: Room, job: StepContext) -> None:
        """Do the step on its resource, if that is there; wait for the hypervisor for PATIENCE seconds."""
        await self._patiently(room, job, self.run)

    async def undo_in(self, room: Room, job: StepContext) -> None:
        """Undo the step on its resource, if that is there; wait for the hypervisor for PATIENCE seconds."""
        await self._patiently(room, job, self.undo)

    async def settle_in(self, room: Room, job: StepContext, ended: Ended) -> None:
        """Settle the step's resource, if that is there; wait for the hypervisor for PATIENCE seconds."""

        async def work(at: At) -> None:
            await self.settle(at, ended)

        await self._patiently(room, job, work)

    async def _patiently(self, room: Room, job: StepContext, work: Callable[[At], Awaitable[None]]) -> None:
        resource = await room.store.get(self.resource)
        if resource is None:
            return
        driver = room.driver(resource)
        if not is_configured(driver):
            driver = await self._without_host(job, resource, driver)
        until = time.monotonic() + PATIENCE
        while True:
            began = time.monotonic()
            try:
                await work(At(room, resource, driver, job))
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
                await job.log(f"waits for the hypervisor: {error}", "warning")
            if await job.wait_stop(PAUSE):
                raise StopRequested

    async def _without_host(self, job: StepContext, resource: Resource, driver: Driver) -> Driver:
        """Return what the step works on instead of the host, and say in the Job's log what stays there."""
        if not self.is_removal():
            return driver
        if self.leaves:
            words = f"{driver.name} is not in the configuration: {self.leaves} of {resource.path} stays there, if it is"
            await job.log(words, "warning")
        return for_delete(driver)


class RegisteredStep:
    """A kind of step as the jobs engine runs it by its name: the arguments come as JSON."""

    def __init__(self, kind: type[Step], room: Room) -> None:
        self.name = kind.name
        self._kind = kind
        self._room = room

    async def run(self, context: StepContext, arguments: Document) -> None:
        """Run the step of these arguments."""
        await from_document(arguments, self._kind).run_in(self._room, context)

    async def undo(self, context: StepContext, arguments: Document) -> None:
        """Undo the step of these arguments."""
        await from_document(arguments, self._kind).undo_in(self._room, context)

    async def settle(self, context: StepContext, arguments: Document, ended: Ended) -> None:
        """Settle by the step of these arguments."""
        await from_document(arguments, self._kind).settle_in(self._room, context, ended)


async def unless_stopped(context: StepContext, work: Coroutine[Any, Any, T]) -> T:
    """Return the result of long work; cancel the work and raise StopRequested when the Job is asked to stop.

    StopRequested is raised, too, when the work is done before the next look at the Job: whoever stopped it in time is
    told of no success.
    """
    task = asyncio.ensure_future(work)
    try:
        while not (await asyncio.wait({task}, timeout=LOOK_EVERY))[0]:
            context.check()
        context.check()
        return task.result()
    except BaseException:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        raise

"""Makes the components of a System: each as soon as what it needs is there, by its own family's create."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from gateway.cimi.registry import type_of
from gateway.errors import GatewayError
from gateway.jobs.plan import StepContext
from gateway.orchestration.common.resource_service import Room
from gateway.orchestration.systems.blueprint import Component
from gateway.orchestration.systems.membership import Making
from gateway.orchestration.systems.nested import (
    caller_of,
    demand_success,
    nested_jobs,
    part_failed,
    service_of,
    shares_done,
    together,
    wait_for_nested,
)
from gateway.orchestration.systems.rehearsal import named_error
from gateway.orchestration.systems.symbols import placed
from gateway.store.model import Document, Resource

ASKED_AT_ONCE = 8
"""Creates that are looked at and written at the same time; their Jobs wait for workers like all others."""
REMOVED = "it was removed before the System was whole"


class ComponentMaker:
    """May be run again after a crash: what was made is found, and what was begun is waited for."""

    def __init__(self, room: Room, context: StepContext, system: Resource, arguments: Document) -> None:
        self.room = room
        self.context = context
        self.system = system
        self.caller = caller_of(arguments, context.job)
        self.components = [Component.of(document) for document in arguments["components"]]
        self._made = {component.key: asyncio.Event() for component in self.components}
        self._paths: dict[str, str] = {}
        self._jobs: dict[str, str] = {}
        self._asking = asyncio.Semaphore(ASKED_AT_ONCE)

    async def run(self) -> None:
        await self._demand_none_failed()
        works = [self._make(component) for component in self.components]
        await together(self.context, works, self._progress)

    async def _demand_none_failed(self) -> None:
        """After a restart: what a nested Job failed at before is not tried again."""
        begun = await nested_jobs(self.room, self.context.job)
        await together(self.context, [wait_for_nested(self.room, begun)], self._progress)
        for job in await nested_jobs(self.room, self.context.job):
            if job.state != "SUCCESS":
                raise named_error(part_failed(job), f"a component among the {job.document['targetResource']['href']}")

    def _progress(self) -> None:
        self.context.progress(round(1000 * shares_done(self.room, self._jobs)), 1000 * len(self.components))

    async def _make(self, component: Component) -> None:
        for key in component.needs:
            await self._made[key].wait()
        paths = {way: self._paths[key] for way, key in component.links}
        label = f"{component.kind} {component.label}"
        try:
            path, job = await self._ask(component, placed(component.document, paths))
            self._paths[component.key], self._jobs[component.key] = path, job
            await demand_success(self.room, job)
            if await self.room.store.get(path) is None:
                raise GatewayError(REMOVED)
        except GatewayError as error:
            raise named_error(error, label) from None
        self._made[component.key].set()

    async def _ask(self, component: Component, document: Document) -> tuple[str, str]:
        caller = replace(self.caller, once=Making(self.system, component))
        async with self._asking:
            service = service_of(self.room, component.kind)
            outcome = await service.add(caller, type_of(component.kind).segment, document)
        if outcome.resource is None:
            raise GatewayError(REMOVED)
        return outcome.resource.path, outcome.job

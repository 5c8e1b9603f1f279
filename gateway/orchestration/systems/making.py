"""Makes the components of a System: each as soon as what it needs is there, by its own family's create."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from gateway.cimi.registry import type_of
from gateway.errors import GatewayError
from gateway.orchestration.systems.blueprint import Component
from gateway.orchestration.systems.membership import Making
from gateway.orchestration.systems.nested import (
    demand_success,
    nested_jobs,
    part_failed,
    service_of,
    shares_done,
    together,
    wait_for_nested,
)
from gateway.orchestration.systems.rehearsal import named_error
from gateway.orchestration.systems.step import SystemAt
from gateway.orchestration.systems.symbols import placed
from gateway.store.model import Document

ASKED_AT_ONCE = 8
"""Creates that are looked at and written at the same time; their Jobs wait for workers like all others."""
REMOVED = "it was removed before the System was whole"


class ComponentMaker:
    """The making of one System's components.

    The work may be run again after a crash: what was made is found, and what was begun is waited for.
    """

    def __init__(self, at: SystemAt, components: tuple[Component, ...]) -> None:
        self.room = at.room
        self.context = at.job
        self.system = at.system
        self.caller = at.caller
        self.components = components
        self._made = {component.key: asyncio.Event() for component in components}
        self._paths: dict[str, str] = {}
        self._jobs: dict[str, str] = {}
        self._asking = asyncio.Semaphore(ASKED_AT_ONCE)

    async def run(self) -> None:
        """Make all components. Raises what the first that fails deserves, naming its descriptor."""
        await self._demand_none_failed()
        works = [self._make(component) for component in self.components]
        await together(self.context, works, self._progress)

    async def _demand_none_failed(self) -> None:
        """Raise what a nested Job failed at before a restart: it is not tried again."""
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

"""Running domains whose definition an admin took away: they are defined again, or stopping would lose the Machine."""

from __future__ import annotations

from typing import Any

import structlog

from drivers.base import DomainFacts, Driver, DriverNotFound
from gateway.jobs.plan import Plan, StepContext
from gateway.orchestration.common.resource_service import Room
from gateway.orchestration.common.steps import DriverStep
from gateway.orchestration.machine_core.plans import calls, uuid_of
from gateway.store.model import Resource

log = structlog.get_logger("sync")


class DefineAgain(DriverStep):
    name = "define domain again"

    async def do(self, context: StepContext, machine: Resource, driver: Driver, arguments: dict[str, Any]) -> None:
        try:
            await driver.keep_domain(uuid_of(machine))
        except DriverNotFound:
            await context.log("the domain stopped before it could be defined again", "warning")


class TransientDomains:
    """One Job for each time that a definition goes; under the Machine's lock, so that no delete comes between."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self._seen: set[str] = set()

    async def compare(self, machine: Resource, facts: DomainFacts) -> None:
        if facts.persistent:
            self._seen.discard(machine.path)
            return
        if machine.path in self._seen:
            return
        self._seen.add(machine.path)
        plan = Plan(
            action="edit",
            target=machine.path,
            owner=machine.owner or "",
            steps=calls(machine.path, (DefineAgain.name,)),
            locks=(machine.path,),
        )
        async with self.room.store.transaction() as transaction:
            job = await self.room.runner.submit(transaction, plan)
        log.warning("domain was undefined while it runs; it is defined again", machine=machine.path, job=job)

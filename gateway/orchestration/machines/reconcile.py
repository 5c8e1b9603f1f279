"""Running domains whose definition an admin took away: they are defined again, or stopping would lose the Machine."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from drivers.base import DomainFacts, DriverNotFound
from gateway.jobs.plan import Plan
from gateway.orchestration.common.resource_service import Room
from gateway.orchestration.common.step import At, ResourceStep
from gateway.orchestration.machine_core.names import machine_uuid
from gateway.store.model import Resource

log = structlog.get_logger("sync")


@dataclass(frozen=True)
class DefineAgain(ResourceStep):
    """The definition of a domain that runs without one."""

    name = "define domain again"

    async def run(self, at: At) -> None:
        try:
            await at.driver.keep_domain(machine_uuid(at.resource))
        except DriverNotFound:
            await at.job.log("the domain stopped before it could be defined again", "warning")


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
            steps=(DefineAgain(machine.path).call(),),
            locks=(machine.path,),
        )
        async with self.room.store.transaction() as transaction:
            job = await self.room.runner.submit(transaction, plan)
        log.warning("domain was undefined while it runs; it is defined again", machine=machine.path, job=job)

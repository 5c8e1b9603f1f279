"""Running domains whose definition an admin took away: they are defined again, or a stop would lose the Machine."""

from __future__ import annotations

import structlog

from drivers.base import DomainFacts
from gateway.jobs.plan import Plan
from gateway.orchestration.common.resource_service import Room
from gateway.orchestration.machines.steps import DefineAgain
from gateway.store.model import Resource

log = structlog.get_logger("sync")


class TransientDomains:
    """The domains that run without a definition.

    Each gets one Job, under the Machine's lock, so that no delete comes between.
    """

    def __init__(self, room: Room) -> None:
        self.room = room
        self._seen: set[str] = set()

    async def compare(self, machine: Resource, facts: DomainFacts) -> None:
        """Begin a Job that defines the domain again when it has lost its definition."""
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
            reason="its domain was undefined while it runs",
        )
        async with self.room.store.transaction() as transaction:
            job = await self.room.runner.submit(transaction, plan)
        log.warning("domain was undefined while it runs; it is defined again", machine=machine.path, job=job)

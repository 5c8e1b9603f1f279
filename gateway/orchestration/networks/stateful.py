"""The common part of Networks and NetworkPorts: a state, actions, and a job that holds them meanwhile."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from gateway.errors import Conflict, Invalid
from gateway.jobs.plan import Plan
from gateway.orchestration.common.contract import Caller, Outcome
from gateway.orchestration.common.hosts import demand_up
from gateway.orchestration.common.permissions import changeable, granted
from gateway.orchestration.common.resource_service import ResourceService
from gateway.orchestration.networks.facts import Stateful
from gateway.orchestration.networks.states import ACTIONS, TRANSIENT, legal
from gateway.store.model import Resource
from gateway.store.transaction import Transaction

ORDER = ("edit", "delete", "start", "stop")


class StatefulService(ResourceService, ABC):
    """A type with start, stop and delete by the table of states."""

    def operations(self, caller: Caller, resource: Resource) -> tuple[str, ...]:
        """Return what the caller may do to the resource in its state."""
        if not changeable(caller, resource):
            return ()
        now = legal(resource.state)
        return tuple(verb for verb in ORDER if verb in now and granted(caller.role, self.kind, verb))

    def must_be_legal(self, resource: Resource, verb: str) -> None:
        """Raise Conflict when the resource's state does not allow the verb."""
        if verb not in legal(resource.state):
            allowed = ", ".join(sorted(legal(resource.state))) or "nothing until its job ends"
            raise Conflict(f"a {self.kind} that is {resource.state} cannot {verb}; it allows {allowed}")

    def must_be_up(self, resource: Resource) -> None:
        """Raise Unavailable when the resource's host is away."""
        demand_up(self.room.driver(resource))

    async def act(self, caller: Caller, path: str, action: str, document: dict[str, Any]) -> Outcome:
        """Begin a start or stop."""
        resource = await self.to_change(caller, path, action)
        if action not in ACTIONS:
            raise Invalid(f"a {self.kind} has no action {action[:60]!r}", "action")
        self.must_be_legal(resource, action)
        self.must_be_up(resource)
        return await self.begin(resource, action, self.action_plan(caller, resource, action))

    @abstractmethod
    def action_plan(self, caller: Caller, resource: Resource, action: str) -> Plan:
        """Return the plan of a start or stop."""

    async def begin(self, resource: Resource, verb: str, plan: Plan, version: int | None = None) -> Outcome:
        """Submit the plan and take the resource for its Job in one transaction: of two clients, one gets a Conflict.

        Raises PreconditionFailed when it has another version than the demanded one by now.
        """
        async with self.store.transaction() as transaction:
            current = await self.current(transaction, resource.path, version)
            if current.held_by is not None or current.state != resource.state:
                raise Conflict(f"the {self.kind} is {current.state}: another request came first")
            if verb == "delete":
                await self.check_unused(transaction, current)
            job = await self.room.runner.submit(transaction, plan)
            taken = Stateful.changed(current.with_document(state=TRANSIENT[verb]), state_before=current.state)
            taken = await transaction.update(taken.held(job))
        return Outcome(taken, job, finished=False)

    async def check_unused(self, transaction: Transaction, resource: Resource) -> None:
        """Raise Conflict when something needs the resource."""

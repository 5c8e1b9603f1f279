"""What Networks and NetworkPorts have in common: a state, actions, and a job that holds them meanwhile."""

from __future__ import annotations

from typing import Any

from gateway.errors import Conflict, Forbidden, Invalid, NotFound
from gateway.jobs.plan import Plan
from gateway.orchestration.common.contract import Caller, Outcome
from gateway.orchestration.common.permissions import granted
from gateway.orchestration.common.resource_service import ResourceService
from gateway.orchestration.common.unconfigured import demand_deletable, demand_up
from gateway.orchestration.common.visibility import changeable
from gateway.orchestration.networks.plans import ACTION_STEPS, DELETE_STEPS, calls, groups_of, settle
from gateway.orchestration.networks.states import TRANSIENT, legal
from gateway.store.model import Resource
from gateway.store.transaction import Transaction

ORDER = ("edit", "delete", "start", "stop")


class StatefulService(ResourceService):
    """Start, stop and delete by the table of states."""

    def operations(self, caller: Caller, resource: Resource) -> tuple[str, ...]:
        if not changeable(caller, resource) or resource.internal.get("host_network"):
            return ()
        now = legal(resource.state)
        return tuple(verb for verb in ORDER if verb in now and granted(caller.role, self.kind, verb))

    async def to_change(self, caller: Caller, path: str, verb: str, version: int | None = None) -> Resource:
        resource = await super().to_change(caller, path, verb, version)
        if resource.internal.get("host_network"):
            raise Forbidden(f"this {self.kind} is the host's own: it can be used, and only its admin may {verb} it")
        return resource

    def must_be_legal(self, resource: Resource, verb: str) -> None:
        if verb not in legal(resource.state):
            allowed = ", ".join(sorted(legal(resource.state))) or "nothing until its job ends"
            raise Conflict(f"a {self.kind} that is {resource.state} cannot {verb}; it allows {allowed}")

    def must_be_up(self, resource: Resource) -> None:
        driver = self.room.driver(resource)
        demand_up(driver)

    async def act(self, caller: Caller, path: str, action: str, document: dict[str, Any]) -> Outcome:
        resource = await self.to_change(caller, path, action)
        if action not in ACTION_STEPS:
            raise Invalid(f"a {self.kind} has no action {action[:60]!r}", "action")
        self.must_be_legal(resource, action)
        self.must_be_up(resource)
        return await self._begin(resource, action, self.action_plan(caller, resource, action))

    def action_plan(self, caller: Caller, resource: Resource, action: str) -> Plan:
        path = resource.path
        steps = calls(path, ACTION_STEPS[action])
        return self.plan(caller, action, path, steps=steps, locks=(path,), settle=settle(path, action))

    async def delete(self, caller: Caller, path: str, version: int | None) -> Outcome:
        resource = await self.to_change(caller, path, "delete", version)
        self.must_be_legal(resource, "delete")
        demand_deletable(self.room.driver(resource))
        plan = self.plan(
            caller,
            "delete",
            path,
            steps=calls(path, DELETE_STEPS),
            locks=(path, *groups_of(resource)),
            drop_on_success=(path,),
            settle=settle(path, "delete"),
        )
        return await self._begin(resource, "delete", plan)

    async def _begin(self, resource: Resource, verb: str, plan: Plan) -> Outcome:
        """Take it in one transaction: of two clients at once, one gets a Conflict."""
        async with self.store.transaction() as transaction:
            current = await transaction.get(resource.path)
            if current is None:
                raise NotFound(f"{resource.path} is gone")
            if current.held_by is not None or current.state != resource.state:
                raise Conflict(f"the {self.kind} is {current.state}: another request came first")
            if verb == "delete":
                await self.check_unused(transaction, current)
            job = await self.room.runner.submit(transaction, plan)
            taken = current.with_document(state=TRANSIENT[verb]).held(job).with_internal(state_before=current.state)
            taken = await transaction.update(taken)
        return Outcome(taken, job, finished=False)

    async def check_unused(self, transaction: Transaction, resource: Resource) -> None:
        """Raises Conflict when something needs it."""

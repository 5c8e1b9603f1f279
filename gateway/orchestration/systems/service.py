"""Systems: create, actions on all their Machines, edit, delete (DSP0263 5.13)."""

from __future__ import annotations

from typing import Any

from gateway.errors import Conflict, Invalid, NotFound
from gateway.jobs.plan import Plan, StepCall
from gateway.orchestration.common.contract import Caller, Outcome
from gateway.orchestration.common.first_answers import Write
from gateway.orchestration.common.interrupting import interrupt
from gateway.orchestration.common.permissions import demand, granted
from gateway.orchestration.common.unconfigured import demand_up, is_configured
from gateway.orchestration.common.visibility import changeable
from gateway.orchestration.systems.create import SystemCreate
from gateway.orchestration.systems.packages.describing import SystemDescription
from gateway.orchestration.systems.packages.parts import Described
from gateway.orchestration.systems.packages.service import EXPORT, PackagedService
from gateway.orchestration.systems.removal import demand_removable
from gateway.orchestration.systems.states import ACTIONS, actions_of, busy, demand_legal, verbs_of
from gateway.store.model import Document, Resource
from gateway.store.transaction import Transaction

ORDER = ("edit", "delete", *ACTIONS, EXPORT)


class SystemService(PackagedService):
    kind = "System"

    def operations(self, caller: Caller, resource: Resource) -> tuple[str, ...]:
        if not changeable(caller, resource):
            return ()
        now = verbs_of(resource)
        return tuple(verb for verb in ORDER if verb in now and granted(caller.role, self.kind, verb))

    # Create

    async def prepare(self, caller: Caller, collection: str, document: Document) -> Write:
        create = SystemCreate(self.room, caller, document)
        prepared = await create.make()

        async def write(transaction: Transaction) -> Outcome:
            system = await transaction.insert(prepared)
            components = [component.as_document() for component in create.components]
            return await self.begun(transaction, system, self._creation(caller, collection, system, components))

        return write

    def _creation(self, caller: Caller, collection: str, system: Resource, components: list[Document]) -> Plan:
        return self.plan(
            caller,
            "add",
            collection,
            steps=(self._step(caller, "make components", system.path, components=components),),
            locks=(system.path,),
            affected=(system.path,),
            drop_on_failure=(system.path,),
            settle=_settle(system.path, "add"),
        )

    def _step(self, caller: Caller, name: str, system: str, **arguments: Any) -> StepCall:
        """The step asks the families on behalf of who asked for the whole."""
        asker = {"user": caller.user, "role": caller.role.value}
        origin = {"request_id": caller.request_id, "address": caller.address}
        return StepCall(name, {"resource": system, "caller": {**asker, **origin}, **arguments})

    async def rehearse(self, caller: Caller, document: Document) -> Resource | None:
        demand(caller.role, self.kind, "add")
        create = SystemCreate(self.room, caller, document)
        system = await create.make()
        return system.with_document(state="MIXED").with_internal(size=create.size)

    # Actions

    async def act(self, caller: Caller, path: str, action: str, document: dict[str, Any]) -> Outcome:
        if action == EXPORT:
            return await self.export(caller, path, document)
        system = await self.to_change(caller, path, action)
        if action not in ACTIONS:
            raise Invalid(f"a System has no action {action[:60]!r}", "action")
        demand_legal(system, action)
        await self._some_must_be_up(system)
        if action == "stop":
            await self._interrupt(caller, system, force=bool(document.get("force", False)))
        step = self._step(caller, "act on components", path, action=action, document=document)
        plan = self.plan(caller, action, path, steps=(step,), locks=(path,), settle=_settle(path, action))
        async with self.store.transaction() as transaction:
            current = await transaction.get(path)
            if current is None:
                raise NotFound(f"{path} is gone")
            if current.held_by is not None:
                raise busy(current)
            if action not in actions_of(current):
                raise Conflict(f"the System is {current.state}: another request came first")
            job = await self.room.runner.submit(transaction, plan)
            current = await transaction.update(current.held(job))
        return Outcome(current, job, finished=False)

    async def _interrupt(self, caller: Caller, system: Resource, *, force: bool) -> None:
        """End the job that moves it. A soft stop never throws away what that job has just suspended."""
        await interrupt(self.room.runner, system, f"stop was asked by {caller.user}")
        found = await self.store.get(system.path)
        if found is None or force or system.held_by is None:
            return
        if "SUSPENDED" in set(found.internal["states"]) - set(system.internal["states"]):
            raise Conflict("some of its Machines are SUSPENDED by now; stop it again to drop what was saved")

    async def _some_must_be_up(self, system: Resource, *, deletes: bool = False) -> None:
        """Of several hypervisors one may be away; what is on that one is left, and told. Raises Unavailable.

        A delete needs none for what is on hosts that have no entry.
        """
        machines = await self.store.get_many(system.internal["machines"])
        drivers = [self.room.driver(machine) for machine in machines.values()]
        drivers = [driver for driver in drivers if is_configured(driver) or not deletes]
        if drivers and all(driver.connection != "up" for driver in drivers):
            demand_up(drivers[0])

    # Delete

    async def delete(self, caller: Caller, path: str, version: int | None) -> Outcome:
        system = await self.to_change(caller, path, "delete", version)
        if system.state == "DELETING" and system.held_by is not None:
            return Outcome(system, system.held_by, finished=False)
        demand_legal(system, "delete")
        await self._some_must_be_up(system, deletes=True)
        await interrupt(self.room.runner, system, f"delete was asked by {caller.user}")
        if await self.store.get(path) is None:
            return await self._gone(caller, path)
        plan = self.plan(
            caller,
            "delete",
            path,
            steps=(self._step(caller, "delete components", path),),
            locks=(path,),
            drop_on_success=(path,),
            settle=_settle(path, "delete"),
        )
        async with self.store.transaction() as transaction:
            current = await transaction.get(path)
            if current is None:
                raise NotFound(f"{path} is gone")
            if current.held_by is not None:
                raise Conflict(f"the System is {current.state}: another request came first")
            await demand_removable(transaction, current)
            job = await self.room.runner.submit(transaction, plan)
            taken = await transaction.update(current.with_document(state="DELETING").held(job))
        return Outcome(taken, job, finished=False)

    async def _gone(self, caller: Caller, path: str) -> Outcome:
        """The create was undone: nothing is left to delete."""
        async with self.store.transaction() as transaction:
            plan = self.plan(caller, "delete", path, drop_on_success=(path,))
            job = await self.room.runner.completed(transaction, plan)
        return Outcome(None, job, finished=True)

    # Packages

    async def to_export(self, caller: Caller, path: str) -> Resource:
        system = await self.to_change(caller, path, EXPORT)
        demand_legal(system, EXPORT)
        return system

    async def described(self, caller: Caller, resource: Resource) -> Described:
        return await SystemDescription(self.room).describe(resource)


def _settle(system: str, action: str) -> StepCall:
    return StepCall("settle system", {"resource": system, "action": action})

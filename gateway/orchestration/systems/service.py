"""Systems: create, actions on all their Machines, edit, delete (DSP0263 5.13)."""

from __future__ import annotations

from typing import Any

from gateway.errors import Conflict, Invalid, NotFound
from gateway.jobs.plan import Plan
from gateway.orchestration.common.contract import Asker, Caller, Outcome
from gateway.orchestration.common.first_answers import Write
from gateway.orchestration.common.hosts import demand_up, is_configured
from gateway.orchestration.common.interrupting import interrupt
from gateway.orchestration.common.permissions import changeable, demand, granted
from gateway.orchestration.systems.create import SystemCreate
from gateway.orchestration.systems.facts import KeptSystem
from gateway.orchestration.systems.packages.describing import SystemDescription
from gateway.orchestration.systems.packages.parts import Described
from gateway.orchestration.systems.packages.service import EXPORT, PackagedService
from gateway.orchestration.systems.removal import demand_removable
from gateway.orchestration.systems.states import ACTIONS, actions_of, busy, demand_legal, verbs_of
from gateway.orchestration.systems.steps import ActOnComponents, DeleteComponents, MakeComponents, SettleSystem
from gateway.store.model import Document, Resource
from gateway.store.transaction import Transaction

ORDER = ("edit", "delete", *ACTIONS, EXPORT)


class SystemService(PackagedService):
    """Systems, by what their components' families do."""

    kind = "System"

    def operations(self, caller: Caller, resource: Resource) -> tuple[str, ...]:
        """Return the operations that the caller may do now, by the System's state."""
        if not changeable(caller, resource):
            return ()
        now = verbs_of(resource)
        return tuple(verb for verb in ORDER if verb in now and granted(caller.role, self.kind, verb))

    # Create

    async def prepare(self, caller: Caller, collection: str, document: Document) -> Write:
        """Check a create with all its components, and return what writes the System and begins its Job."""
        create = SystemCreate(self.room, caller, document)
        prepared = await create.make()

        async def write(transaction: Transaction) -> Outcome:
            system = await transaction.insert(prepared)
            step = MakeComponents(system.path, Asker.of(caller), create.components)
            return await self.begun(transaction, system, self._creation(caller, collection, step))

        return write

    def _creation(self, caller: Caller, collection: str, step: MakeComponents) -> Plan:
        system = step.resource
        return self.plan(
            caller,
            "add",
            collection,
            steps=(step,),
            locks=(system,),
            affected=(system,),
            drop_on_failure=(system,),
            settle=SettleSystem(system, "add"),
        )

    async def rehearse(self, caller: Caller, document: Document) -> Resource | None:
        """Return the System that a create would make. Its facts say how many components it would have."""
        demand(caller.role, self.kind, "add")
        create = SystemCreate(self.room, caller, document)
        system = await create.make()
        return KeptSystem.changed(system.with_document(state="MIXED"), size=create.size)

    # Actions

    async def act(self, caller: Caller, path: str, action: str, document: dict[str, Any]) -> Outcome:
        """Begin an action on all Machines of the System, or an export."""
        if action == EXPORT:
            return await self.export(caller, path, document)
        system = await self.to_change(caller, path, action)
        if action not in ACTIONS:
            raise Invalid(f"a System has no action {action[:60]!r}", "action")
        demand_legal(system, action)
        await self._some_must_be_up(system)
        if action == "stop":
            await self._interrupt(caller, system, force=bool(document.get("force", False)))
        step = ActOnComponents(path, Asker.of(caller), action, document)
        plan = self.plan(caller, action, path, steps=(step,), locks=(path,), settle=SettleSystem(path, action))
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
        current = await self.store.get(system.path)
        if current is None or force or system.held_by is None:
            return
        if "SUSPENDED" in set(KeptSystem.of(current).states) - set(KeptSystem.of(system).states):
            raise Conflict("some of its Machines are SUSPENDED by now; stop it again to drop what was saved")

    async def _some_must_be_up(self, system: Resource, *, deletes: bool = False) -> None:
        """Raise Unavailable when all hypervisors of its Machines are away; what is on one of several is left, and told.

        A delete needs none for what is on hosts that have no entry.
        """
        machines = await self.store.get_many(KeptSystem.of(system).machines)
        drivers = [self.room.driver(machine) for machine in machines.values()]
        drivers = [driver for driver in drivers if is_configured(driver) or not deletes]
        if drivers and all(driver.connection != "up" for driver in drivers):
            demand_up(drivers[0])

    # Delete

    async def delete(self, caller: Caller, path: str, version: int | None) -> Outcome:
        """Begin the removal of the System with the components that it owns; what makes it is stopped first."""
        system = await self.to_change(caller, path, "delete", version)
        if system.state == "DELETING" and system.held_by is not None:
            return Outcome(system, system.held_by, finished=False)
        demand_legal(system, "delete")
        await self._some_must_be_up(system, deletes=True)
        if system.held_by is not None:
            await interrupt(self.room.runner, system, f"delete was asked by {caller.user}")
            # What the stopped Job has made of it is no change of somebody else's.
            version = None
            if await self.store.get(path) is None:
                return await self.drop(caller, path)
        plan = self.plan(
            caller,
            "delete",
            path,
            steps=(DeleteComponents(path, Asker.of(caller)),),
            locks=(path,),
            drop_on_success=(path,),
            settle=SettleSystem(path, "delete"),
        )
        async with self.store.transaction() as transaction:
            current = await self.current(transaction, path, version)
            if current.held_by is not None:
                raise Conflict(f"the System is {current.state}: another request came first")
            await demand_removable(transaction, current)
            job = await self.room.runner.submit(transaction, plan)
            taken = await transaction.update(current.with_document(state="DELETING").held(job))
        return Outcome(taken, job, finished=False)

    # Packages

    async def to_export(self, caller: Caller, path: str) -> Resource:
        """Return the System. Raises Conflict in a state that forbids an export."""
        system = await self.to_change(caller, path, EXPORT)
        demand_legal(system, EXPORT)
        return system

    async def described(self, caller: Caller, resource: Resource) -> Described:
        """Return what of the System is to be written into a package."""
        return await SystemDescription(self.room).describe(resource)

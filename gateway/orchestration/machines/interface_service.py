"""A Machine's network interfaces: plugged in and out, also while it runs (DSP0263 5.14.1.6)."""

from __future__ import annotations

from gateway.errors import Conflict, NotFound, PreconditionFailed, Unavailable
from gateway.jobs.plan import Plan, StepCall
from gateway.orchestration.machines.interfaces import chosen_interface, entry_id, entry_of, keep_interface, with_entry
from gateway.orchestration.permissions import demand, granted
from gateway.orchestration.resources import ResourceService, edited
from gateway.orchestration.service import Caller, Outcome
from gateway.orchestration.visibility import changeable, visible
from gateway.store.model import Document, Resource
from gateway.store.transaction import Transaction

CHANGEABLE = frozenset({"STARTED", "STOPPED", "PAUSED"})
"""States of a Machine in which its interfaces change. What is SUSPENDED comes back with the devices it had."""
MOST = 8


class MachineNetworkInterfaceService(ResourceService):
    kind = "MachineNetworkInterface"

    def collection_operations(self, caller: Caller, parent: Resource | None) -> tuple[str, ...]:
        may = parent is not None and changeable(caller, parent) and parent.state in CHANGEABLE
        return ("add",) if may and granted(caller.role, self.kind, "add") else ()

    async def add(self, caller: Caller, collection: str, document: Document) -> Outcome:
        demand(caller.role, self.kind, "add")
        machine = await self._machine(caller, collection.rpartition("/")[0])
        number = self._free_number(machine)
        entry = await chosen_interface(self.room, caller, document, machine.internal["host"], number)
        plan = self._plan(caller, "add", machine, f"{collection}/{number}", "plug interface")
        async with self.store.transaction() as transaction:
            known = await self.answered(transaction, caller, document)
            if known is not None:
                return known
            current = await self._still(transaction, machine)
            interface = await keep_interface(transaction, current, entry, ready=False)
            own = {name: document[name] for name in ("name", "description", "properties") if name in document}
            interface = await transaction.update(interface.with_document(**own))
            await transaction.update(with_entry(current, entry))
            job = await self.room.runner.submit(transaction, plan)
            await self.remember(transaction, caller, document, interface.path, job)
        self.room.runner.wake()
        return Outcome(interface, job, finished=False)

    def _free_number(self, machine: Resource) -> str:
        taken = [entry_id(machine, entry) for entry in machine.internal["interfaces"]]
        if len(taken) >= MOST:
            raise Conflict(f"a Machine has at most {MOST} network interfaces")
        return str(max((int(number) + 1 for number in taken), default=0))

    async def edit(
        self, caller: Caller, path: str, document: Document, selected: frozenset[str] | None, version: int | None
    ) -> Outcome:
        interface = await self.to_change(caller, path, "edit", version)
        changed = edited(interface, document, selected)
        wanted = changed.document.get("state") or interface.document["state"]
        switched = wanted != interface.document["state"]
        # What has to reach the guest is written when it has.
        changed = changed.with_document(state=interface.document["state"])
        machine = await self._machine(caller, interface.parent or "", any_state=not switched)
        plan = self._plan(caller, "edit", machine, path, "switch interface", up=wanted == "Active")
        async with self.store.transaction() as transaction:
            current = await transaction.get(path)
            if current is None or current.version != interface.version:
                raise PreconditionFailed(f"{path} was changed meanwhile; read it again")
            updated = await transaction.update(changed)
            if switched:
                job = await self.room.runner.submit(transaction, plan)
            else:
                job = await self.room.runner.completed(transaction, self.plan(caller, "edit", path))
        self.room.runner.wake()
        return Outcome(updated, job, finished=not switched)

    async def delete(self, caller: Caller, path: str, version: int | None) -> Outcome:
        interface = await self.to_change(caller, path, "delete", version)
        machine = await self._machine(caller, interface.parent or "")
        plan = self._plan(caller, "delete", machine, path, "unplug interface")
        async with self.store.transaction() as transaction:
            current = await self._still(transaction, machine)
            entry_of(current, path)
            job = await self.room.runner.submit(transaction, plan)
        self.room.runner.wake()
        return Outcome(interface, job, finished=False)

    async def _machine(self, caller: Caller, path: str, *, any_state: bool = False) -> Resource:
        machine = await self.store.get(path)
        if machine is None or not visible(caller, machine):
            raise NotFound(f"there is no Machine {path[:200]}")
        if not any_state:
            self._must_be_changeable(machine)
        return machine

    def _must_be_changeable(self, machine: Resource) -> None:
        if machine.state not in CHANGEABLE:
            allowed = ", ".join(sorted(CHANGEABLE))
            raise Conflict(f"the interfaces of a Machine change while it is {allowed}; it is {machine.state}")
        driver = self.room.driver(machine)
        if driver.connection != "up":
            raise Unavailable(f"the hypervisor {driver.name} is {driver.connection.value}; try again later")

    async def _still(self, transaction: Transaction, machine: Resource) -> Resource:
        current = await transaction.get(machine.path)
        if current is None:
            raise NotFound(f"{machine.path} is gone")
        self._must_be_changeable(current)
        return current

    def _plan(
        self, caller: Caller, action: str, machine: Resource, interface: str, step: str, **arguments: object
    ) -> Plan:
        named = {"resource": machine.path, "interface": interface, "action": action}
        return self.plan(
            caller,
            action,
            interface if action != "add" else interface.rpartition("/")[0],
            steps=(StepCall(step, {**named, **arguments}),),
            locks=(machine.path,),
            affected=(interface, machine.path),
            drop_on_success=(interface,) if action == "delete" else (),
            drop_on_failure=(interface,) if action == "add" else (),
            settle=StepCall("settle interface", named),
        )

"""A Machine's network interfaces: plugged in and out, also while it runs (DSP0263 5.14.1.6)."""

from __future__ import annotations

from dataclasses import replace

from gateway.errors import Conflict, PreconditionFailed
from gateway.jobs.plan import Plan
from gateway.orchestration.common.contract import Caller, Outcome
from gateway.orchestration.common.first_answers import Write
from gateway.orchestration.common.resource_service import edited
from gateway.orchestration.common.step import Step
from gateway.orchestration.interfaces.address_steps import AssignAddresses, WithdrawAddresses
from gateway.orchestration.interfaces.entries import (
    InterfacePlace,
    chosen_interface,
    entry_id,
    entry_of,
    keep_interface,
    with_entry,
)
from gateway.orchestration.interfaces.steps import PlugInterface, SettleInterface, SwitchInterface, UnplugInterface
from gateway.orchestration.machine_core.components import ComponentService, demand_change
from gateway.orchestration.machine_core.facts import KeptMachine
from gateway.orchestration.networks.assignment import chosen_addresses, keep_addresses
from gateway.store.model import Document, Resource
from gateway.store.transaction import Transaction

MOST = 8


class MachineNetworkInterfaceService(ComponentService):
    """The service of the network interfaces of Machines."""

    kind = "MachineNetworkInterface"

    async def prepare(self, caller: Caller, collection: str, document: Document) -> Write:
        """Check a new interface, and return what writes it with the Job that plugs it in."""
        machine = await self.machine_for(caller, collection.rpartition("/")[0])
        demand_change(machine, "plug")
        self.up(machine)
        number = self._free_number(machine)
        place = InterfacePlace(KeptMachine.of(machine).host, number)
        entry = await chosen_interface(self.room, caller, document, place)
        entry = replace(entry, bandwidth=KeptMachine.of(machine).limits.network_bandwidth)
        addresses = await chosen_addresses(self.room, caller, document, entry.network_path)
        path = f"{collection}/{number}"
        assign = (AssignAddresses(machine.path, interface=path),) if addresses else ()
        plan = self._plan(caller, "add", machine, path, (*assign, PlugInterface(machine.path, path)))

        async def write(transaction: Transaction) -> Outcome:
            current = await self.demand_machine(transaction, machine.path, "plug")
            interface = await keep_interface(transaction, current, entry, ready=False)
            await keep_addresses(transaction, interface, addresses)
            own = {name: document[name] for name in ("name", "description", "properties") if name in document}
            interface = await transaction.update(interface.with_document(**own))
            await transaction.update(with_entry(current, entry))
            return await self.begun(transaction, interface, plan, held=False)

        return write

    def _free_number(self, machine: Resource) -> str:
        taken = [entry_id(machine, entry) for entry in KeptMachine.of(machine).interfaces]
        if len(taken) >= MOST:
            raise Conflict(f"a Machine has at most {MOST} network interfaces")
        return str(max((int(number) + 1 for number in taken), default=0))

    async def edit(
        self, caller: Caller, path: str, document: Document, selected: frozenset[str] | None, version: int | None
    ) -> Outcome:
        """Change the interface's attributes; a Job switches its link when ``state`` changes.

        Raises PreconditionFailed when another request came in between.
        """
        interface = await self.to_change(caller, path, "edit", version)
        changed = edited(interface, document, selected)
        wanted = changed.document.get("state") or interface.document["state"]
        switched = wanted != interface.document["state"]
        # The new state is written when it has reached the guest.
        changed = changed.with_document(state=interface.document["state"])
        machine = await self.machine_for(caller, str(interface.parent))
        if switched:
            demand_change(machine, "plug")
            self.up(machine)
        switch = SwitchInterface(machine.path, path, up=wanted == "Active")
        plan = self._plan(caller, "edit", machine, path, (switch,))
        async with self.store.transaction() as transaction:
            current = await transaction.get(path)
            if current is None or current.version != interface.version:
                raise PreconditionFailed(f"{path} was changed meanwhile; read it again")
            updated = await transaction.update(changed)
            if switched:
                job = await self.room.runner.submit(transaction, plan)
            else:
                job = await self.room.runner.completed(transaction, self.plan(caller, "edit", path))
        return Outcome(updated, job, finished=not switched)

    async def delete(self, caller: Caller, path: str, version: int | None) -> Outcome:
        """Begin a Job that takes the interface out of the Machine."""
        interface = await self.to_change(caller, path, "delete", version)
        machine = await self.machine_for(caller, str(interface.parent))
        demand_change(machine, "unplug")
        self.up(machine)
        steps = (UnplugInterface(machine.path, path), WithdrawAddresses(machine.path, interface=path))
        plan = self._plan(caller, "delete", machine, path, steps)
        async with self.store.transaction() as transaction:
            await self.current(transaction, path, version)
            current = await self.demand_machine(transaction, machine.path, "unplug")
            entry_of(current, path)
            job = await self.room.runner.submit(transaction, plan)
        return Outcome(interface, job, finished=False)

    def _plan(self, caller: Caller, action: str, machine: Resource, interface: str, steps: tuple[Step, ...]) -> Plan:
        return self.plan(
            caller,
            action,
            interface if action != "add" else interface.rpartition("/")[0],
            steps=steps,
            locks=(machine.path,),
            affected=(interface, machine.path),
            drop_on_success=(interface,) if action == "delete" else (),
            drop_on_failure=(interface,) if action == "add" else (),
            settle=SettleInterface(machine.path, interface, action),
        )

"""Machines: create, actions, edit, delete, console (DSP0263 5.14)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gateway.errors import Conflict, Invalid, NotFound, PreconditionFailed
from gateway.jobs.plan import Plan
from gateway.orchestration.attachments.new_volumes import attach_steps
from gateway.orchestration.common.contract import Caller, Outcome, Text
from gateway.orchestration.common.first_answers import Write
from gateway.orchestration.common.hosts import check_confinement, demand_deletable, demand_up, translating
from gateway.orchestration.common.interrupting import interrupt, interrupt_removals
from gateway.orchestration.common.permissions import changeable, demand, granted
from gateway.orchestration.common.resource_service import ResourceService, edited
from gateway.orchestration.common.room import Room
from gateway.orchestration.common.step import Step
from gateway.orchestration.disks.layout import demand_content
from gateway.orchestration.images.records import demand_still_available
from gateway.orchestration.interfaces.entries import check_networks, keep_interface
from gateway.orchestration.machine_core.facts import KeptMachine
from gateway.orchestration.machine_core.names import machine_uuid
from gateway.orchestration.machine_core.occupancy import hold
from gateway.orchestration.machine_core.power_steps import DescribeDomain, PowerOff, ResizeDomain
from gateway.orchestration.machine_core.removal import demand_within_reach
from gateway.orchestration.machine_core.states import ALWAYS, TRANSIENT, demand_legal, legal
from gateway.orchestration.machines.autostart import keep_autostart
from gateway.orchestration.machines.create import IMAGE, MachineCreate, address_attribute, check_size
from gateway.orchestration.machines.plan import ACTIONS, action_steps, create_steps, delete_steps
from gateway.orchestration.machines.steps import SettleMachine
from gateway.orchestration.machines.templates import demand_memory
from gateway.orchestration.networks.assignment import keep_addresses
from gateway.orchestration.snapshots.ability import Storage, impossible
from gateway.orchestration.snapshots.restore import RestoreRequests
from gateway.store.model import Document, Resource
from gateway.store.transaction import Transaction

ORDER = ("edit", "delete", "restart", "start", "stop", "pause", "suspend", "capture", "snapshot", "restore", "console")
"""The order of the operations that are shown.

Old clients take the last ``rel`` that contains the word they want, so ``restart`` stands before ``start``.
"""
RUNS_GUEST = frozenset({"start", "restart", "restore"})
LONGEST_DEADLINE = 3600.0
CONSOLE_BYTES = 65_536
"""The bytes of the console that a client gets who does not say how many."""
MOST_CONSOLE_BYTES = 1_048_576


class MachineService(ResourceService):
    """The service of Machines."""

    kind = "Machine"

    def __init__(self, room: Room) -> None:
        super().__init__(room)
        self.restores = RestoreRequests(room)

    def looked_at(self, resource: Resource) -> tuple[str, ...]:
        """Return the paths of the Machine's Volumes, whose formats decide about snapshots."""
        return tuple(Storage.of(resource).volumes.values())

    def operations(self, caller: Caller, resource: Resource) -> tuple[str, ...]:
        """Return the operations legal now for this caller, in the order that old clients need."""
        if not changeable(caller, resource):
            return ()
        now = legal(resource.state).actions.union(ALWAYS) - impossible(resource, self.room.driver(resource), self.store)
        return tuple(verb for verb in ORDER if verb in now and granted(caller.role, self.kind, verb))

    # Create

    async def prepare(self, caller: Caller, collection: str, document: Document) -> Write:
        """Check everything about a create, and return what writes the Machine with its parts and its Job."""
        create = MachineCreate(self.room, caller, document)
        prepared, parts = await self._checked(create)
        kept = KeptMachine.of(prepared)

        async def write(transaction: Transaction) -> Outcome:
            await demand_still_available(transaction, kept.image or "", IMAGE)
            await demand_content(transaction, kept.disks)
            machine = await transaction.insert(prepared)
            for part in parts:
                await transaction.insert(part)
            for entry in kept.interfaces:
                interface = await keep_interface(transaction, machine, entry, ready=True)
                await keep_addresses(transaction, interface, create.addresses[str(entry.id)], address_attribute(entry))
            machine, attachments = await create.volumes.write(transaction, self.room, machine)
            plan = self._creation(caller, collection, machine, create, attach_steps(attachments))
            return await self.begun(transaction, machine, plan)

        return write

    def _creation(
        self,
        caller: Caller,
        collection: str,
        machine: Resource,
        create: MachineCreate,
        attachments: tuple[Step, ...],
    ) -> Plan:
        steps = create_steps(
            machine.path,
            create.volumes.create_steps(),
            attachments,
            addressed=any(create.addresses.values()),
        )
        return self.plan(
            caller,
            "add",
            collection,
            steps=steps,
            locks=(machine.path, *create.volumes.paths),
            affected=(machine.path, *create.volumes.new_paths),
            drop_on_failure=(machine.path, *create.volumes.new_paths),
            settle=SettleMachine(machine.path, "add"),
        )

    async def _checked(self, create: MachineCreate) -> tuple[Resource, tuple[Resource, ...]]:
        machine, parts = await create.make()
        if KeptMachine.of(machine).initial_state != "STOPPED":
            await check_networks(self.room, machine)
        return machine, parts

    async def rehearse(self, caller: Caller, document: Document) -> Resource | None:
        """Return the Machine as it would be made, in its initial state; nothing is written."""
        demand(caller.role, self.kind, "add")
        machine, _ = await self._checked(MachineCreate(self.room, caller, document))
        return machine.with_document(state=KeptMachine.of(machine).initial_state)

    # Actions

    async def act(self, caller: Caller, path: str, action: str, document: dict[str, Any]) -> Outcome:
        """Begin an action; one that may interrupt stops the Job that holds the Machine first.

        Raises Conflict when the Machine's state does not allow the action, and Invalid for an unknown one.
        """
        machine = await self.to_change(caller, path, action)
        if action in RUNS_GUEST:
            driver = self.room.driver(machine)
            await check_confinement(self.room.hypervisors[driver.name], driver)
        if action == "restore":
            return await self.restores.begin(caller, machine, document)
        force = bool(document.get("force", False))
        if action not in ACTIONS:
            raise Invalid(f"a Machine has no action {action[:60]!r}", "action")
        demand_legal(machine.state, action)
        self._must_be_up(machine)
        if action in ("start", "restart"):
            await check_networks(self.room, machine)
        if action in legal(machine.state).interrupts:
            machine = await self._interrupt(caller, machine, action, force)
        steps = action_steps(path, action, machine.state, _deadline(document), force=force)
        plan = self.plan(caller, action, path, steps=steps, locks=(path,), settle=SettleMachine(path, action))
        outcome = await self._begin(machine, action, plan)
        if isinstance(steps[0], PowerOff):
            await self._give_up_removals(caller, machine, action)
        return outcome

    async def _give_up_removals(self, caller: Caller, machine: Resource, verb: str) -> None:
        await interrupt_removals(self.store, self.room.runner, machine, f"{verb} was asked by {caller.user}")

    def _must_be_up(self, machine: Resource) -> None:
        driver = self.room.driver(machine)
        demand_up(driver)

    async def _interrupt(self, caller: Caller, machine: Resource, action: str, force: bool) -> Resource:
        """End the job that holds the Machine. A soft stop never throws away what has just been suspended."""
        if force:
            # The job that holds the Machine may itself wait for them.
            await self._give_up_removals(caller, machine, action)
        await interrupt(self.room.runner, machine, f"{action} was asked by {caller.user}")
        current = await self.store.get(machine.path)
        if current is None:
            raise NotFound(f"{machine.path} is gone")
        if action == "stop" and not force and current.state == "SUSPENDED":
            raise Conflict("the Machine is SUSPENDED by now; stop it again to drop what was saved")
        return current

    async def _begin(self, machine: Resource, verb: str, plan: Plan, version: int | None = None) -> Outcome:
        """Take the Machine in one transaction: of two clients at once, one gets a Conflict."""
        async with self.store.transaction() as transaction:
            await self.current(transaction, machine.path, version)
            taken, job = await hold(transaction, self.room.runner, machine, verb, plan)
        return Outcome(taken, job, finished=False)

    # Edit and delete

    async def edit(
        self, caller: Caller, path: str, document: Document, selected: frozenset[str] | None, version: int | None
    ) -> Outcome:
        """Change the Machine; a Job brings new sizes, a new name and a new description to the domain.

        Raises PreconditionFailed when another request came in between.
        """
        machine = await self.to_change(caller, path, "edit", version)
        demand_legal(machine.state, "edit")
        sizes = {name: document[name] for name in ("cpu", "memory") if name in document}
        changed = edited(machine, document, selected)
        changed = changed.with_document(cpu=machine.document["cpu"], memory=machine.document["memory"])
        changed = keep_autostart(machine, changed, document, selected)
        wanted = {name: sizes.get(name, machine.document[name]) for name in ("cpu", "memory")}
        resized = any(wanted[name] != machine.document[name] for name in wanted)
        steps = await self._edit_steps(machine, changed, wanted, resized)
        plan = self.plan(caller, "edit", path, steps=steps, locks=(path,))
        async with self.store.transaction() as transaction:
            current = await transaction.get(path)
            if current is None or current.version != machine.version:
                raise PreconditionFailed(f"{path} was changed meanwhile; read it again")
            updated = await transaction.update(changed)
            runner = self.room.runner
            job = await (runner.submit if steps else runner.completed)(transaction, plan)
        return Outcome(updated, job, finished=not steps)

    async def _edit_steps(
        self, machine: Resource, changed: Resource, wanted: Document, resized: bool
    ) -> tuple[Step, ...]:
        steps: list[Step] = []
        if resized:
            if wanted["memory"] != machine.document["memory"]:
                demand_memory(wanted["memory"], self._least_memory(machine), "memory")
            self._must_be_up(machine)
            with translating():
                check_size(wanted, await self.room.driver(machine).host())
            if machine.state == "SUSPENDED":
                raise Conflict("cpu and memory cannot be changed while SUSPENDED; stop or start the Machine first")
            steps.append(ResizeDomain(machine.path, wanted["cpu"], wanted["memory"]))
        described = any(changed.document.get(name) != machine.document.get(name) for name in ("name", "description"))
        if described and self.room.driver(machine).connection == "up" and machine.state != "ERROR":
            steps.append(DescribeDomain(machine.path))
        return tuple(steps)

    def _least_memory(self, machine: Resource) -> int:
        """Return the KiB that the Machine needs, as its image said when it was made; older ones do not know."""
        kept = KeptMachine.of(machine).least_memory
        return self.room.policy.least_memory if kept is None else kept

    async def delete(self, caller: Caller, path: str, version: int | None) -> Outcome:
        """Begin a Job that deletes the Machine, or return the one that does so already.

        A create that is under way is stopped first. Raises Unavailable while the domain may be on a host that is away.
        """
        machine = await self.to_change(caller, path, "delete", version)
        demand_legal(machine.state, "delete")
        if machine.state == TRANSIENT["delete"] and machine.held_by is not None:
            return Outcome(machine, machine.held_by, finished=False)
        demand_deletable(self.room.driver(machine))
        if machine.state != "CREATING":
            await demand_within_reach(self.room, machine)
        plan = self.plan(
            caller,
            "delete",
            path,
            steps=delete_steps(path),
            locks=(path,),
            drop_on_success=(path,),
            settle=SettleMachine(path, "delete"),
        )
        if machine.held_by is not None:
            await self._give_up_removals(caller, machine, "delete")
            await interrupt(self.room.runner, machine, f"delete was asked by {caller.user}")
            current = await self.store.get(path)
            if current is None:
                return await self._gone(replace(plan, steps=(), settle=None))
            # What the stopped Job has made of it is no change of somebody else's.
            machine, version = current, None
        outcome = await self._begin(machine, "delete", plan, version)
        await self._give_up_removals(caller, machine, "delete")
        return outcome

    async def _gone(self, plan: Plan) -> Outcome:
        """Return the outcome of a delete after which nothing is left, since the create was undone."""
        async with self.store.transaction() as transaction:
            job = await self.room.runner.completed(transaction, plan)
        return Outcome(None, job, finished=True)

    # Console

    async def readable(self, caller: Caller, path: str, action: str, parameters: Mapping[str, str]) -> Text:
        """Return the end of the console's text: as many bytes as the parameter ``limit`` says."""
        return Text(await self.console(caller, path, _console_limit(parameters.get("limit", ""))))

    async def console(self, caller: Caller, path: str, limit: int) -> bytes:
        """Return the last ``limit`` bytes which the guest wrote to its serial console."""
        machine = await self.to_change(caller, path, "console")
        self._must_be_up(machine)
        with translating():
            return await self.room.driver(machine).domains.console_text(machine_uuid(machine), limit)


def _console_limit(limit: str) -> int:
    """Return the bytes to give of the console; what is no number is as good as nothing."""
    wanted = int(limit) if limit.isdecimal() and len(limit) < 9 else CONSOLE_BYTES
    return min(wanted, MOST_CONSOLE_BYTES)


def _deadline(document: Document) -> float | None:
    """Return the seconds that an Action gives a guest to power off; None when it says nothing. Raises Invalid."""
    timeout = document.get("properties", {}).get("timeout")
    if timeout is None:
        return None
    try:
        seconds = float(timeout)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds <= LONGEST_DEADLINE:
        raise Invalid(f"must be seconds, more than 0 and at most {LONGEST_DEADLINE:g}", "properties.timeout")
    return seconds

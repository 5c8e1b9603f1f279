"""The disks of a Machine: one more, made and plugged in, a larger one, or one less (DSP0263 5.14.1.4)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from drivers.base import Driver, PoolSettings
from gateway.errors import Conflict, Invalid, PreconditionFailed
from gateway.jobs.plan import Plan
from gateway.orchestration.common.contract import Caller, Outcome
from gateway.orchestration.common.first_answers import Write
from gateway.orchestration.disks.change_steps import (
    AttachDisk,
    CreateDisk,
    DeleteDisk,
    DetachDisk,
    GrowDisk,
    SettleDisk,
    SettleGrownDisk,
)
from gateway.orchestration.disks.facts import KeptDisk
from gateway.orchestration.disks.layout import disk_resource
from gateway.orchestration.machine_core.chain import demand_uncovered
from gateway.orchestration.machine_core.components import ComponentService, demand_change
from gateway.orchestration.machine_core.facts import KeptMachine, OwnDisk
from gateway.orchestration.machine_core.names import free_target, reserved, target_of
from gateway.orchestration.machine_core.occupancy import refuse_while_copied
from gateway.orchestration.volumes.pools import KILOBYTE, Chosen, demand_growing, demand_room, pool_facts, whole
from gateway.store.model import Document, Resource
from gateway.store.transaction import Transaction


@dataclass(frozen=True, slots=True)
class _Wish:
    """The checked request for a new disk."""

    capacity: int
    """Kilobytes."""
    location: str | None
    """``initialLocation`` as the client wrote it."""
    format: str
    in_use: frozenset[str]
    """Device names of the disks that the domain has."""


class DiskService(ComponentService):
    """The service of the Disks of Machines."""

    kind = "Disk"
    edited_by = "plug"

    def removable(self, resource: Resource) -> bool:
        """Return whether a request may take the disk away: the boot disk goes with its Machine only."""
        return not KeptDisk.of(resource).boot

    async def prepare(self, caller: Caller, collection: str, document: Document) -> Write:
        """Check a new disk, and return what writes it with the Job that makes and plugs it in."""
        machine = await self.machine_for(caller, collection.rpartition("/")[0])
        if "capacity" not in document:
            raise Invalid("is missing", "capacity")
        if document.get("initialLocation"):
            target_of(document["initialLocation"])
        demand_change(machine, "plug")
        in_use = await self.targets_in_use(machine)
        chosen = await self._pool(machine, self.up(machine))
        location = document.get("initialLocation") or None
        wish = _Wish(document["capacity"], location, chosen.format, frozenset(in_use))

        async def write(transaction: Transaction) -> Outcome:
            await demand_room(self.room, chosen, whole(wish.capacity * KILOBYTE), "capacity")
            return await self._put_down(transaction, caller, collection, wish)

        return write

    async def _pool(self, machine: Resource, driver: Driver) -> Chosen:
        """Return the Machine's own pool, where its other disks are."""
        kept = KeptMachine.of(machine)
        host, name = kept.host, kept.pool
        settings = next((p for p in self.room.hypervisors[host].every_pool if p.name == name), PoolSettings(name))
        facts = await pool_facts(driver, name)
        return Chosen(host, settings, facts, driver.storage.formats(facts)[0])

    async def _put_down(self, transaction: Transaction, caller: Caller, collection: str, wish: _Wish) -> Outcome:
        machine = await self.demand_machine(transaction, collection.rpartition("/")[0], "plug")
        taken, running = wish.in_use | reserved(machine), machine.state != "STOPPED"
        target = free_target(taken, wish.location, running=running)
        made = OwnDisk(target, wish.format, whole(wish.capacity * KILOBYTE), wish.capacity, wish.location)
        kept = KeptMachine.of(machine)
        machine = await transaction.update(replace(kept, disks=(*kept.disks, made)).on(machine))
        disk = await transaction.insert(disk_resource(machine, made))
        plan = self.plan(
            caller,
            "add",
            collection,
            steps=(CreateDisk(machine.path, target), AttachDisk(machine.path, target)),
            locks=(machine.path,),
            affected=(disk.path, machine.path),
            drop_on_failure=(disk.path,),
            settle=SettleDisk(machine.path, target, "add"),
        )
        return await self.begun(transaction, disk, plan)

    # Growth

    async def edit(
        self, caller: Caller, path: str, document: Document, selected: frozenset[str] | None, version: int | None
    ) -> Outcome:
        """Make a disk larger: nothing but its capacity (kilobytes) can be changed, and only upwards.

        Raises Invalid for a smaller capacity, and Conflict while another request changes the disk.
        """
        disk = await self.to_change(caller, path, "edit", version)
        now: int = disk.document["capacity"]
        capacity: int = document.get("capacity") or now
        if capacity < now:
            raise Invalid(f"a disk of {now} kilobytes is not shrunk to {capacity}: that would lose data", "capacity")
        if capacity == now:
            async with self.store.transaction() as transaction:
                job = await self.room.runner.completed(transaction, self.plan(caller, "edit", path))
            return Outcome(disk, job, finished=True)
        machine = await self.machine_for(caller, str(disk.parent))
        demand_change(machine, "plug")
        await refuse_while_copied(self.store, machine.path)
        driver = self.up(machine)
        chosen = await self._pool(machine, driver)
        demand_growing(driver, chosen.facts)
        async with self.store.transaction() as transaction:
            disk, job = await self._grow(transaction, caller, disk, capacity, chosen)
        return Outcome(disk, job, finished=False)

    async def _grow(
        self, transaction: Transaction, caller: Caller, disk: Resource, capacity: int, chosen: Chosen
    ) -> tuple[Resource, str]:
        machine, target = await self.demand_machine(transaction, str(disk.parent), "plug"), disk.path.rpartition("/")[2]
        await demand_uncovered(transaction, machine.path, target)
        current = await transaction.get(disk.path)
        if current is None or current.version != disk.version:
            raise PreconditionFailed(f"{disk.path} was changed meanwhile; read it again")
        self._demand_free(current)
        before = next(entry for entry in KeptMachine.of(machine).disks if entry.target == target)
        size = whole(capacity * KILOBYTE)
        await demand_room(self.room, chosen, size - before.bytes, "capacity")
        job = await self.room.runner.submit(transaction, self._growing(caller, disk, machine, capacity, size))
        return await transaction.update(current.held(job)), job

    def _growing(self, caller: Caller, disk: Resource, machine: Resource, capacity: int, size: int) -> Plan:
        target = disk.path.rpartition("/")[2]
        return self.plan(
            caller,
            "edit",
            disk.path,
            steps=(GrowDisk(machine.path, target, capacity, size),),
            locks=(machine.path,),
            affected=(machine.path,),
            settle=SettleGrownDisk(machine.path, target),
        )

    def _demand_free(self, disk: Resource) -> None:
        if disk.held_by is not None:
            raise Conflict("another request changes this disk already; wait for that job")

    # Delete

    async def delete(self, caller: Caller, path: str, version: int | None) -> Outcome:
        """Begin a Job that takes the disk out of the Machine and deletes its volume.

        Raises Conflict for the boot disk, for one that a snapshot holds, and while another request changes it.
        """
        disk = await self.to_change(caller, path, "delete", version)
        if not self.removable(disk):
            raise Conflict("the disk that the Machine boots from goes with the Machine only")
        machine = await self.machine_for(caller, str(disk.parent))
        demand_change(machine, "unplug")
        self.up(machine)
        target = path.rpartition("/")[2]
        plan = self.plan(
            caller,
            "delete",
            path,
            steps=(DetachDisk(machine.path, target), DeleteDisk(machine.path, target)),
            locks=(machine.path,),
            affected=(machine.path,),
            drop_on_success=(path,),
            settle=SettleDisk(machine.path, target, "delete"),
        )
        async with self.store.transaction() as transaction:
            await self.demand_machine(transaction, machine.path, "unplug")
            await demand_uncovered(transaction, machine.path, target)
            current = await self.current(transaction, path, version)
            self._demand_free(current)
            job = await self.room.runner.submit(transaction, plan)
            current = await transaction.update(current.held(job))
        return Outcome(current, job, finished=False)

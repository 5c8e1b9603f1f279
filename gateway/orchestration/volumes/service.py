"""Volumes: create, edit, grow, delete (DSP0263 5.16)."""

from __future__ import annotations

from gateway.errors import Conflict, Invalid, PreconditionFailed
from gateway.jobs.plan import Plan
from gateway.orchestration.common.contract import Caller, Outcome
from gateway.orchestration.common.first_answers import Write
from gateway.orchestration.common.hosts import demand_deletable, demand_up
from gateway.orchestration.common.interrupting import interrupt
from gateway.orchestration.common.permissions import changeable, demand, granted
from gateway.orchestration.common.resource_service import ResourceService, edited
from gateway.orchestration.machine_core.chain import demand_uncovered
from gateway.orchestration.machine_core.occupancy import refuse_while_copied
from gateway.orchestration.volumes.create import VolumeRequest, new_volume
from gateway.orchestration.volumes.facts import Connection, KeptVolume
from gateway.orchestration.volumes.plan import create_steps
from gateway.orchestration.volumes.pools import KILOBYTE, Chosen, demand_growing, demand_room, pool_facts, whole
from gateway.orchestration.volumes.states import demand_legal, legal
from gateway.orchestration.volumes.steps import DeleteVolume, GrowVolume, SettleVolume
from gateway.store.model import Document, Resource
from gateway.store.transaction import Transaction


class VolumeService(ResourceService):
    """The Volumes of all users."""

    kind = "Volume"

    def operations(self, caller: Caller, resource: Resource) -> tuple[str, ...]:
        """Return the operations that the caller may do now, by the Volume's state."""
        if not changeable(caller, resource):
            return ()
        now = legal(resource)
        offered = ("edit", "delete", "snapshot")
        return tuple(verb for verb in offered if verb in now and granted(caller.role, self.kind, verb))

    # Create

    async def prepare(self, caller: Caller, collection: str, document: Document) -> Write:
        """Check a create, and return what writes the Volume and begins its Job."""
        new = await new_volume(self.room, caller, VolumeRequest(document["volumeTemplate"], document))

        async def write(transaction: Transaction) -> Outcome:
            await new.demand(self.room, transaction)
            volume = await transaction.insert(new.resource)
            return await self.begun(transaction, volume, self._creation(caller, collection, volume))

        return write

    async def rehearse(self, caller: Caller, document: Document) -> Resource | None:
        """Return the Volume that a create would make. Raises what speaks against it."""
        demand(caller.role, self.kind, "add")
        made = await new_volume(self.room, caller, VolumeRequest(document["volumeTemplate"], document))
        return made.resource.with_document(state="AVAILABLE")

    def _creation(self, caller: Caller, collection: str, volume: Resource) -> Plan:
        return self.plan(
            caller,
            "add",
            collection,
            steps=create_steps(volume),
            locks=(volume.path,),
            affected=(volume.path,),
            drop_on_failure=(volume.path,),
            settle=SettleVolume(volume.path, "add"),
        )

    # Edit and grow

    async def edit(
        self, caller: Caller, path: str, document: Document, selected: frozenset[str] | None, version: int | None
    ) -> Outcome:
        """Change what the Volume is called, and grow it where the capacity is raised."""
        volume = await self.to_change(caller, path, "edit", version)
        demand_legal(volume, "edit")
        capacity: int = document.get("capacity") or volume.document["capacity"]
        changed = edited(volume, document, selected).with_document(capacity=volume.document["capacity"])
        grows = capacity != volume.document["capacity"]
        chosen = await self._growing(volume, capacity) if grows else None
        async with self.store.transaction() as transaction:
            current = await transaction.get(path)
            if current is None or current.version != volume.version:
                raise PreconditionFailed(f"{path} was changed meanwhile; read it again")
            updated = await transaction.update(changed)
            if chosen is None:
                job = await self.room.runner.completed(transaction, self.plan(caller, "edit", path))
            else:
                updated, job = await self._grow(transaction, caller, updated, capacity, chosen)
        return Outcome(updated, job, finished=chosen is None)

    async def _growing(self, volume: Resource, capacity: int) -> Chosen:
        """Return the pool that has to give more. Raise what the request deserves."""
        now = volume.document["capacity"]
        if capacity < now:
            raise Invalid(f"a Volume of {now} kilobytes is not shrunk to {capacity}: that would lose data", "capacity")
        demand_legal(volume, "grow")
        if volume.held_by is not None:
            raise Conflict("another request grows the Volume already; try again when its job has ended")
        kept, driver = KeptVolume.of(volume), self.room.driver(volume)
        for machine in kept.attachments.values():
            await refuse_while_copied(self.store, machine)
        demand_up(driver)
        facts = await pool_facts(driver, kept.pool)
        demand_growing(driver, facts)
        pools = {pool.name: pool for pool in self.room.hypervisors[kept.host].every_pool}
        if kept.pool not in pools:
            raise Conflict(f"the pool {kept.pool} is not in the configuration any more")
        return Chosen(kept.host, pools[kept.pool], facts, kept.format)

    async def _grow(
        self, transaction: Transaction, caller: Caller, volume: Resource, capacity: int, chosen: Chosen
    ) -> tuple[Resource, str]:
        size, kept = whole(capacity * KILOBYTE), KeptVolume.of(volume)
        for path, machine in kept.attachments.items():
            attachment = await transaction.get(path)
            if attachment is not None:
                await demand_uncovered(transaction, machine, Connection.of(attachment).target)
        await demand_room(self.room, chosen, size - kept.bytes, "capacity")
        plan = self.plan(
            caller,
            "edit",
            volume.path,
            steps=(GrowVolume(volume.path, size, capacity),),
            locks=(volume.path, *kept.attachments.values()),
            settle=SettleVolume(volume.path, "edit"),
        )
        job = await self.room.runner.submit(transaction, plan)
        return await transaction.update(volume.held(job)), job

    # Delete

    async def delete(self, caller: Caller, path: str, version: int | None) -> Outcome:
        """Begin the removal of the Volume; one that is being made is stopped first."""
        volume = await self.to_change(caller, path, "delete", version)
        demand_legal(volume, "delete")
        demand_deletable(self.room.driver(volume))
        plan = self.plan(
            caller,
            "delete",
            path,
            steps=(DeleteVolume(path),),
            locks=(path,),
            drop_on_success=(path,),
            settle=SettleVolume(path, "delete"),
        )
        if volume.state == "CREATING":
            await interrupt(self.room.runner, volume, f"delete was asked by {caller.user}")
            # What the stopped Job has made of it is no change of somebody else's.
            version = None
            if await self.store.get(path) is None:
                return await self.drop(caller, path)
        async with self.store.transaction() as transaction:
            current = await self.current(transaction, path, version)
            demand_legal(current, "delete")
            job = await self.room.runner.submit(transaction, plan)
            taken = await transaction.update(current.with_document(state="DELETING").held(job))
        return Outcome(taken, job, finished=False)

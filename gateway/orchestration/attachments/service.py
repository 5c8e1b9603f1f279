"""The Volumes of a Machine: connect and disconnect (DSP0263 5.14.1.5)."""

from __future__ import annotations

from gateway.errors import Conflict, Invalid
from gateway.orchestration.attachments.connections import attachment_path, connect, demand_attachable
from gateway.orchestration.attachments.facts import KeptAttachment
from gateway.orchestration.attachments.steps import AttachVolume, DetachVolume, SettleAttachment
from gateway.orchestration.common.contract import Caller, Outcome
from gateway.orchestration.common.first_answers import Write
from gateway.orchestration.common.permissions import changeable
from gateway.orchestration.common.references import resolve
from gateway.orchestration.machine_core.chain import demand_uncovered
from gateway.orchestration.machine_core.components import ComponentService, demand_change
from gateway.orchestration.machine_core.facts import KeptMachine
from gateway.orchestration.machine_core.names import WHERE, free_target, reserved, target_of
from gateway.orchestration.volumes.facts import KeptVolume
from gateway.store.model import Document, Resource
from gateway.store.reading import Reading
from gateway.store.transaction import Transaction

OWN = ("name", "description", "properties", "initialLocation")


async def attached_already(
    store: Reading | Transaction, machine: Resource, volume: Resource, document: Document
) -> Resource | None:
    """Return the MachineVolume that a request asks for once more; None when the Volume is not at the Machine.

    Clients of 1.x connect a Volume again to be sure of it. Raises Conflict for another place than it has, and while
    it is being disconnected.
    """
    attachment = await store.get(attachment_path(machine, volume))
    if attachment is None or machine.state == "CREATING":
        return None
    kept = KeptAttachment.of(attachment)
    job = await store.get(attachment.held_by) if attachment.held_by else None
    if kept.releasing or (job is not None and job.document.get("action") == "delete"):
        raise Conflict(f"volume: {volume.path} is being disconnected from this Machine; wait for that job")
    location = document.get("initialLocation")
    if location and target_of(location) != kept.target:
        raise Conflict(f"{WHERE}: {volume.path} is at /dev/{kept.target} of this Machine already")
    return attachment


class MachineVolumeService(ComponentService):
    """The service of the Volumes of Machines."""

    kind = "MachineVolume"

    async def prepare(self, caller: Caller, collection: str, document: Document) -> Write:
        """Check whether a Volume can be connected, and return what writes it with its Job."""
        machine = await self.machine_for(caller, collection.rpartition("/")[0])
        volume = await self._volume(caller, machine, document)
        attached = await attached_already(self.store, machine, volume, document)
        in_use = await self._free_to_connect(machine, volume) if attached is None else None

        async def write(transaction: Transaction) -> Outcome:
            attached = await attached_already(transaction, machine, volume, document)
            if attached is not None:
                return await self._as_it_is(transaction, caller, attached)
            if in_use is None:
                raise Conflict("volume: it was disconnected meanwhile; ask again")
            return await self._connect(transaction, caller, collection, document, in_use)

        return write

    async def _free_to_connect(self, machine: Resource, volume: Resource) -> set[str]:
        """Return the targets that the Machine's disks have. Raises Conflict when the Volume cannot be connected."""
        demand_change(machine, "plug")
        demand_attachable(volume, machine, "volume")
        return await self.targets_in_use(machine)

    async def _as_it_is(self, transaction: Transaction, caller: Caller, attached: Resource) -> Outcome:
        """Answer with the MachineVolume that is there: by the Job that still connects it, or by one of its own."""
        job = attached.held_by
        if job is None:
            plan = self.plan(caller, "add", attached.collection)
            job = await self.room.runner.completed(transaction, plan)
        return Outcome(attached, job, finished=attached.held_by is None, existing=True)

    async def _volume(self, caller: Caller, machine: Resource, document: Document) -> Resource:
        if document.get("initialLocation"):
            target_of(document["initialLocation"])
        volume = await resolve(self.store, caller, document["volume"]["href"], ("Volume",), "volume")
        if not changeable(caller, volume):
            raise Invalid("belongs to somebody else", "volume")
        host = KeptVolume.of(volume).host
        if host != KeptMachine.of(machine).host:
            raise Invalid(f"is on the hypervisor {host}, and the Machine on another", "volume")
        return volume

    async def _connect(
        self, transaction: Transaction, caller: Caller, collection: str, document: Document, in_use: set[str]
    ) -> Outcome:
        machine = await self.demand_machine(transaction, collection.rpartition("/")[0], "plug")
        volume = await transaction.get(document["volume"]["href"])
        if volume is None:
            raise Invalid("is gone", "volume")
        demand_attachable(volume, machine, "volume")
        location, running = document.get("initialLocation"), machine.state != "STOPPED"
        target = free_target(in_use | reserved(machine), location or None, running=running)
        own = {name: document[name] for name in OWN if document.get(name)}
        attachment, machine = await connect(transaction, machine, volume, target, own)
        plan = self.plan(
            caller,
            "add",
            collection,
            steps=(AttachVolume(attachment.path),),
            locks=(machine.path, volume.path),
            affected=(attachment.path, machine.path, volume.path),
            drop_on_failure=(attachment.path,),
            settle=SettleAttachment(attachment.path, "add"),
        )
        return await self.begun(transaction, attachment, plan)

    async def delete(self, caller: Caller, path: str, version: int | None) -> Outcome:
        """Begin a Job that takes the Volume out of the Machine.

        Raises Conflict for a disk that a snapshot holds, and while the Volume is being connected or disconnected.
        """
        attachment = await self.to_change(caller, path, "delete", version)
        machine = await self.machine_for(caller, str(attachment.parent))
        demand_change(machine, "unplug")
        self.up(machine)
        volume = attachment.document["volume"]["href"]
        plan = self.plan(
            caller,
            "delete",
            path,
            steps=(DetachVolume(path),),
            locks=(machine.path, volume),
            affected=(machine.path, volume),
            drop_on_success=(path,),
            settle=SettleAttachment(path, "delete"),
        )
        async with self.store.transaction() as transaction:
            await self.demand_machine(transaction, machine.path, "unplug")
            await demand_uncovered(transaction, machine.path, KeptAttachment.of(attachment).target)
            current = await self.current(transaction, path)
            if current.held_by is not None:
                raise Conflict("the Volume is being connected or disconnected already; wait for that job")
            await self.current(transaction, path, version)
            job = await self.room.runner.submit(transaction, plan)
            current = await transaction.update(current.held(job))
        return Outcome(current, job, finished=False)

"""Capturing: a MachineImage of type IMAGE from the boot disk of a Machine (DSP0263 5.14.1.2, capture).

A Machine that runs stays as it is, and its disk is copied as of one moment. A Machine that is off is held meanwhile, so
that nobody starts it while its disk is read.
"""

from __future__ import annotations

from drivers.base import VolumeFacts
from gateway.errors import Conflict, NoSpace, NotImplementedHere
from gateway.jobs.plan import Plan
from gateway.orchestration.common.contract import Caller, Outcome
from gateway.orchestration.common.first_answers import Write
from gateway.orchestration.common.hosts import translating
from gateway.orchestration.common.resource_service import new_resource
from gateway.orchestration.disks.steps import boot_disk
from gateway.orchestration.images.facts import KeptImage
from gateway.orchestration.machine_core.chain import id_of
from gateway.orchestration.machine_core.facts import KeptMachine
from gateway.orchestration.machine_core.occupancy import hold, refuse_while_copied
from gateway.orchestration.snapshots.capture_steps import CopyBootDisk, SettleCaptured
from gateway.orchestration.snapshots.origin import Origin
from gateway.orchestration.snapshots.requests import ImageRequests, creating
from gateway.store.model import Document, Resource
from gateway.store.transaction import Transaction

FORMAT = "qcow2"
LIVE = frozenset({"STARTED", "PAUSED"})


class CaptureRequests(ImageRequests):
    """The requests that make an IMAGE of a Machine's boot disk."""

    async def prepare_from(self, caller: Caller, origin: Origin, document: Document) -> Write:
        """Check everything about a capture, and return what writes the image with its Job."""
        machine = await self.machine(caller, origin)
        image = await self._image(machine, caller, creating(machine, origin, document))
        plan = self._plan(caller, machine, image)

        async def write(transaction: Transaction) -> Outcome:
            await transaction.insert(image)
            job = await self._submit(transaction, machine, plan)
            return Outcome(await transaction.update(image.held(job)), job, finished=False)

        return write

    async def _submit(self, transaction: Transaction, machine: Resource, plan: Plan) -> str:
        if machine.state not in LIVE:
            return (await hold(transaction, self.room.runner, machine, "capture", plan))[1]
        current = await transaction.get(machine.path)
        if current is None or current.state != machine.state:
            raise Conflict("the Machine has just changed its state; try again")
        # Once more: nobody else writes now, so that no other copy of the guest's disks begins meanwhile.
        await refuse_while_copied(self.store, machine.path)
        return await self.room.runner.submit(transaction, plan)

    async def _image(self, machine: Resource, caller: Caller, document: Document) -> Resource:
        disk = await self._boot_disk(machine)
        image = new_resource(self.kind, caller.project, document)
        kept = KeptMachine.of(machine)
        return KeptImage(
            host=kept.host,
            pool=kept.pool,
            volume=f"cimi-image-{id_of(image.path)}.{FORMAT}",
            format=FORMAT,
            virtual_size=disk.capacity,
            file_size=disk.allocation,
            captured=machine.path,
            uefi=kept.uefi,
        ).on(image)

    async def _boot_disk(self, machine: Resource) -> VolumeFacts:
        """Return the disk's volume, when a copy of it has room in the pool."""
        driver, pool = self.room.driver(machine), KeptMachine.of(machine).pool
        with translating():
            facts, disk = (
                await driver.storage.read_pool(pool),
                await driver.storage.read_volume(pool, boot_disk(machine).volume),
            )
            below = 0 if disk.backing is None else disk.capacity
        if facts.path is None:
            raise NotImplementedHere(f"captured images need a pool of files; {pool} is {facts.kind}")
        needed = min(disk.capacity, disk.allocation + below)
        if needed > facts.available:
            raise NoSpace(f"the pool {pool} has {facts.available} bytes free; the image may need {needed}")
        return disk

    def _plan(self, caller: Caller, machine: Resource, image: Resource) -> Plan:
        live = machine.state in LIVE
        held = () if live else (machine.path,)
        return self.plan(
            caller,
            "capture",
            machine.path,
            steps=(CopyBootDisk(machine.path, image.path, live),),
            locks=(*held, image.path),
            affected=(image.path,),
            drop_on_failure=(image.path,),
            settle=SettleCaptured(machine.path, image.path),
        )

"""Going back: a Machine to one of its snapshots, or with a new boot disk from an image (DSP0263 5.14.1.2, restore)."""

from __future__ import annotations

from typing import Any

from gateway.errors import Conflict, Invalid
from gateway.jobs.plan import OnRestart, Plan
from gateway.orchestration.common.contract import Caller, Outcome
from gateway.orchestration.common.hosts import translating
from gateway.orchestration.common.references import resolve
from gateway.orchestration.images.records import demand_still_available
from gateway.orchestration.machine_core import chain
from gateway.orchestration.machine_core.facts import KeptMachine, KeptSnapshot
from gateway.orchestration.machine_core.names import machine_uuid
from gateway.orchestration.machine_core.occupancy import hold, refuse_while_copied
from gateway.orchestration.machine_core.power_steps import DescribeDomain, PowerOff, StartDomain
from gateway.orchestration.machine_core.states import demand_legal
from gateway.orchestration.snapshots import ability
from gateway.orchestration.snapshots.boot_disk import NewDisk, chosen
from gateway.orchestration.snapshots.boot_disk_steps import (
    DropOldBootDisk,
    NewBootDisk,
    SettleNewBootDisk,
    SwapBootDisk,
)
from gateway.orchestration.snapshots.requests import MachineRequests
from gateway.orchestration.snapshots.steps import RevertToSnapshot, SettleRestored
from gateway.store.model import Resource

WHERE = "image"


class RestoreRequests(MachineRequests):
    """The requests that take a Machine back to a snapshot, or give it a new boot disk."""

    async def begin(self, caller: Caller, machine: Resource, document: dict[str, Any]) -> Outcome:
        """Check the way back to the image that the document names, and begin its Job.

        Raises Invalid and Conflict for an image that the Machine cannot go back to.
        """
        image = await self._image(caller, machine, document)
        demand_legal(machine.state, "restore")
        self.must_be_up(machine)
        await refuse_while_copied(self.store, machine.path)
        if image.document["type"] in chain.KINDS:
            return await self._from_snapshot(caller, machine, image)
        return await self._from_image(caller, machine, image)

    async def _image(self, caller: Caller, machine: Resource, document: dict[str, Any]) -> Resource:
        given = document.get("image", {}).get("href")
        if given is None:
            raise Invalid("is missing: the MachineImage to go back to", WHERE)
        image = await resolve(self.store, caller, given, ("MachineImage",), WHERE)
        if (KeptSnapshot.of(image).machine or machine.path) != machine.path:
            raise Invalid("is a snapshot of another Machine", WHERE)
        if image.state != "AVAILABLE":
            raise Conflict(f"{WHERE}: the image is {image.state}, not AVAILABLE")
        return image

    # From a snapshot

    async def _from_snapshot(self, caller: Caller, machine: Resource, image: Resource) -> Outcome:
        driver = self.room.driver(machine)
        with translating():
            facts = await driver.domains.read(machine_uuid(machine))
            names = {snapshot.name for snapshot in await driver.snapshots.list_all(machine_uuid(machine))}
        if chain.id_of(image.path) not in names:
            raise Conflict("the hypervisor does not have this snapshot any more; delete the image")
        changed = ability.difference(KeptSnapshot.of(image).covered, ability.covered(facts))
        if changed is not None:
            raise Conflict(f"{changed}; bring the Machine to what it was first")
        async with self.store.transaction() as transaction:
            await demand_still_available(transaction, image.path, WHERE)
            await refuse_while_copied(self.store, machine.path)
            plan = self._reverting(caller, machine, image)
            taken, job = await hold(transaction, self.room.runner, machine, "restore", plan)
        return Outcome(taken, job, finished=False)

    def _reverting(self, caller: Caller, machine: Resource, image: Resource) -> Plan:
        return self.plan(
            caller,
            "restore",
            machine.path,
            steps=(RevertToSnapshot(machine.path, image.path), DescribeDomain(machine.path)),
            locks=(machine.path,),
            settle=SettleRestored(machine.path, image.path),
            on_restart=OnRestart.RESUME,
        )

    # From an image

    async def _from_image(self, caller: Caller, machine: Resource, image: Resource) -> Outcome:
        new = await chosen(self.room.driver(machine), machine, image)
        async with self.store.transaction() as transaction:
            await demand_still_available(transaction, image.path, WHERE)
            await refuse_while_copied(self.store, machine.path)
            if await transaction.children(machine.path, "MachineSnapshot"):
                raise Conflict("the Machine's snapshots lie in the boot disk that would go; delete them first")
            plan = self._rebuilding(caller, machine, new)
            taken, job = await hold(transaction, self.room.runner, machine, "restore", plan)
            taken = await transaction.update(KeptMachine.changed(taken, next_image=image.path))
        return Outcome(taken, job, finished=False)

    def _rebuilding(self, caller: Caller, machine: Resource, new: NewDisk) -> Plan:
        """Return the plan, in which a Machine that ran boots from the new disk, and the old one goes last."""
        path = machine.path
        again = (StartDomain(path),) if machine.state in ("STARTED", "PAUSED") else ()
        swap = SwapBootDisk(path, old=new.old, new=new.new)
        return self.plan(
            caller,
            "restore",
            machine.path,
            steps=(PowerOff(path), NewBootDisk(path, new=new.new), swap, *again, DropOldBootDisk(path, old=new.old)),
            locks=(machine.path,),
            settle=SettleNewBootDisk(path),
            on_restart=OnRestart.RESUME,
        )

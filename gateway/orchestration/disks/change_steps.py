"""The steps that give a Machine one more disk of its own, or take one away. Each may be run again after a crash."""

from __future__ import annotations

from typing import Any

from drivers.base import DiskSpec, Driver, DriverError, DriverNotFound
from gateway.jobs.plan import StepCall, StepContext
from gateway.orchestration.attachments.steps import find, unplug
from gateway.orchestration.common.steps import DriverStep
from gateway.orchestration.machine_core.plans import disk_volume, uuid_of
from gateway.store.model import Document, Resource

Arguments = dict[str, Any]


def calls(machine: str, names: tuple[str, ...], target: str) -> tuple[StepCall, ...]:
    return tuple(StepCall(name, {"resource": machine, "target": target}) for name in names)


def settle(machine: str, target: str, action: str) -> StepCall:
    return StepCall("settle disk", {"resource": machine, "target": target, "action": action})


class DiskStep(DriverStep):
    """On one disk of the Machine, which may be gone already."""

    def disk(self, machine: Resource, arguments: Arguments) -> Document | None:
        target = arguments["target"]
        return next((disk for disk in machine.internal["disks"] if disk["target"] == target), None)

    async def plug(self, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        disk = self.disk(machine, arguments)
        if disk is not None:
            name = disk_volume(machine, disk["target"], disk["format"])
            spec = DiskSpec(machine.internal["pool"], name, disk["format"], disk["target"])
            await driver.attach_disk(uuid_of(machine), spec)

    async def remove(self, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        disk = self.disk(machine, arguments)
        if disk is not None:
            name = disk_volume(machine, disk["target"], disk["format"])
            await driver.delete_volume(machine.internal["pool"], name)


class CreateDisk(DiskStep):
    name = "create disk"

    async def do(self, context: StepContext, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        disk = self.disk(machine, arguments)
        if disk is not None:
            name = disk_volume(machine, disk["target"], disk["format"])
            await driver.create_volume(machine.internal["pool"], name, disk["format"], disk["bytes"])

    async def revert(self, context: StepContext, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        await self.remove(machine, driver, arguments)


class AttachDisk(DiskStep):
    name = "attach disk"

    async def do(self, context: StepContext, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        await self.plug(machine, driver, arguments)

    async def revert(self, context: StepContext, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        await driver.detach_disk(uuid_of(machine), arguments["target"], self.room.policy.detach_deadline)


class DetachDisk(DiskStep):
    name = "detach disk"

    async def do(self, context: StepContext, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        await unplug(context, driver, uuid_of(machine), arguments["target"], self.room.policy.detach_deadline)

    async def revert(self, context: StepContext, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        await self.plug(machine, driver, arguments)


class DeleteDisk(DiskStep):
    name = "delete disk"

    async def do(self, context: StepContext, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        await self.remove(machine, driver, arguments)


class SettleDisk(DiskStep):
    """The Disk is there as long as the hypervisor has it."""

    name = "settle disk"

    async def do(self, context: StepContext, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        target = arguments["target"]
        present = await self._present(machine, driver, arguments)
        path = f"{machine.path}/disks/{target}"
        async with self.room.store.transaction() as transaction:
            current, disk = await transaction.get(machine.path), await transaction.get(path)
            if current is None or disk is None:
                return
            if present:
                await transaction.update(disk.with_internal(job=None))
                return
            await transaction.delete(path)
            kept = [known for known in current.internal["disks"] if known["target"] != target]
            await transaction.update(current.with_internal(disks=kept))

    async def _present(self, machine: Resource, driver: Driver, arguments: Arguments) -> bool:
        try:
            disks = (await driver.domain(uuid_of(machine))).disks
        except DriverNotFound:
            return False
        except DriverError:
            return bool((arguments["action"] == "delete") != arguments["succeeded"])
        return find(disks, arguments["target"]) is not None


DISK_CHANGE_STEPS: tuple[type[DriverStep], ...] = (CreateDisk, AttachDisk, DetachDisk, DeleteDisk, SettleDisk)
ADD_STEPS = (CreateDisk.name, AttachDisk.name)
DELETE_STEPS = (DetachDisk.name, DeleteDisk.name)

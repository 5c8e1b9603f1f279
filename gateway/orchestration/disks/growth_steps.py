"""The steps that make a disk of a Machine larger. Each may be run again after a crash."""

from __future__ import annotations

from typing import Any

from drivers.base import Driver
from gateway.jobs.plan import StepCall, StepContext
from gateway.orchestration.common.resource_service import touched
from gateway.orchestration.common.steps import DriverStep
from gateway.orchestration.disks.change_steps import DiskStep
from gateway.orchestration.machine_core.plans import uuid_of, volume_of
from gateway.store.model import Document, Resource
from gateway.store.transaction import Transaction

Arguments = dict[str, Any]


def growing(machine: str, target: str, capacity: int, size: int) -> tuple[StepCall, ...]:
    """``capacity`` in kilobytes is what the Disk then shows, ``size`` in bytes what is made."""
    return (StepCall(GrowDisk.name, {"resource": machine, "target": target, "capacity": capacity, "bytes": size}),)


def settle_grown(machine: str, target: str) -> StepCall:
    return StepCall(SettleGrownDisk.name, {"resource": machine, "target": target})


class GrowDisk(DiskStep):
    """By QEMU where a running guest has it, so that the guest sees it; else in the pool."""

    name = "grow disk"

    async def do(self, context: StepContext, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        disk, size = self.disk(machine, arguments), arguments["bytes"]
        if disk is None:
            return
        if not await driver.grow_disk(uuid_of(machine), disk["target"], size):
            await driver.grow_volume(machine.internal["pool"], volume_of(machine, disk), disk["format"], size)
        async with self.room.store.transaction() as transaction:
            await self._show(transaction, machine, {**disk, "bytes": size, "capacity": arguments["capacity"]})

    async def _show(self, transaction: Transaction, machine: Resource, grown: Document) -> None:
        current = await transaction.get(machine.path)
        shown = await transaction.get(f"{machine.path}/disks/{grown['target']}")
        if current is not None and shown is not None:
            disks = [grown if known["target"] == grown["target"] else known for known in current.internal["disks"]]
            await transaction.update(current.with_internal(disks=disks))
            await transaction.update(touched(shown.with_document(capacity=grown["capacity"])))


class SettleGrownDisk(DriverStep):
    """The Disk is free for the next request; what it shows was written when it grew."""

    name = "settle grown disk"

    async def do(self, context: StepContext, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        async with self.room.store.transaction() as transaction:
            disk = await transaction.get(f"{machine.path}/disks/{arguments['target']}")
            if disk is not None:
                await transaction.update(disk.with_internal(job=None))


DISK_GROWTH_STEPS: tuple[type[DriverStep], ...] = (GrowDisk, SettleGrownDisk)

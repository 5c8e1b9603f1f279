"""The steps that make a disk of a Machine larger. Each may be run again after a crash."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gateway.jobs.plan import Ended
from gateway.orchestration.common.resource_service import touched
from gateway.orchestration.common.step import At, ResourceStep
from gateway.orchestration.disks.change_steps import DiskStep, disk_at
from gateway.orchestration.machine_core.facts import KeptMachine, OwnDisk
from gateway.orchestration.machine_core.names import machine_uuid, volume_of
from gateway.store.model import Resource
from gateway.store.transaction import Transaction


@dataclass(frozen=True)
class GrowDisk(DiskStep):
    """The step that gives a disk more bytes: by QEMU where a running guest has it and sees them; else in the pool."""

    name = "grow disk"
    capacity: int
    """Kilobytes that the Disk then shows."""
    bytes: int

    async def run(self, at: At) -> None:
        """Grow the disk to ``bytes``, and write its new size; do nothing when the disk is gone."""
        machine, disk = at.resource, disk_at(at.resource, self.target)
        if disk is None:
            return
        if not await at.driver.devices.grow_disk(machine_uuid(machine), disk.target, self.bytes):
            pool = KeptMachine.of(machine).pool
            await at.driver.storage.grow_volume(pool, volume_of(machine, disk), disk.format, self.bytes)
        async with at.room.store.transaction() as transaction:
            await _show(transaction, machine, replace(disk, bytes=self.bytes, capacity=self.capacity))


async def _show(transaction: Transaction, machine: Resource, grown: OwnDisk) -> None:
    """Write the disk's new size into the Machine's facts, and into its Disk."""
    current = await transaction.get(machine.path)
    record = await transaction.get(f"{machine.path}/disks/{grown.target}")
    if current is not None and record is not None:
        kept = KeptMachine.of(current)
        disks = tuple(grown if disk.target == grown.target else disk for disk in kept.disks)
        await transaction.update(replace(kept, disks=disks).on(current))
        await transaction.update(touched(record.with_document(capacity=grown.capacity)))


@dataclass(frozen=True)
class SettleGrownDisk(ResourceStep):
    """The step that frees a Disk's record for the next request; its size was written when the disk grew."""

    name = "settle grown disk"
    target: str

    async def settle(self, at: At, ended: Ended) -> None:
        """Free the Disk for the next request."""
        async with at.room.store.transaction() as transaction:
            disk = await transaction.get(f"{at.resource.path}/disks/{self.target}")
            if disk is not None:
                await transaction.update(disk.released())


DISK_GROWTH_STEPS: tuple[type[ResourceStep], ...] = (GrowDisk, SettleGrownDisk)

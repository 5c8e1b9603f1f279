"""The steps that give a Machine one more disk of its own, take one away, or make one larger.

Each may be run again after a crash.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from drivers.base import DiskSpec, DriverError, DriverNotFound
from gateway.jobs.plan import Ended
from gateway.orchestration.attachments.steps import find, unplug
from gateway.orchestration.common.resource_service import touched
from gateway.orchestration.common.step import At, ResourceStep
from gateway.orchestration.machine_core.facts import KeptMachine, OwnDisk
from gateway.orchestration.machine_core.names import disk_volume, machine_uuid, volume_of
from gateway.store.model import Resource
from gateway.store.transaction import Transaction


def disk_at(machine: Resource, target: str) -> OwnDisk | None:
    """Return the Machine's own disk at a device name; None when it is gone."""
    return next((disk for disk in KeptMachine.of(machine).disks if disk.target == target), None)


@dataclass(frozen=True)
class DiskStep(ResourceStep):
    """A step on one disk of the Machine, which may be gone already."""

    target: str
    """libvirt's name of the device."""

    async def plug(self, at: At) -> None:
        """Put the disk into the domain."""
        disk = disk_at(at.resource, self.target)
        if disk is not None:
            name = disk_volume(at.resource, disk.target, disk.format)
            kept = KeptMachine.of(at.resource)
            spec = kept.limits.of_disk(DiskSpec(kept.pool, name, disk.format, disk.target))
            await at.driver.devices.attach_disk(machine_uuid(at.resource), spec)

    async def remove(self, at: At) -> None:
        """Delete the disk's volume."""
        disk = disk_at(at.resource, self.target)
        if disk is not None:
            name = disk_volume(at.resource, disk.target, disk.format)
            await at.driver.storage.delete_volume(KeptMachine.of(at.resource).pool, name)


@dataclass(frozen=True)
class CreateDisk(DiskStep):
    """The step that makes the volume of a new disk."""

    name = "create disk"

    async def run(self, at: At) -> None:
        """Make an empty volume for the disk in the Machine's pool."""
        disk = disk_at(at.resource, self.target)
        if disk is not None:
            name = disk_volume(at.resource, disk.target, disk.format)
            await at.driver.storage.create_volume(KeptMachine.of(at.resource).pool, name, disk.format, disk.bytes)

    async def undo(self, at: At) -> None:
        """Delete the disk's volume."""
        await self.remove(at)


@dataclass(frozen=True)
class AttachDisk(DiskStep):
    """The step that plugs a disk into the domain."""

    name = "attach disk"

    async def run(self, at: At) -> None:
        """Plug the disk into the domain."""
        await self.plug(at)

    async def undo(self, at: At) -> None:
        """Take the disk out of the domain."""
        await at.driver.devices.detach_disk(machine_uuid(at.resource), self.target, at.room.policy.detach_deadline)


@dataclass(frozen=True)
class DetachDisk(DiskStep):
    """The step that takes a disk out of the domain."""

    name = "detach disk"

    async def run(self, at: At) -> None:
        """Take the disk out of the domain. Raises StopRequested when the Job is stopped before the guest lets go."""
        seconds = at.room.policy.detach_deadline
        await unplug(at.job, at.driver, machine_uuid(at.resource), self.target, seconds)

    async def undo(self, at: At) -> None:
        """Plug the disk into the domain again."""
        await self.plug(at)


@dataclass(frozen=True)
class DeleteDisk(DiskStep):
    """The step that deletes a disk's volume."""

    name = "delete disk"

    async def run(self, at: At) -> None:
        """Delete the disk's volume."""
        await self.remove(at)


@dataclass(frozen=True)
class SettleDisk(DiskStep):
    """The step that keeps a Disk's record as long as the hypervisor has the disk."""

    name = "settle disk"
    action: str = "add"

    async def settle(self, at: At, ended: Ended) -> None:
        """Free the Disk for the next request, or delete its record and the Machine's facts of it when it is gone."""
        present = await self._present(at, ended)
        path = f"{at.resource.path}/disks/{self.target}"
        async with at.room.store.transaction() as transaction:
            current, disk = await transaction.get(at.resource.path), await transaction.get(path)
            if current is None or disk is None:
                return
            if present:
                await transaction.update(disk.released())
                return
            await transaction.delete(path)
            kept = KeptMachine.of(current)
            disks = tuple(other for other in kept.disks if other.target != self.target)
            await transaction.update(replace(kept, disks=disks).on(current))

    async def _present(self, at: At, ended: Ended) -> bool:
        try:
            disks = (await at.driver.domains.read(machine_uuid(at.resource))).disks
        except DriverNotFound:
            return False
        except DriverError:
            return (self.action == "delete") != ended.succeeded
        return find(disks, self.target) is not None


DISK_CHANGE_STEPS: tuple[type[ResourceStep], ...] = (CreateDisk, AttachDisk, DetachDisk, DeleteDisk, SettleDisk)


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

"""The steps that give a Machine one more disk of its own, or take one away. Each may be run again after a crash."""

from __future__ import annotations

from dataclasses import dataclass, replace

from drivers.base import DiskSpec, DriverError, DriverNotFound
from gateway.jobs.plan import Ended
from gateway.orchestration.attachments.steps import find, unplug
from gateway.orchestration.common.step import At, ResourceStep
from gateway.orchestration.machine_core.facts import KeptMachine, OwnDisk
from gateway.orchestration.machine_core.names import disk_volume, machine_uuid
from gateway.store.model import Resource


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
            spec = DiskSpec(KeptMachine.of(at.resource).pool, name, disk.format, disk.target)
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

"""The steps that plug a Volume into a Machine and out of it. Each may be run again after a crash."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from drivers.base import DiskFacts, Driver, DriverError, DriverNotFound
from gateway.jobs.plan import Ended, StepContext, StopRequested
from gateway.orchestration.attachments.connections import disconnect, disk_spec
from gateway.orchestration.attachments.facts import KeptAttachment
from gateway.orchestration.common.step import At, ResourceStep
from gateway.orchestration.machine_core.facts import KeptMachine
from gateway.store.model import Resource

AT_ONCE, LOOK_EVERY = 1.0, 0.3


def parent_uuid(component: Resource) -> str:
    """Return the UUID of the domain of the Machine that a resource is a component of."""
    return str(component.parent).rpartition("/")[2]


async def unplug(context: StepContext, driver: Driver, uuid: str, target: str, seconds: float) -> None:
    """Wait until the disk is gone, for so many seconds; raise StopRequested when the Job is to stop meanwhile.

    The guest may let go later nevertheless.
    """
    leaving = asyncio.ensure_future(driver.devices.detach_disk(uuid, target, seconds))
    try:
        await asyncio.wait({leaving}, timeout=AT_ONCE)
        while not leaving.done():
            if await context.wait_stop(LOOK_EVERY):
                raise StopRequested
        leaving.result()
    except BaseException:
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        raise


def find(disks: tuple[DiskFacts, ...], target: str) -> DiskFacts | None:
    """Return the disk at a device name; None when there is none."""
    return next((disk for disk in disks if disk.target == target), None)


async def _plug(at: At) -> None:
    """Plug the Volume into the domain, within the bounds of the Machine's guest."""
    machine, spec = await at.room.store.get(at.resource.parent or ""), disk_spec(at.resource)
    bounded = KeptMachine.of(machine).limits.of_disk(spec) if machine is not None else spec
    await at.driver.devices.attach_disk(parent_uuid(at.resource), bounded)


@dataclass(frozen=True)
class AttachVolume(ResourceStep):
    """The step that plugs a Volume into the domain."""

    name = "attach volume"

    async def run(self, at: At) -> None:
        """Plug the Volume into the domain."""
        await _plug(at)

    async def undo(self, at: At) -> None:
        """Take the Volume out of the domain."""
        target, seconds = KeptAttachment.of(at.resource).target, at.room.policy.detach_deadline
        await at.driver.devices.detach_disk(parent_uuid(at.resource), target, seconds)


@dataclass(frozen=True)
class DetachVolume(ResourceStep):
    """The step that takes a Volume out of the domain."""

    name = "detach volume"

    async def run(self, at: At) -> None:
        """Take the Volume out of the domain. Raises StopRequested when the Job is stopped before the guest lets go."""
        target, seconds = KeptAttachment.of(at.resource).target, at.room.policy.detach_deadline
        await unplug(at.job, at.driver, parent_uuid(at.resource), target, seconds)

    async def undo(self, at: At) -> None:
        """Plug the Volume into the domain again."""
        await _plug(at)


@dataclass(frozen=True)
class SettleAttachment(ResourceStep):
    """The step that keeps a MachineVolume as long as the hypervisor has the disk."""

    name = "settle attachment"
    action: str

    async def settle(self, at: At, ended: Ended) -> None:
        """Free the MachineVolume for the next request, or delete it with its marks when its disk is gone."""
        leaves = self.action == "delete"
        present = await _present(at, expected=leaves != ended.succeeded)
        async with at.room.store.transaction() as transaction:
            current = await transaction.get(at.resource.path)
            if current is None:
                return
            if not present:
                await disconnect(transaction, current)
                return
            await transaction.update(KeptAttachment.changed(current.released(), releasing=leaves))


async def _present(at: At, *, expected: bool) -> bool:
    """Return whether the domain has the disk; while the hypervisor is away what the job's outcome makes expected."""
    try:
        disks = (await at.driver.domains.read(parent_uuid(at.resource))).disks
    except DriverNotFound:
        return False
    except DriverError:
        return expected
    return find(disks, KeptAttachment.of(at.resource).target) is not None


ATTACHMENT_STEPS: tuple[type[ResourceStep], ...] = (AttachVolume, DetachVolume, SettleAttachment)

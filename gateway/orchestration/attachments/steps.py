"""The steps that plug a Volume into a Machine and out of it. Each may be run again after a crash."""

from __future__ import annotations

import asyncio
from typing import Any

from drivers.base import DiskFacts, Driver, DriverError, DriverNotFound
from gateway.jobs.plan import StepCall, StepContext, Superseded
from gateway.orchestration.attachments.connections import disconnect, disk_spec
from gateway.orchestration.common.steps import DriverStep
from gateway.store.model import Resource

AT_ONCE, LOOK_EVERY = 1.0, 0.3
Arguments = dict[str, Any]


def machine_uuid(component: Resource) -> str:
    """UUID of the domain of the Machine that this is a component of."""
    return str(component.parent).rpartition("/")[2]


def call(step: str, attachment: str) -> StepCall:
    return StepCall(step, {"resource": attachment})


def settle(attachment: str, action: str) -> StepCall:
    return StepCall("settle attachment", {"resource": attachment, "action": action})


async def unplug(context: StepContext, driver: Driver, uuid: str, target: str, seconds: float) -> None:
    """Wait until the disk is gone; break off when the job is to stop. The guest may let go later nevertheless."""
    leaving = asyncio.ensure_future(driver.detach_disk(uuid, target, seconds))
    try:
        await asyncio.wait({leaving}, timeout=AT_ONCE)
        while not leaving.done():
            if await context.wait_stop(LOOK_EVERY):
                raise Superseded
        leaving.result()
    except BaseException:
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        raise


class AttachVolume(DriverStep):
    name = "attach volume"

    async def do(self, context: StepContext, attachment: Resource, driver: Driver, arguments: Arguments) -> None:
        await driver.attach_disk(machine_uuid(attachment), disk_spec(attachment))

    async def revert(self, context: StepContext, attachment: Resource, driver: Driver, arguments: Arguments) -> None:
        seconds = self.room.policy.detach_deadline
        await driver.detach_disk(machine_uuid(attachment), attachment.internal["target"], seconds)


class DetachVolume(DriverStep):
    name = "detach volume"

    async def do(self, context: StepContext, attachment: Resource, driver: Driver, arguments: Arguments) -> None:
        target, seconds = attachment.internal["target"], self.room.policy.detach_deadline
        await unplug(context, driver, machine_uuid(attachment), target, seconds)

    async def revert(self, context: StepContext, attachment: Resource, driver: Driver, arguments: Arguments) -> None:
        await driver.attach_disk(machine_uuid(attachment), disk_spec(attachment))


class SettleAttachment(DriverStep):
    """The MachineVolume is there as long as the hypervisor has the disk."""

    name = "settle attachment"

    async def do(self, context: StepContext, attachment: Resource, driver: Driver, arguments: Arguments) -> None:
        asked_to_go = arguments["action"] == "delete"
        present = await self._present(attachment, driver, kept=asked_to_go != arguments["succeeded"])
        async with self.room.store.transaction() as transaction:
            current = await transaction.get(attachment.path)
            if current is None:
                return
            if not present:
                await disconnect(transaction, current)
                return
            await transaction.update(current.released().with_internal(releasing=asked_to_go or None))

    async def _present(self, attachment: Resource, driver: Driver, *, kept: bool) -> bool:
        """``kept`` is what the job's outcome says; it counts while the hypervisor is away."""
        try:
            disks = (await driver.domain(machine_uuid(attachment))).disks
        except DriverNotFound:
            return False
        except DriverError:
            return kept
        return find(disks, attachment.internal["target"]) is not None


def find(disks: tuple[DiskFacts, ...], target: str) -> DiskFacts | None:
    return next((disk for disk in disks if disk.target == target), None)


ATTACHMENT_STEPS: tuple[type[DriverStep], ...] = (AttachVolume, DetachVolume, SettleAttachment)

"""The steps that put a boot disk made anew from an image in the place of the old one.

The old disk goes last, when the Machine runs from the new one: until then each step can be taken back.
"""

from __future__ import annotations

from typing import Any

from drivers.base import Driver
from gateway.jobs.plan import StepContext
from gateway.orchestration.common.steps import DriverStep
from gateway.orchestration.disks.steps import make_boot_disk
from gateway.orchestration.machine_core.plans import uuid_of
from gateway.orchestration.machine_core.truth import true_state
from gateway.store.model import Document, Resource

Arguments = dict[str, Any]


class NewBootDisk(DriverStep):
    name = "new boot disk"

    async def do(self, context: StepContext, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        new = arguments["new"]
        await make_boot_disk(context, driver, machine.internal["pool"], new["volume"], new, new)

    async def revert(self, context: StepContext, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        await driver.delete_volume(machine.internal["pool"], arguments["new"]["volume"])


class SwapBootDisk(DriverStep):
    """The domain first, then the record: a step taken up again does both anew."""

    name = "swap boot disk"

    async def do(self, context: StepContext, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        await self._point(machine, driver, arguments["new"])

    async def revert(self, context: StepContext, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        await driver.power_off(uuid_of(machine))
        await self._point(machine, driver, arguments["old"])

    async def _point(self, machine: Resource, driver: Driver, wanted: Document) -> None:
        target = machine.internal["disks"][0]["target"]
        await driver.replace_disk(
            uuid_of(machine), target, machine.internal["pool"], wanted["volume"], wanted["format"]
        )
        async with self.room.store.transaction() as transaction:
            current = await transaction.get(machine.path)
            disk = await transaction.get(f"{machine.path}/disks/{target}")
            if current is None:
                return
            known = ("volume", "format", "bytes", "capacity")
            first = {**current.internal["disks"][0], **{name: wanted[name] for name in known}}
            disks = [first, *current.internal["disks"][1:]]
            facts = {name: wanted[name] for name in ("image", "image_volume", "image_format", "overlay")}
            await transaction.update(current.with_internal(disks=disks, **facts))
            if disk is not None:
                await transaction.update(disk.with_document(capacity=wanted["capacity"]))


class DropOldBootDisk(DriverStep):
    name = "drop old boot disk"

    async def do(self, context: StepContext, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        await driver.delete_volume(machine.internal["pool"], arguments["old"]["volume"])


class SettleNewBootDisk(DriverStep):
    name = "settle new boot disk"

    async def do(self, context: StepContext, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        state = await true_state(self.room, machine, driver)
        async with self.room.store.transaction() as transaction:
            current = await transaction.get(machine.path)
            if current is not None and current.internal.get("job") == context.job:
                known = current.with_document(state=state).with_internal(job=None, next_image=None)
                await transaction.update(known)


BOOT_DISK_STEPS: tuple[type[DriverStep], ...] = (NewBootDisk, SwapBootDisk, DropOldBootDisk, SettleNewBootDisk)

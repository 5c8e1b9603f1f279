"""The steps of a capture: copy the boot disk, and what is true at the end. Each may be run again after a crash."""

from __future__ import annotations

from typing import Any

from drivers.base import Driver, DriverConflict
from gateway.jobs.plan import StepContext
from gateway.orchestration.common.steps import DriverStep, unless_stopped
from gateway.orchestration.images.records import settle_copied
from gateway.orchestration.machine_core.plans import uuid_of
from gateway.orchestration.machine_core.states import refuse_other_power
from gateway.orchestration.machine_core.truth import true_state
from gateway.orchestration.snapshots.capture import boot_volume
from gateway.store.model import Resource

Arguments = dict[str, Any]


class CopyBootDisk(DriverStep):
    """A flat copy, without what snapshots left in the disk's file."""

    name = "copy boot disk"

    async def do(self, context: StepContext, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        image = await self.room.store.get(arguments["image"])
        if image is None:
            return
        refuse_other_power((await driver.domain(uuid_of(machine))).power, arguments["live"])
        pool, volume = image.internal["pool"], image.internal["volume"]
        disk = machine.internal["disks"][0]
        if arguments["live"]:
            copying = driver.copy_active_disk(uuid_of(machine), disk["target"], pool, volume, context.progress)
        else:
            await self._refuse_other_format(driver, machine)
            copying = driver.clone_volume(pool, volume, boot_volume(machine), "qcow2", 0, context.progress)
        made = await unless_stopped(context, copying)
        async with self.room.store.transaction() as transaction:
            current = await transaction.get(image.path)
            if current is not None:
                known = current.with_internal(virtual_size=made.capacity, file_size=made.physical)
                await transaction.update(known.with_document(size=made.physical or None))

    async def _refuse_other_format(self, driver: Driver, machine: Resource) -> None:
        """libvirt reads a disk as what it looks like: a guest may have written another format's header into its own."""
        disk = machine.internal["disks"][0]
        found = (await driver.volume(machine.internal["pool"], boot_volume(machine))).format
        if found != disk["format"]:
            raise DriverConflict(f"the disk is {disk['format']}, but its first bytes say {found}; it is not copied")

    async def revert(self, context: StepContext, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        image = await self.room.store.get(arguments["image"])
        if image is None:
            return
        pool, volume = image.internal["pool"], image.internal["volume"]
        if arguments["live"]:
            await driver.discard_copy(uuid_of(machine), pool, volume)
        else:
            await driver.delete_volume(pool, volume)


class SettleCaptured(DriverStep):
    name = "settle captured"

    async def do(self, context: StepContext, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        state = await true_state(self.room, machine, driver)
        async with self.room.store.transaction() as transaction:
            image, current = await transaction.get(arguments["image"]), await transaction.get(machine.path)
            if image is not None:
                await settle_copied(transaction, image, arguments)
            if current is not None and current.internal.get("job") == context.job:
                await transaction.update(current.with_document(state=state).with_internal(job=None))


CAPTURE_STEPS: tuple[type[DriverStep], ...] = (CopyBootDisk, SettleCaptured)

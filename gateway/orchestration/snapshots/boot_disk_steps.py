"""The steps that put a boot disk made anew from an image in the place of the old one.

The old disk goes last, when the Machine runs from the new one: until then each step can be taken back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from gateway.jobs.plan import Ended
from gateway.orchestration.common.step import At, ResourceStep
from gateway.orchestration.disks.steps import BootDisk, make_boot_disk
from gateway.orchestration.machine_core.facts import KeptMachine
from gateway.orchestration.machine_core.names import machine_uuid
from gateway.orchestration.machine_core.whereabouts import true_state


@dataclass(frozen=True)
class NewBootDisk(ResourceStep):
    """The step that makes the volume of the new boot disk."""

    name = "new boot disk"
    weight: ClassVar[int] = 10
    new: BootDisk

    async def run(self, at: At) -> None:
        """Make the volume of the image: an overlay, or a copy."""
        await make_boot_disk(at.job, at.driver, KeptMachine.of(at.resource).pool, self.new)

    async def undo(self, at: At) -> None:
        """Delete the new volume."""
        await at.driver.storage.delete_volume(KeptMachine.of(at.resource).pool, self.new.volume)


@dataclass(frozen=True)
class SwapBootDisk(ResourceStep):
    """The step that puts the new boot disk in the place of the old one: in the domain first, then in the record."""

    name = "swap boot disk"
    old: BootDisk
    new: BootDisk

    async def run(self, at: At) -> None:
        """Boot from the new disk."""
        await _boot_from(at, self.new)

    async def undo(self, at: At) -> None:
        """Cut the power, and boot from the old disk."""
        await at.driver.domains.power_off(machine_uuid(at.resource))
        await _boot_from(at, self.old)


async def _boot_from(at: At, disk: BootDisk) -> None:
    kept = KeptMachine.of(at.resource)
    target = kept.disks[0].target
    await at.driver.devices.replace_disk(machine_uuid(at.resource), target, kept.pool, disk.volume, disk.format)
    async with at.room.store.transaction() as transaction:
        current = await transaction.get(at.resource.path)
        record = await transaction.get(f"{at.resource.path}/disks/{target}")
        if current is None:
            return
        kept = KeptMachine.of(current)
        first = replace(kept.disks[0], volume=disk.volume, format=disk.format, bytes=disk.bytes, capacity=disk.capacity)
        kept = replace(
            kept,
            disks=(first, *kept.disks[1:]),
            image=disk.image,
            image_volume=disk.image_volume,
            image_format=disk.image_format,
            overlay=disk.overlay,
        )
        await transaction.update(kept.on(current))
        if record is not None:
            await transaction.update(record.with_document(capacity=disk.capacity))


@dataclass(frozen=True)
class DropOldBootDisk(ResourceStep):
    """The step that deletes the old boot disk."""

    name = "drop old boot disk"
    old: BootDisk

    async def run(self, at: At) -> None:
        """Delete the old disk's volume."""
        await at.driver.storage.delete_volume(KeptMachine.of(at.resource).pool, self.old.volume)


@dataclass(frozen=True)
class SettleNewBootDisk(ResourceStep):
    """The step that frees the Machine's record, and shows the state that the hypervisor reports."""

    name = "settle new boot disk"

    async def settle(self, at: At, ended: Ended) -> None:
        """Write the domain's true state, and free the Machine, if this Job holds it."""
        state = await true_state(at.room, at.resource, at.driver)
        async with at.room.store.transaction() as transaction:
            current = await transaction.get(at.resource.path)
            if current is not None and current.held_by == at.job.job:
                settled = current.with_document(state=state).released()
                await transaction.update(KeptMachine.changed(settled, next_image=None))


BOOT_DISK_STEPS: tuple[type[ResourceStep], ...] = (NewBootDisk, SwapBootDisk, DropOldBootDisk, SettleNewBootDisk)

"""The steps of a capture: copy the boot disk, and what is true at the end. Each may be run again after a crash."""

from __future__ import annotations

from dataclasses import dataclass

from drivers.base import BaseVolume, DriverConflict, NewVolume
from gateway.jobs.plan import Ended
from gateway.orchestration.common.step import At, ResourceStep, unless_stopped
from gateway.orchestration.disks.steps import boot_disk
from gateway.orchestration.images.facts import KeptImage
from gateway.orchestration.images.records import settle_copied, write_sizes
from gateway.orchestration.machine_core.facts import KeptMachine
from gateway.orchestration.machine_core.names import machine_uuid
from gateway.orchestration.machine_core.states import refuse_other_power
from gateway.orchestration.machine_core.whereabouts import true_state


@dataclass(frozen=True)
class CopyBootDisk(ResourceStep):
    """The step that makes a flat copy of the boot disk, without what snapshots left in the disk's file."""

    name = "copy boot disk"
    image: str
    """Path of the new MachineImage."""
    live: bool
    """The guest runs: its disk is copied as of one moment."""

    async def run(self, at: At) -> None:
        """Copy the boot disk, and write the image's sizes. Raises StopRequested when the Job is stopped meanwhile.

        Raises DriverConflict for a guest that was started or stopped before, and for a disk with another format's
        header.
        """
        image, uuid = await at.room.store.get(self.image), machine_uuid(at.resource)
        if image is None:
            return
        refuse_other_power((await at.driver.domains.read(uuid)).power, self.live)
        pool, volume = _place(KeptImage.of(image))
        if self.live:
            target = KeptMachine.of(at.resource).disks[0].target
            copying = at.driver.copies.make(uuid, target, pool, volume, at.job.progress)
        else:
            await _refuse_other_format(at)
            below = boot_disk(at.resource).volume
            copying = at.driver.storage.clone_volume(
                NewVolume(pool, volume, "qcow2", 0), BaseVolume(below), at.job.progress
            )
        made = await unless_stopped(at.job, copying)
        await write_sizes(at.room.store, image.path, made)

    async def undo(self, at: At) -> None:
        """Delete the copy."""
        image = await at.room.store.get(self.image)
        if image is None:
            return
        pool, volume = _place(KeptImage.of(image))
        if self.live:
            await at.driver.copies.discard(machine_uuid(at.resource), pool, volume)
        else:
            await at.driver.storage.delete_volume(pool, volume)


def _place(kept: KeptImage) -> tuple[str, str]:
    """Return the pool and the name in it of an image that has bytes of its own."""
    return kept.pool or "", kept.volume or ""


async def _refuse_other_format(at: At) -> None:
    """Raise DriverConflict for a disk that libvirt would read as another format than it has.

    A guest may have written another format's header into its own disk.
    """
    disk = boot_disk(at.resource)
    seen = (await at.driver.storage.read_volume(KeptMachine.of(at.resource).pool, disk.volume)).format
    if seen != disk.format:
        raise DriverConflict(f"the disk is {disk.format}, but its first bytes say {seen}; it is not copied")


@dataclass(frozen=True)
class SettleCaptured(ResourceStep):
    """The step that settles the image's record, and that of a Machine that was held meanwhile."""

    name = "settle captured"
    image: str

    async def settle(self, at: At, ended: Ended) -> None:
        """Settle the image, and free the Machine in its true state, if this Job holds it."""
        state = await true_state(at.room, at.resource, at.driver)
        async with at.room.store.transaction() as transaction:
            image, current = await transaction.get(self.image), await transaction.get(at.resource.path)
            if image is not None:
                await settle_copied(transaction, image, ended)
            if current is not None and current.held_by == at.job.job:
                await transaction.update(current.with_document(state=state).released())


CAPTURE_STEPS: tuple[type[ResourceStep], ...] = (CopyBootDisk, SettleCaptured)

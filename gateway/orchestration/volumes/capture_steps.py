"""The steps that make an image of a Volume: copy it, and say what is true. Each may be run again after a crash."""

from __future__ import annotations

from dataclasses import dataclass

from drivers.base import BaseVolume, NewVolume, VolumeFacts
from gateway.jobs.plan import Ended
from gateway.orchestration.common.step import At, ResourceStep, unless_stopped
from gateway.orchestration.images.facts import KeptImage
from gateway.orchestration.images.records import settle_copied, write_sizes
from gateway.orchestration.machine_core.names import machine_uuid
from gateway.orchestration.machine_core.states import refuse_other_power
from gateway.orchestration.machine_core.whereabouts import true_state
from gateway.orchestration.volumes.facts import KeptVolume
from gateway.orchestration.volumes.truth import as_seen, in_pool


@dataclass(frozen=True)
class VolumeCopyStep(ResourceStep):
    """A step on a Volume that an image is made of."""

    image: str
    """Path of the new VolumeImage."""
    live: bool
    """A guest writes the Volume: it is copied as of one moment, by the guest's own hypervisor process."""
    machines: tuple[str, ...]
    """Paths of the Machines that have the Volume; of a live copy, of the one that writes it."""
    target: str | None = None
    """libvirt's name of the device in that one."""

    def writer_uuid(self) -> str:
        """Return the UUID of the domain that writes the Volume meanwhile."""
        return self.machines[0].rpartition("/")[2]


@dataclass(frozen=True)
class CopyVolume(VolumeCopyStep):
    """The step that makes a flat copy, as of one moment where a guest writes the Volume meanwhile."""

    name = "copy volume"

    async def run(self, at: At) -> None:
        """Copy the Volume, and write the image's sizes.

        Raises DriverConflict for a Machine that was switched meanwhile.
        """
        image = await at.room.store.get(self.image)
        if image is None:
            return
        for path in self.machines:
            machine = await at.room.store.get(path)
            if machine is not None:
                refuse_other_power((await at.driver.domains.read(machine_uuid(machine))).power, self.live)
        made = await unless_stopped(at.job, self._copied(at, KeptImage.of(image)))
        await write_sizes(at.room.store, image.path, made)

    async def undo(self, at: At) -> None:
        """Remove the copy."""
        image = await at.room.store.get(self.image)
        if image is None:
            return
        kept = KeptImage.of(image)
        if self.live:
            await at.driver.copies.discard(self.writer_uuid(), kept.pool, kept.volume)
        else:
            await at.driver.storage.delete_volume(kept.pool, kept.volume)

    async def _copied(self, at: At, image: KeptImage) -> VolumeFacts:
        if self.live:
            uuid, target = self.writer_uuid(), self.target or ""
            return await at.driver.copies.make(uuid, target, image.pool, image.volume, at.job.progress)
        kept = KeptVolume.of(at.resource)
        return await at.driver.storage.clone_volume(
            NewVolume(image.pool, image.volume, image.format, 0),
            BaseVolume(kept.volume, kept.pool, kept.format),
            at.job.progress,
        )


@dataclass(frozen=True)
class SettleCopiedVolume(VolumeCopyStep):
    """The step that settles the records after a copy: the image's, and those of what was held meanwhile."""

    name = "settle copied volume"

    async def settle(self, at: At, ended: Ended) -> None:
        """Write the states of the image, the Volume and the held Machines, and release them."""
        states = await self._states(at)
        seen = None if ended.succeeded else await in_pool(at.resource, at.driver)
        async with at.room.store.transaction() as transaction:
            image, current = await transaction.get(self.image), await transaction.get(at.resource.path)
            if image is not None:
                await settle_copied(transaction, image, ended)
            if current is not None and current.held_by == at.job.job:
                free = current.with_document(state="AVAILABLE").released()
                await transaction.update(free if seen is None else as_seen(free, seen))
            for path, state in states.items():
                machine = await transaction.get(path)
                if machine is not None and machine.held_by == at.job.job:
                    await transaction.update(machine.with_document(state=state).released())

    async def _states(self, at: At) -> dict[str, str]:
        """Return the true states of the Machines that were held, by their paths."""
        held = () if self.live else self.machines
        machines = [await at.room.store.get(path) for path in held]
        there = [machine for machine in machines if machine is not None]
        return {machine.path: await true_state(at.room, machine, at.driver) for machine in there}


CAPTURE_VOLUME_STEPS: tuple[type[ResourceStep], ...] = (CopyVolume, SettleCopiedVolume)

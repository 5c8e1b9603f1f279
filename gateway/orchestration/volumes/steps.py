"""The steps that make, grow and remove a Volume's storage. Each may be run again after a crash."""

from __future__ import annotations

from dataclasses import dataclass

from drivers.base import BaseVolume, Driver, DriverNotFound, NewVolume, VolumeFacts
from gateway.errors import Invalid
from gateway.jobs.plan import Ended
from gateway.orchestration.common.step import At, ResourceStep, unless_stopped
from gateway.orchestration.volumes.availability import gave_back, made_available
from gateway.orchestration.volumes.content import too_small
from gateway.orchestration.volumes.facts import Connection, KeptVolume
from gateway.orchestration.volumes.file_systems import FormatVolume, tell_unformatted
from gateway.orchestration.volumes.pools import KILOBYTE
from gateway.orchestration.volumes.truth import as_seen, in_pool

SECTOR = 512
"""Bytes. Disks are made of whole sectors, also where the image's last was not."""


@dataclass(frozen=True)
class CreateVolume(ResourceStep):
    """The step that makes a Volume empty, as an overlay of its image, or as a copy; then it is AVAILABLE."""

    name = "create volume"

    async def run(self, at: At) -> None:
        """Make the storage, and make the Volume available."""
        await tell_unformatted(at.job, at.resource)
        made = await unless_stopped(at.job, self._make(at, KeptVolume.of(at.resource)))
        await made_available(at.room, at.resource, made)

    async def undo(self, at: At) -> None:
        """Remove the storage and the record."""
        kept = KeptVolume.of(at.resource)
        await at.driver.storage.delete_volume(kept.pool, kept.volume)
        gave_back(at.room, at.resource)
        await _forget(at)

    async def _make(self, at: At, kept: KeptVolume) -> VolumeFacts:
        pool, name, size = kept.pool, kept.volume, kept.bytes
        if kept.image is None:
            return await at.driver.storage.create_volume(pool, name, kept.format, size)
        if kept.overlay:
            return await at.driver.storage.overlay_volume(pool, name, kept.image_volume, kept.image_format, size)
        await at.job.log(f"{name} becomes a copy of {kept.image_volume}")
        return await at.driver.storage.clone_volume(
            NewVolume(pool, name, kept.format, size),
            BaseVolume(kept.image_volume, kept.image_pool, kept.image_format),
            at.job.progress,
        )


async def _forget(at: At) -> None:
    """Remove the record of a Volume whose create is undone."""
    async with at.room.store.transaction() as transaction:
        await transaction.delete(at.resource.path)


@dataclass(frozen=True)
class ReserveVolume(ResourceStep):
    """The step whose undoing takes the record away, after all that the other steps of the create made."""

    name = "reserve volume"

    async def run(self, at: At) -> None:
        """Say in the Job's log what is not made; the record was written with the Job."""
        # The record was written with the Job.
        await tell_unformatted(at.job, at.resource)

    async def undo(self, at: At) -> None:
        """Remove what was staged for it, and the record, once there is no storage: another undo may not have worked."""
        await at.room.images.staging.remove(at.resource)
        kept = KeptVolume.of(at.resource)
        await at.driver.storage.delete_volume(kept.pool, kept.volume)
        gave_back(at.room, at.resource)
        await _forget(at)


@dataclass(frozen=True)
class FitVolume(ResourceStep):
    """The step that gives a Volume that an image was put into the requested size, and makes it AVAILABLE."""

    name = "fit volume"

    async def run(self, at: At) -> None:
        """Grow the storage to the size that was asked for. Raises Invalid when the image is larger."""
        kept = KeptVolume.of(at.resource)
        if kept.virtual_size > -(-at.resource.document["capacity"] * KILOBYTE // SECTOR) * SECTOR:
            raise Invalid(too_small(kept.virtual_size), "volumeConfig.capacity")
        made = await at.driver.storage.read_volume(kept.pool, kept.volume)
        if made.capacity < kept.bytes and at.driver.storage.can_grow(await at.driver.storage.read_pool(kept.pool)):
            made = await at.driver.storage.grow_volume(kept.pool, kept.volume, kept.format, kept.bytes)
        await made_available(at.room, at.resource, made)
        await at.room.images.staging.remove(at.resource)


@dataclass(frozen=True)
class GrowVolume(ResourceStep):
    """The step that grows a Volume: by QEMU where a running guest has it, which its guest sees; else in the pool."""

    name = "grow volume"
    bytes: int
    capacity: int
    """Kilobytes, as the Volume shows them."""

    async def run(self, at: At) -> None:
        """Grow the storage, and write the new size."""
        kept, grown = KeptVolume.of(at.resource), False
        for path in kept.attachments:
            attachment = await at.room.store.get(path)
            if attachment is not None:
                machine = str(attachment.parent).rpartition("/")[2]
                grown = await self._grow_live(at.driver, machine, Connection.of(attachment).target) or grown
        if not grown:
            await at.driver.storage.grow_volume(kept.pool, kept.volume, kept.format, self.bytes)
        async with at.room.store.transaction() as transaction:
            current = await transaction.get(at.resource.path)
            if current is not None:
                larger = current.with_document(capacity=self.capacity)
                await transaction.update(KeptVolume.changed(larger, bytes=self.bytes))

    async def _grow_live(self, driver: Driver, machine: str, target: str) -> bool:
        """Grow the disk of a Machine (its UUID). Return whether a running guest has it."""
        try:
            return await driver.devices.grow_disk(machine, target, self.bytes)
        except DriverNotFound:
            return False


@dataclass(frozen=True)
class DeleteVolume(ResourceStep):
    """The step that deletes a Volume's storage."""

    name = "delete volume"
    leaves = "what is in the volume"

    async def run(self, at: At) -> None:
        """Remove the storage from its pool."""
        kept = KeptVolume.of(at.resource)
        await at.driver.storage.delete_volume(kept.pool, kept.volume)
        gave_back(at.room, at.resource)


@dataclass(frozen=True)
class SettleVolume(ResourceStep):
    """The step that ends every Job of a Volume: its record says what the pool holds, and goes when that is nothing."""

    name = "settle volume"
    action: str

    async def settle(self, at: At, ended: Ended) -> None:
        """Write what the pool says of the Volume, or remove the record of a deleted one."""
        gone = self.action == "delete" and ended.succeeded
        seen = None if gone or ended.succeeded else await in_pool(at.resource, at.driver)
        async with at.room.store.transaction() as transaction:
            current = await transaction.get(at.resource.path)
            if current is None:
                return
            if gone:
                await transaction.delete(at.resource.path)
                return
            settled = current.released()
            await transaction.update(settled if seen is None else as_seen(settled, seen))


VOLUME_STEPS: tuple[type[ResourceStep], ...] = (
    CreateVolume,
    ReserveVolume,
    FormatVolume,
    FitVolume,
    GrowVolume,
    DeleteVolume,
    SettleVolume,
)

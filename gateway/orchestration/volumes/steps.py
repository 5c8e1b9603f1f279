"""The steps that make, grow and remove a Volume's storage. Each may be run again after a crash."""

from __future__ import annotations

from typing import Any

from drivers.base import Driver, DriverError, DriverNotFound, VolumeFacts
from gateway.errors import Invalid
from gateway.jobs.plan import StepCall, StepContext
from gateway.orchestration.common.steps import DriverStep, unless_stopped
from gateway.orchestration.images.importing import DIRECT_STEPS, STAGED_STEPS, WEIGHTS
from gateway.orchestration.volumes.availability import gave_back, made_available
from gateway.orchestration.volumes.content import too_small
from gateway.orchestration.volumes.file_systems import FormatVolume, tell_unformatted
from gateway.orchestration.volumes.pools import KILOBYTE
from gateway.store.model import Resource

SECTOR = 512
"""Disks are made of whole ones, also where the image's last was not."""
Arguments = dict[str, Any]


def call(step: str, volume: str, weight: int = 1, **arguments: Any) -> StepCall:
    return StepCall(step, {"resource": volume, **arguments}, weight)


def creating(volume: Resource, weight: int = 1) -> tuple[StepCall, ...]:
    """An image by value takes the way of all images, into the Volume itself."""
    if "file_system" in volume.internal:
        return (call("reserve volume", volume.path), call("format volume", volume.path, weight))
    if "source" not in volume.internal:
        return (call("create volume", volume.path, weight),)
    names = DIRECT_STEPS if volume.internal["way"] == "direct" else STAGED_STEPS
    filling = tuple(call(name, volume.path, weight * WEIGHTS[name]) for name in names)
    return (call("reserve volume", volume.path), *filling, call("fit volume", volume.path))


def settle(volume: str, action: str) -> StepCall:
    return StepCall("settle volume", {"resource": volume, "action": action})


class CreateVolume(DriverStep):
    """Empty, an overlay of its image, or a copy of it; then the Volume is AVAILABLE."""

    name = "create volume"

    async def do(self, context: StepContext, volume: Resource, driver: Driver, arguments: Arguments) -> None:
        await tell_unformatted(context, volume)
        made = await unless_stopped(context, self._make(context, volume, driver))
        await made_available(self.room, volume, made)

    async def _make(self, context: StepContext, volume: Resource, driver: Driver) -> VolumeFacts:
        facts = volume.internal
        pool, name, size = facts["pool"], facts["volume"], facts["bytes"]
        if "image" not in facts:
            return await driver.create_volume(pool, name, facts["format"], size)
        if facts["overlay"]:
            return await driver.overlay_volume(pool, name, facts["image_volume"], facts["image_format"], size)
        await context.log(f"{name} becomes a copy of {facts['image_volume']}")
        return await driver.clone_volume(
            pool,
            name,
            facts["image_volume"],
            facts["format"],
            size,
            context.progress,
            base_pool=facts["image_pool"],
            base_format=facts["image_format"],
        )

    async def revert(self, context: StepContext, volume: Resource, driver: Driver, arguments: Arguments) -> None:
        await driver.delete_volume(volume.internal["pool"], volume.internal["volume"])
        gave_back(self.room, volume)
        async with self.room.store.transaction() as transaction:
            await transaction.delete(volume.path)


class ReserveVolume(DriverStep):
    """Nothing but the record, which an undone create takes away again, after all that its other steps made."""

    name = "reserve volume"

    async def do(self, context: StepContext, volume: Resource, driver: Driver, arguments: Arguments) -> None:
        """It was written with the Job."""
        await tell_unformatted(context, volume)

    async def revert(self, context: StepContext, volume: Resource, driver: Driver, arguments: Arguments) -> None:
        await self.room.images.staging.remove(volume)
        gave_back(self.room, volume)
        async with self.room.store.transaction() as transaction:
            await transaction.delete(volume.path)


class FitVolume(DriverStep):
    """An image was put into the Volume: it gets the size that was asked for, and is AVAILABLE."""

    name = "fit volume"

    async def do(self, context: StepContext, volume: Resource, driver: Driver, arguments: Arguments) -> None:
        pool, name, size = volume.internal["pool"], volume.internal["volume"], volume.internal["bytes"]
        needed = volume.internal["virtual_size"]
        if needed > -(-volume.document["capacity"] * KILOBYTE // SECTOR) * SECTOR:
            raise Invalid(too_small(needed), "volumeConfig.capacity")
        made = await driver.volume(pool, name)
        if made.capacity < size and driver.can_grow(await driver.pool(pool)):
            made = await driver.grow_volume(pool, name, volume.internal["format"], size)
        await made_available(self.room, volume, made, source=None, way=None, formats=None, source_format=None)
        await self.room.images.staging.remove(volume)


class GrowVolume(DriverStep):
    """By QEMU where a running guest has it, so that the guest sees it; else in the pool."""

    name = "grow volume"

    async def do(self, context: StepContext, volume: Resource, driver: Driver, arguments: Arguments) -> None:
        size, grown = arguments["bytes"], False
        for path in volume.internal.get("attachments") or {}:
            attachment = await self.room.store.get(path)
            if attachment is not None:
                machine = str(attachment.parent).rpartition("/")[2]
                grown = await self._grow_live(driver, machine, attachment.internal["target"], size) or grown
        if not grown:
            known = volume.internal
            await driver.grow_volume(known["pool"], known["volume"], known["format"], size)
        async with self.room.store.transaction() as transaction:
            current = await transaction.get(volume.path)
            if current is not None:
                shown = current.with_document(capacity=arguments["capacity"]).with_internal(bytes=size)
                await transaction.update(shown)

    async def _grow_live(self, driver: Driver, machine: str, target: str, size: int) -> bool:
        try:
            return await driver.grow_disk(machine, target, size)
        except DriverNotFound:
            return False


class DeleteVolume(DriverStep):
    name = "delete volume"
    leaves = "what is in the volume"

    async def do(self, context: StepContext, volume: Resource, driver: Driver, arguments: Arguments) -> None:
        await driver.delete_volume(volume.internal["pool"], volume.internal["volume"])
        gave_back(self.room, volume)


class SettleVolume(DriverStep):
    """The last step of every Volume job: the record says what the pool holds, and goes when there is nothing."""

    name = "settle volume"

    async def do(self, context: StepContext, volume: Resource, driver: Driver, arguments: Arguments) -> None:
        succeeded, action = arguments["succeeded"], arguments["action"]
        gone = action == "delete" and succeeded
        facts = None if gone else await found_of(volume, driver)
        async with self.room.store.transaction() as transaction:
            current = await transaction.get(volume.path)
            if current is None:
                return
            if gone:
                await transaction.delete(volume.path)
                return
            settled = current.released()
            if not succeeded:
                settled = as_found(settled, facts)
            await transaction.update(settled)


async def found_of(volume: Resource, driver: Driver) -> VolumeFacts | None:
    """What its pool shows of it; None when nothing."""
    try:
        return await driver.volume(volume.internal["pool"], volume.internal["volume"])
    except DriverError:
        return None


def as_found(volume: Resource, facts: VolumeFacts | None) -> Resource:
    """The Volume as its pool shows it; a missing one is in ERROR, and says why."""
    known = volume.internal
    if facts is None:
        message = f"there is no storage volume {known['volume']} in the pool {known['pool']}"
        return in_error(volume, message)
    found = volume.with_document(state="AVAILABLE", statusMessage=None).with_internal(path=facts.path)
    if facts.capacity == known.get("bytes") or facts.format != known["format"]:
        # Another format is what a guest wrote into its raw disk, and so is the size in its header.
        return found
    return found.with_document(capacity=facts.capacity // KILOBYTE).with_internal(bytes=facts.capacity)


def in_error(volume: Resource, message: str) -> Resource:
    return volume.with_document(state="ERROR", statusMessage=message)


VOLUME_STEPS: tuple[type[DriverStep], ...] = (
    CreateVolume,
    ReserveVolume,
    FormatVolume,
    FitVolume,
    GrowVolume,
    DeleteVolume,
    SettleVolume,
)

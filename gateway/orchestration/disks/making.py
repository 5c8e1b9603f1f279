"""The making of volumes for a Machine's disks: empty, or with the content of an image."""

from __future__ import annotations

from dataclasses import dataclass

from drivers.base import BaseVolume, Driver, NewVolume
from gateway.jobs.plan import StepContext
from gateway.orchestration.machine_core.facts import OwnDisk


@dataclass(frozen=True)
class BootDisk:
    """A boot disk with the image that it is made of: a volume of a pool, or what becomes one."""

    volume: str
    """Name in the Machine's pool."""
    format: str
    bytes: int
    capacity: int
    """Kilobytes, as the Disk shows them."""
    image: str | None = None
    """Path of the MachineImage."""
    image_volume: str | None = None
    image_format: str | None = None
    overlay: bool = False
    """The disk lies over the image's volume, and is no copy of it."""


async def make_boot_disk(job: StepContext, driver: Driver, pool: str, disk: BootDisk) -> None:
    """Make a copy-on-write overlay of the image where the pool can have one, else a full copy."""
    below = disk.image_volume or ""
    if disk.overlay:
        await driver.storage.overlay_volume(pool, disk.volume, below, disk.image_format or disk.format, disk.bytes)
        return
    await driver.storage.clone_volume(
        NewVolume(pool, disk.volume, disk.format, disk.bytes), BaseVolume(below), job.progress
    )
    await job.log(f"{disk.volume} is a copy of {below}")


async def make_data_disk(job: StepContext, driver: Driver, pool: str, name: str, disk: OwnDisk) -> None:
    """Make a further disk: empty, or with the content of a VolumeImage, as an overlay where the pool can have one."""
    if disk.image is None:
        await driver.storage.create_volume(pool, name, disk.format, disk.bytes)
        return
    below, below_format = disk.image_volume or "", disk.image_format or disk.format
    if disk.overlay:
        await driver.storage.overlay_volume(pool, name, below, below_format, disk.bytes)
        return
    await driver.storage.clone_volume(
        NewVolume(pool, name, disk.format, disk.bytes),
        BaseVolume(below, disk.image_pool, disk.image_format),
        job.progress,
    )
    await job.log(f"{name} is a copy of {below}")

"""The steps that make and remove a Machine's own disks and its seed. Each may be run again after a crash.

Volumes are made empty, or with the content of an image.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import ClassVar

from drivers.base import BaseVolume, Driver, NewVolume, VolumeContent
from drivers.seed import Seed, seed_iso
from gateway.jobs.plan import StepContext
from gateway.orchestration.common.step import At, ResourceStep, unless_stopped
from gateway.orchestration.interfaces.entries import seed_interfaces
from gateway.orchestration.machine_core.facts import KeptMachine, OwnDisk
from gateway.orchestration.machine_core.names import machine_uuid, seed_volume, volume_of
from gateway.orchestration.machine_core.removal import remove_disks
from gateway.store.durable import Secret, readable
from gateway.store.model import Resource

PIECE = 262_144
"""Bytes that go to the host at a time."""


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


def boot_disk(machine: Resource) -> BootDisk:
    """Return the boot disk that a Machine has, or is to have."""
    kept = KeptMachine.of(machine)
    disk = kept.disks[0]
    return BootDisk(
        volume=volume_of(machine, disk),
        format=disk.format,
        bytes=disk.bytes,
        capacity=disk.capacity,
        image=kept.image,
        image_volume=kept.image_volume,
        image_format=kept.image_format,
        overlay=kept.overlay,
    )


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


@dataclass(frozen=True)
class CreateBootDisk(ResourceStep):
    """The step that makes the volume that a new Machine boots from."""

    name = "boot disk"
    weight: ClassVar[int] = 10

    async def run(self, at: At) -> None:
        """Make the boot disk of its image. Raises StopRequested when the Job is stopped meanwhile."""
        kept = KeptMachine.of(at.resource)
        await unless_stopped(at.job, make_boot_disk(at.job, at.driver, kept.pool, boot_disk(at.resource)))

    async def undo(self, at: At) -> None:
        """Delete the boot disk's volume."""
        await at.driver.storage.delete_volume(KeptMachine.of(at.resource).pool, boot_disk(at.resource).volume)


@dataclass(frozen=True)
class CreateDataDisks(ResourceStep):
    """The step that makes the second and further disks of the configuration."""

    name = "data disks"
    weight: ClassVar[int] = 2

    async def run(self, at: At) -> None:
        """Make the disks, empty or of their images. Raises StopRequested when the Job is stopped meanwhile."""
        kept = KeptMachine.of(at.resource)
        for disk in kept.disks[1:]:
            name = volume_of(at.resource, disk)
            await unless_stopped(at.job, make_data_disk(at.job, at.driver, kept.pool, name, disk))

    async def undo(self, at: At) -> None:
        """Delete the volumes of these disks."""
        kept = KeptMachine.of(at.resource)
        for disk in kept.disks[1:]:
            await at.driver.storage.delete_volume(kept.pool, volume_of(at.resource, disk))


@dataclass(frozen=True)
class BuildSeed(ResourceStep):
    """The step that makes the NoCloud ISO with name, credential, user data, and the addresses that no DHCP gives."""

    name = "seed"

    async def run(self, at: At) -> None:
        """Make the ISO in memory, and write it into a volume of the Machine's pool.

        Raises Conflict for a secret that the store could not open.
        """
        machine, kept = at.resource, KeptMachine.of(at.resource)

        def plain(secret: Secret | bool | None) -> str | None:
            return None if secret is None or isinstance(secret, bool) else readable(secret, machine.path)

        user_data, environment = plain(kept.seed.user_data), plain(kept.seed.environment)
        seed = Seed(
            instance_id=machine_uuid(machine),
            name=machine.name or "",
            user=kept.seed.user,
            password_hash=plain(kept.seed.password_hash),
            keys=kept.seed.keys,
            user_data=base64.b64decode(user_data) if user_data is not None else None,
            interfaces=await seed_interfaces(at.room.store, machine),
            environment=environment.encode() if environment is not None else None,
        )
        iso = await asyncio.to_thread(seed_iso, seed)
        await at.driver.storage.upload_volume(
            kept.pool, seed_volume(machine), VolumeContent("raw", len(iso), _pieces(iso)), at.job.progress
        )

    async def undo(self, at: At) -> None:
        """Delete the volume with the ISO."""
        await at.driver.storage.delete_volume(KeptMachine.of(at.resource).pool, seed_volume(at.resource))


async def _pieces(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), PIECE):
        yield data[start : start + PIECE]


@dataclass(frozen=True)
class DeleteDisks(ResourceStep):
    """The step that deletes all volumes of a Machine, its seed included."""

    name = "delete disks"
    leaves = "what is on the disks"

    async def run(self, at: At) -> None:
        """Delete the volumes on the Machine's host, and on those that it has left."""
        await remove_disks(at.job, at.room, at.resource, at.driver)


DISK_STEPS: tuple[type[ResourceStep], ...] = (CreateBootDisk, CreateDataDisks, BuildSeed, DeleteDisks)

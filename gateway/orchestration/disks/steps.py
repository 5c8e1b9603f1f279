"""The steps that make and remove a Machine's own disks and its seed. Each may be run again after a crash."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import ClassVar

from drivers.base import VolumeContent
from drivers.seed import Seed, seed_iso
from gateway.orchestration.common.step import At, ResourceStep, unless_stopped
from gateway.orchestration.disks.making import BootDisk, make_boot_disk, make_data_disk
from gateway.orchestration.interfaces.seed import seed_interfaces
from gateway.orchestration.machine_core.facts import KeptMachine
from gateway.orchestration.machine_core.names import machine_uuid, seed_volume, volume_of
from gateway.orchestration.machine_core.removal import remove_disks
from gateway.store.durable import Secret, readable
from gateway.store.model import Resource

PIECE = 262_144
"""Bytes that go to the host at a time."""


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

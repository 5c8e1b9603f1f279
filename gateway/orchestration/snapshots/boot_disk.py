"""A boot disk made anew from an image: what it will be, beside what it is (capability RestoreFromImage)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from drivers.base import Driver
from gateway.errors import Conflict, Invalid
from gateway.orchestration.common.hosts import translating
from gateway.orchestration.disks.steps import BootDisk, boot_disk
from gateway.orchestration.images.facts import KeptImage
from gateway.orchestration.machine_core.facts import KeptMachine
from gateway.orchestration.machine_core.names import disk_prefix, machine_uuid
from gateway.store.model import Resource

WHERE = "image"
KILOBYTE = 1000


@dataclass(frozen=True, slots=True)
class NewDisk:
    """The boot disk that a Machine has, and the one that takes its place."""

    old: BootDisk
    new: BootDisk


async def chosen(driver: Driver, machine: Resource, image: Resource) -> NewDisk:
    """Return the Machine's boot disk and the one to be made of the image, which is never smaller; nothing is changed.

    Raises Invalid or Conflict for an image that the Machine cannot boot from, and for a pool without room.
    """
    kept, kept_image, old = KeptMachine.of(machine), KeptImage.of(image), boot_disk(machine)
    if kept_image.host != kept.host:
        raise Invalid(f"is on the hypervisor {kept_image.host}, and the Machine on another", WHERE)
    if kept_image.uefi != kept.uefi:
        raise Invalid("does not boot by the firmware which the Machine has (UEFI or BIOS)", WHERE)
    image_bytes = kept_image.virtual_size or 0
    size = max(old.bytes, image_bytes)
    with translating():
        if await driver.snapshots.list_all(machine_uuid(machine)):
            raise Conflict("snapshots lie in the boot disk that would go; delete them first")
        pool = await driver.storage.read_pool(kept.pool)
    overlay = driver.storage.can_overlay(pool) and kept_image.pool == kept.pool
    if not overlay and size > pool.available:
        raise Conflict(f"the pool {pool.name} has {pool.available} bytes free; the new disk needs {size}")
    target = kept.disks[0].target
    new = BootDisk(
        volume=f"{disk_prefix(machine)}{target}-{secrets.token_hex(4)}.{old.format}",
        format=old.format,
        bytes=size,
        capacity=max(old.capacity, -(-image_bytes // KILOBYTE)),
        image=image.path,
        image_volume=kept_image.volume,
        image_format=kept_image.format,
        overlay=overlay,
    )
    return NewDisk(old, new)

"""The steps that make and remove a Machine's own disks and its seed. Each may be run again after a crash."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

from drivers.base import Driver
from drivers.seed import Seed, seed_iso
from gateway.jobs.plan import StepContext
from gateway.orchestration.common.readable import demand_readable
from gateway.orchestration.common.steps import DriverStep, unless_stopped
from gateway.orchestration.interfaces.seed import seed_interfaces
from gateway.orchestration.machine_core.plans import disk_volume, seed_volume, uuid_of
from gateway.orchestration.machine_core.removal import remove_disks
from gateway.store.model import Document, Resource

PIECE = 262_144

Arguments = dict[str, Any]


async def make_boot_disk(
    context: StepContext, driver: Driver, pool: str, name: str, image: Document, disk: Document
) -> None:
    """A copy-on-write overlay of the image where the pool can, else a full copy."""
    below, size = image["image_volume"], disk["bytes"]
    if image["overlay"]:
        await driver.overlay_volume(pool, name, below, image["image_format"], size)
        return
    await driver.clone_volume(pool, name, below, disk["format"], size, context.progress)
    await context.log(f"{name} is a copy of {below}")


class BootDisk(DriverStep):
    name = "boot disk"

    async def do(self, context: StepContext, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        facts = machine.internal
        pool, disk = facts["pool"], facts["disks"][0]
        name = disk_volume(machine, disk["target"], disk["format"])
        await unless_stopped(context, make_boot_disk(context, driver, pool, name, facts, disk))

    async def revert(self, context: StepContext, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        disk = machine.internal["disks"][0]
        await driver.delete_volume(machine.internal["pool"], disk_volume(machine, disk["target"], disk["format"]))


async def make_data_disk(context: StepContext, driver: Driver, pool: str, name: str, disk: Document) -> None:
    """Empty, or with the content of a VolumeImage: an overlay of it where the pool can, else a full copy."""
    if "image" not in disk:
        await driver.create_volume(pool, name, disk["format"], disk["bytes"])
    elif disk["overlay"]:
        await driver.overlay_volume(pool, name, disk["image_volume"], disk["image_format"], disk["bytes"])
    else:
        await driver.clone_volume(
            pool,
            name,
            disk["image_volume"],
            disk["format"],
            disk["bytes"],
            context.progress,
            base_pool=disk["image_pool"],
            base_format=disk["image_format"],
        )
        await context.log(f"{name} is a copy of {disk['image_volume']}")


class DataDisks(DriverStep):
    """The second and further disks of the configuration."""

    name = "data disks"

    async def do(self, context: StepContext, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        for disk in machine.internal["disks"][1:]:
            name = disk_volume(machine, disk["target"], disk["format"])
            pool = machine.internal["pool"]
            await unless_stopped(context, make_data_disk(context, driver, pool, name, disk))

    async def revert(self, context: StepContext, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        for disk in machine.internal["disks"][1:]:
            name = disk_volume(machine, disk["target"], disk["format"])
            await driver.delete_volume(machine.internal["pool"], name)


class SeedImage(DriverStep):
    """The NoCloud ISO with name, credential, user data, and the addresses that no DHCP gives."""

    name = "seed"

    async def do(self, context: StepContext, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        kept = machine.internal.get("seed", {})
        demand_readable(kept, machine.path)
        seed = Seed(
            instance_id=uuid_of(machine),
            name=machine.name or "",
            user=kept.get("user"),
            password_hash=kept.get("password_hash"),
            keys=tuple(kept.get("keys", ())),
            user_data=base64.b64decode(kept["user_data"]) if "user_data" in kept else None,
            interfaces=await seed_interfaces(self.room.store, machine),
            environment=kept["environment"].encode() if "environment" in kept else None,
        )
        iso = await asyncio.to_thread(seed_iso, seed)
        await driver.upload_volume(
            machine.internal["pool"], seed_volume(machine), "raw", len(iso), _pieces(iso), context.progress
        )

    async def revert(self, context: StepContext, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        await driver.delete_volume(machine.internal["pool"], seed_volume(machine))


async def _pieces(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), PIECE):
        yield data[start : start + PIECE]


class DeleteDisks(DriverStep):
    name = "delete disks"
    leaves = "what is on the disks"

    async def do(self, context: StepContext, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        await remove_disks(context, self.room, machine, driver)


DISK_STEPS: tuple[type[DriverStep], ...] = (BootDisk, DataDisks, SeedImage, DeleteDisks)

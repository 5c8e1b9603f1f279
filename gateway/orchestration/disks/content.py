"""Further disks of a new Machine that begin with the content of a VolumeImage: a package brings them.

No client can ask for one: the standard's MachineConfiguration knows empty disks alone (DSP0263 5.14.6).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from drivers.base import Driver, PoolFacts
from gateway.errors import Conflict, Invalid
from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.references import resolve
from gateway.orchestration.common.room import Room
from gateway.orchestration.images.available import demand_still_available
from gateway.orchestration.images.facts import KeptImage
from gateway.orchestration.machine_core.facts import KeptMachine, OwnDisk
from gateway.orchestration.volumes.content import too_small
from gateway.store.model import Document, Resource
from gateway.store.transaction import Transaction

WHERE = "machineTemplate.machineConfig.disks"
CONTENT = "content_image"
"""The member of a configuration's disk that refers to a VolumeImage."""


@dataclass(frozen=True, slots=True)
class DiskHome:
    """The host and the pool in which the disks of a new Machine are made."""

    host: str
    driver: Driver
    """Driver of that host."""
    pool: PoolFacts


async def with_content(
    room: Room, caller: Caller, config: Document, disks: list[OwnDisk], home: DiskHome
) -> list[OwnDisk]:
    """Return the chosen disks, each with the facts of the image that it begins with, if it begins with one.

    Raises what the request deserves.
    """
    requested = config.get("disks") or [{}]
    chosen = []
    for place, (disk, given) in enumerate(zip(disks, requested, strict=True)):
        where = f"{WHERE}.{place}"
        if place and CONTENT in given:
            image = await resolve(room.store, caller, given[CONTENT]["href"], ("VolumeImage",), where)
            chosen.append(_filled(home, image, disk, where))
        else:
            chosen.append(disk)
    return chosen


def _filled(home: DiskHome, image: Resource, disk: OwnDisk, where: str) -> OwnDisk:
    if image.state != "AVAILABLE":
        raise Conflict(f"{where}: the image is {image.state}, not AVAILABLE")
    kept = KeptImage.of(image)
    if kept.host != home.host:
        raise Invalid(f"the image is on the hypervisor {kept.host}, and the Machine on {home.host}", where)
    if disk.bytes < (kept.virtual_size or 0):
        raise Invalid(too_small(kept.virtual_size or 0), f"{where}.capacity")
    overlay = disk.format == "qcow2" and kept.pool == home.pool.name and home.driver.storage.can_overlay(home.pool)
    return replace(
        disk,
        image=image.path,
        image_pool=kept.pool,
        image_volume=kept.volume,
        image_format=kept.format,
        overlay=overlay,
    )


async def demand_content(transaction: Transaction, machine: Resource) -> None:
    """Raise Conflict when an image that the Machine's further disks begin with is not available any more.

    The transaction that writes the Machine calls this, since an image may have gone after the first check.
    """
    for place, disk in enumerate(KeptMachine.of(machine).disks):
        if disk.image is not None:
            await demand_still_available(transaction, disk.image, f"{WHERE}.{place}")

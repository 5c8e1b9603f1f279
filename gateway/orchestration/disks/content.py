"""Further disks of a new Machine that begin with the content of a VolumeImage: a package brings them.

No client can ask for one: the standard's MachineConfiguration knows empty disks alone (DSP0263 5.14.6).
"""

from __future__ import annotations

from dataclasses import replace

from drivers.base import Driver, PoolFacts
from gateway.errors import Conflict, Invalid
from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.resolving import resolve
from gateway.orchestration.common.resource_service import Room
from gateway.orchestration.images.available import demand_still_available
from gateway.orchestration.images.facts import KeptImage
from gateway.orchestration.machine_core.facts import KeptMachine, OwnDisk
from gateway.orchestration.volumes.content import too_small
from gateway.store.model import Document, Resource
from gateway.store.transaction import Transaction

WHERE = "machineTemplate.machineConfig.disks"
CONTENT = "content_image"
"""Of a configuration's disk: a reference to a VolumeImage."""


async def with_content(
    room: Room, caller: Caller, config: Document, disks: list[OwnDisk], host: str, pool: PoolFacts
) -> list[OwnDisk]:
    """The chosen disks, those with content knowing their image. Raises what the request deserves."""
    asked = config.get("disks") or [{}]
    found = []
    for place, (disk, given) in enumerate(zip(disks, asked, strict=True)):
        where = f"{WHERE}.{place}"
        if place and CONTENT in given:
            image = await resolve(room.store, caller, given[CONTENT]["href"], ("VolumeImage",), where)
            found.append(_filled(room.drivers[host], image, disk, host, pool, where))
        else:
            found.append(disk)
    return found


def _filled(driver: Driver, image: Resource, disk: OwnDisk, host: str, pool: PoolFacts, where: str) -> OwnDisk:
    if image.state != "AVAILABLE":
        raise Conflict(f"{where}: the image is {image.state}, not AVAILABLE")
    kept = KeptImage.of(image)
    if kept.host != host:
        raise Invalid(f"the image is on the hypervisor {kept.host}, and the Machine on {host}", where)
    if disk.bytes < (kept.virtual_size or 0):
        raise Invalid(too_small(kept.virtual_size or 0), f"{where}.capacity")
    return replace(
        disk,
        image=image.path,
        image_pool=kept.pool,
        image_volume=kept.volume,
        image_format=kept.format,
        overlay=disk.format == "qcow2" and kept.pool == pool.name and driver.storage.can_overlay(pool),
    )


async def demand_content(transaction: Transaction, machine: Resource) -> None:
    """Once more, inside the transaction that writes the Machine. Raises Conflict."""
    for place, disk in enumerate(KeptMachine.of(machine).disks):
        if disk.image is not None:
            await demand_still_available(transaction, disk.image, f"{WHERE}.{place}")

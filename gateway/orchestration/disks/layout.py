"""The disks of a new Machine: the boot disk from the image, and the configuration's further ones (DSP0263 5.14.1).

A further disk of a package begins with the content of a VolumeImage. No client can ask for that: the standard's
MachineConfiguration knows empty disks alone (DSP0263 5.14.6).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from drivers.base import Driver, PoolFacts
from gateway.errors import Conflict, Invalid
from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.references import resolve
from gateway.orchestration.common.resource_service import component
from gateway.orchestration.common.room import Room
from gateway.orchestration.disks.facts import KeptDisk
from gateway.orchestration.images.facts import KeptImage
from gateway.orchestration.images.records import demand_still_available
from gateway.orchestration.machine_core.facts import OwnDisk
from gateway.orchestration.volumes.content import too_small
from gateway.orchestration.volumes.pools import KILOBYTE, whole
from gateway.store.model import Document, Resource
from gateway.store.transaction import Transaction

BOOT = "vda"
WHERE = "machineTemplate.machineConfig.disks"
CONTENT = "content_image"
"""The member of a configuration's disk that refers to a VolumeImage."""


def chosen_disks(config: Document, image: KeptImage, format: str) -> list[OwnDisk]:
    """Return the boot disk, at least as large as the image, and the configuration's further disks.

    All have this format. ``device``, which no client can send, is where a disk of a package was. Raises Invalid.
    """
    requested = config.get("disks") or []
    image_bytes = image.virtual_size or 0
    boot = requested[0]["capacity"] * KILOBYTE if requested else image_bytes
    if whole(boot) < image_bytes:
        needed = -(-image_bytes // KILOBYTE)
        raise Invalid(f"the image needs {needed} kilobytes", "machineTemplate.machineConfig.disks.0.capacity")
    disks = [OwnDisk(BOOT, format, whole(boot), -(-boot // KILOBYTE))]
    for letter, disk in zip("bcdefghijklmnopqrstuvwxy", requested[1:], strict=False):
        size, target = whole(disk["capacity"] * KILOBYTE), disk.get("device", f"vd{letter}")
        disks.append(OwnDisk(target, format, size, disk["capacity"]))
    if len(requested) > len(disks):
        raise Invalid(f"at most {len(disks)} disks", "machineTemplate.machineConfig.disks")
    locations = [given.get("initialLocation") or None for given in requested] or [None]
    return [replace(disk, location=location) for disk, location in zip(disks, locations, strict=True)]


def needed_bytes(disks: list[OwnDisk], format: str, *, overlay: bool) -> int:
    """Return how many bytes the disks take of the pool at once.

    Empty qcow2 disks and overlays grow later; raw disks are whole from the beginning.
    """
    if format == "raw":
        return sum(disk.bytes for disk in disks)
    copies = [
        *([] if overlay else disks[:1]),
        *(disk for disk in disks[1:] if disk.image is not None and not disk.overlay),
    ]
    return sum(disk.bytes for disk in copies)


def disk_resource(machine: Resource, disk: OwnDisk) -> Resource:
    """Return the Disk for one of the Machine's own disks; nothing is written."""
    target = disk.target
    document = {
        "name": target,
        "capacity": disk.capacity,
        "initialLocation": disk.location or f"/dev/{target}",
    }
    return KeptDisk(boot=target == BOOT).on(component(machine, "Disk", f"disks/{target}", document))


# The content of further disks


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


async def demand_content(transaction: Transaction, disks: Iterable[OwnDisk]) -> None:
    """Raise Conflict when an image that a new Machine's disks begin with is not available any more.

    The transaction that writes the Machine calls this, since an image may have gone after the first check.
    """
    for place, disk in enumerate(disks):
        if disk.image is not None:
            await demand_still_available(transaction, disk.image, f"{WHERE}.{place}")

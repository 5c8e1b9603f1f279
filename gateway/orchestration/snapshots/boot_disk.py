"""A boot disk made anew from an image: what it will be, beside what it is (capability RestoreFromImage)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from drivers.base import Driver
from gateway.errors import Conflict, Invalid
from gateway.orchestration.common.driver_errors import translating
from gateway.orchestration.machine_core.plans import disk_prefix, uuid_of, volume_of
from gateway.store.model import Document, Resource

WHERE = "image"
KILOBYTE = 1000


@dataclass(frozen=True, slots=True)
class NewDisk:
    """Both as the steps take them: volume, format, bytes, capacity, and the image with how it is used."""

    old: Document
    new: Document


async def chosen(driver: Driver, machine: Resource, image: Resource) -> NewDisk:
    """At least as large as the old one; never smaller. Raises Invalid or Conflict, and changes nothing."""
    facts, disk = machine.internal, machine.internal["disks"][0]
    if image.internal["host"] != facts["host"]:
        raise Invalid(f"is on the hypervisor {image.internal['host']}, and the Machine on another", WHERE)
    if bool(image.internal.get("uefi")) != bool(facts.get("uefi")):
        raise Invalid("does not boot by the firmware which the Machine has (UEFI or BIOS)", WHERE)
    size = max(disk["bytes"], image.internal["virtual_size"])
    with translating():
        if await driver.snapshots(uuid_of(machine)):
            raise Conflict("snapshots lie in the boot disk that would go; delete them first")
        pool = await driver.pool(facts["pool"])
    overlay = driver.can_overlay(pool) and image.internal["pool"] == facts["pool"]
    if not overlay and size > pool.available:
        raise Conflict(f"the pool {pool.name} has {pool.available} bytes free; the new disk needs {size}")
    old = {name: disk[name] for name in ("format", "bytes", "capacity")}
    old["volume"] = volume_of(machine, disk)
    old.update({name: facts[name] for name in ("image", "image_volume", "image_format", "overlay")})
    new = {
        "volume": f"{disk_prefix(machine)}{disk['target']}-{secrets.token_hex(4)}.{disk['format']}",
        "format": disk["format"],
        "bytes": size,
        "capacity": max(disk["capacity"], -(-image.internal["virtual_size"] // KILOBYTE)),
        "image": image.path,
        "image_volume": image.internal["volume"],
        "image_format": image.internal["format"],
        "overlay": overlay,
    }
    return NewDisk(old, new)

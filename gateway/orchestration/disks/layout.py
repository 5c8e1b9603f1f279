"""The disks of a new Machine: the boot disk from the image, and the configuration's further ones (DSP0263 5.14.1)."""

from __future__ import annotations

from dataclasses import replace

from gateway.errors import Invalid
from gateway.orchestration.common.resource_service import component
from gateway.orchestration.disks.facts import KeptDisk
from gateway.orchestration.images.facts import KeptImage
from gateway.orchestration.machine_core.facts import KeptMachine, OwnDisk
from gateway.orchestration.volumes.pools import KILOBYTE, whole
from gateway.store.model import Document, Resource

BOOT = "vda"


def chosen_disks(config: Document, image: Resource, format: str) -> list[OwnDisk]:
    """Return the boot disk, at least as large as the image, and the configuration's further disks.

    All have this format. ``device``, which no client can send, is where a disk of a package was. Raises Invalid.
    """
    requested = config.get("disks") or []
    image_bytes = KeptImage.of(image).virtual_size or 0
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


def disk_resources(machine: Resource) -> list[Resource]:
    """Return a Disk for each of the Machine's own disks; nothing is written."""
    return [disk_resource(machine, disk) for disk in KeptMachine.of(machine).disks]


def disk_resource(machine: Resource, disk: OwnDisk) -> Resource:
    """Return the Disk for one of the Machine's own disks; nothing is written."""
    target = disk.target
    document = {
        "name": target,
        "capacity": disk.capacity,
        "initialLocation": disk.location or f"/dev/{target}",
    }
    return KeptDisk(boot=target == BOOT).on(component(machine, "Disk", f"disks/{target}", document))

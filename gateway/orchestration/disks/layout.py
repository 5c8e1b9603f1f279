"""The disks of a new Machine: the boot disk from the image, and the configuration's further ones (DSP0263 5.14.1)."""

from __future__ import annotations

from gateway.errors import Invalid
from gateway.orchestration.common.resource_service import component
from gateway.orchestration.volumes.pools import KILOBYTE, whole
from gateway.store.model import Document, Resource

BOOT = "vda"


def chosen_disks(config: Document, image: Resource, format: str) -> list[Document]:
    """The boot disk at least as large as the image, then the configuration's further disks; all in this format.

    ``device``, which no client can send, is where a disk of a package was.
    """
    asked = config.get("disks") or []
    image_bytes = image.internal["virtual_size"]
    boot = asked[0]["capacity"] * KILOBYTE if asked else image_bytes
    if whole(boot) < image_bytes:
        needed = -(-image_bytes // KILOBYTE)
        raise Invalid(f"the image needs {needed} kilobytes", "machineTemplate.machineConfig.disks.0.capacity")
    disks = [{"target": BOOT, "format": format, "bytes": whole(boot), "capacity": -(-boot // KILOBYTE)}]
    for letter, disk in zip("bcdefghijklmnopqrstuvwxy", asked[1:], strict=False):
        size, target = whole(disk["capacity"] * KILOBYTE), disk.get("device", f"vd{letter}")
        disks.append({"target": target, "format": format, "bytes": size, "capacity": disk["capacity"]})
    if len(asked) > len(disks):
        raise Invalid(f"at most {len(disks)} disks", "machineTemplate.machineConfig.disks")
    for disk, given in zip(disks, asked, strict=False):
        if given.get("initialLocation"):
            disk["location"] = given["initialLocation"]
    return disks


def needed_bytes(disks: list[Document], format: str, *, overlay: bool) -> int:
    """What the disks take of the pool at once: empty qcow2 disks and overlays grow later, raw ones are whole."""
    if format == "raw":
        return sum(disk["bytes"] for disk in disks)
    copies = [*([] if overlay else disks[:1]), *(disk for disk in disks[1:] if "image" in disk and not disk["overlay"])]
    return sum(disk["bytes"] for disk in copies)


def disk_resources(machine: Resource) -> list[Resource]:
    return [disk_resource(machine, disk) for disk in machine.internal["disks"]]


def disk_resource(machine: Resource, disk: Document) -> Resource:
    target = disk["target"]
    document = {
        "name": target,
        "capacity": disk["capacity"],
        "initialLocation": disk.get("location", f"/dev/{target}"),
    }
    return component(machine, "Disk", f"disks/{target}", document).with_internal(boot=target == BOOT or None)

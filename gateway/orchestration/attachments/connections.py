"""What connects a Volume to a Machine: the MachineVolume, and the marks of it on both (DSP0263 5.14.1.5)."""

from __future__ import annotations

from typing import Any

from drivers.base import DiskSpec
from gateway import clock
from gateway.errors import Conflict
from gateway.orchestration.volumes.states import demand_legal
from gateway.store.model import Document, Resource
from gateway.store.transaction import Transaction

SERIAL_LENGTH = 20
"""What a virtio disk shows of its serial number."""


def demand_attachable(volume: Resource, machine: Resource, where: str) -> None:
    """Raises Conflict when the Volume's state, or another Machine that has it, does not allow it."""
    demand_legal(volume, "attach")
    holders = set((volume.internal.get("attachments") or {}).values())
    if machine.path in holders:
        raise Conflict(f"{where}: {volume.path} is connected to this Machine already")
    if holders and not volume.internal.get("shareable"):
        machines = ", ".join(sorted(holders))
        raise Conflict(f"{where}: {volume.path} is connected to {machines}; its pool is not configured as shareable")


def attachment_path(machine: Resource, volume: Resource) -> str:
    """Return where the MachineVolume of a Volume at a Machine stands: a Machine has each Volume once."""
    return f"{machine.path}/volumes/{volume.path.rpartition('/')[2]}"


async def connect(
    transaction: Transaction,
    machine: Resource,
    volume: Resource,
    target: str,
    document: Document,
    **internal: Any,
) -> tuple[Resource, Resource]:
    """Write the MachineVolume and both marks; the MachineVolume and the Machine as they are now."""
    now, known = clock.now(), volume.internal
    attachment = Resource(
        path=attachment_path(machine, volume),
        kind="MachineVolume",
        owner=machine.owner,
        document={"initialLocation": f"/dev/{target}", **document, "volume": {"href": volume.path}},
        created=now,
        updated=now,
        parent=machine.path,
        internal={
            "host": known["host"],
            "pool": known["pool"],
            "volume": known["volume"],
            "format": known["format"],
            "target": target,
            **({"shareable": True} if known.get("shareable") else {}),
            **internal,
        },
    )
    attachment = await transaction.insert(attachment)
    marks = {**(volume.internal.get("attachments") or {}), attachment.path: machine.path}
    await transaction.update(volume.with_internal(attachments=marks))
    volumes = {**machine.internal.get("volumes", {}), target: attachment.path}
    return attachment, await transaction.update(machine.with_internal(volumes=volumes))


async def disconnect(transaction: Transaction, attachment: Resource) -> None:
    """Take the MachineVolume and both marks away; whatever of them is gone already is no error."""
    await transaction.delete(attachment.path)
    machine = await transaction.get(str(attachment.parent))
    if machine is not None:
        kept = {t: path for t, path in machine.internal.get("volumes", {}).items() if path != attachment.path}
        await transaction.update(machine.with_internal(volumes=kept or None))
    await release(transaction, attachment)


async def release(transaction: Transaction, attachment: Resource) -> None:
    """The Volume is free of this Machine."""
    volume = await transaction.get(attachment.document["volume"]["href"])
    if volume is not None:
        marks = dict(volume.internal.get("attachments") or {})
        marks.pop(attachment.path, None)
        await transaction.update(volume.with_internal(attachments=marks or None))


async def release_all(transaction: Transaction, machine: Resource) -> None:
    """The Machine goes: its Volumes stay, and are free."""
    for attachment in await transaction.children(machine.path, "MachineVolume"):
        await release(transaction, attachment)


def disk_spec(attachment: Resource) -> DiskSpec:
    known = attachment.internal
    return DiskSpec(
        pool=known["pool"],
        volume=known["volume"],
        format=known["format"],
        target=known["target"],
        serial=attachment.path.rpartition("/")[2][:SERIAL_LENGTH],
        shareable=bool(known.get("shareable")),
    )

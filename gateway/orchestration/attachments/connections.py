"""The connection of a Volume to a Machine: the MachineVolume, and the marks of it on both (DSP0263 5.14.1.5)."""

from __future__ import annotations

from drivers.base import DiskSpec
from gateway import clock
from gateway.errors import Conflict
from gateway.orchestration.attachments.facts import KeptAttachment
from gateway.orchestration.machine_core.facts import KeptMachine
from gateway.orchestration.volumes.facts import KeptVolume
from gateway.orchestration.volumes.states import demand_legal
from gateway.store.model import Document, Resource
from gateway.store.transaction import Transaction

SERIAL_LENGTH = 20
"""The number of characters that a virtio disk shows of its serial number."""


def demand_attachable(volume: Resource, machine: Resource, where: str) -> None:
    """Raise Conflict when the Volume's state, or a Machine that has it, does not allow to connect it."""
    demand_legal(volume, "attach")
    kept = KeptVolume.of(volume)
    holders = set(kept.attachments.values())
    if machine.path in holders:
        raise Conflict(f"{where}: {volume.path} is connected to this Machine already")
    if holders and not kept.shareable:
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
) -> tuple[Resource, Resource]:
    """Write the MachineVolume and both marks; return the MachineVolume and the Machine as they are now."""
    now, kept = clock.now(), KeptVolume.of(volume)
    attachment = Resource(
        path=attachment_path(machine, volume),
        kind="MachineVolume",
        project=machine.project,
        document={"initialLocation": f"/dev/{target}", **document, "volume": {"href": volume.path}},
        created=now,
        updated=now,
        parent=machine.path,
    )
    facts = KeptAttachment(kept.host, kept.pool, kept.volume, kept.format, target, kept.shareable)
    attachment = await transaction.insert(facts.on(attachment))
    marks = {**kept.attachments, attachment.path: machine.path}
    await transaction.update(KeptVolume.changed(volume, attachments=marks))
    volumes = {**KeptMachine.of(machine).volumes, target: attachment.path}
    return attachment, await transaction.update(KeptMachine.changed(machine, volumes=volumes))


async def disconnect(transaction: Transaction, attachment: Resource) -> None:
    """Take the MachineVolume and both marks away; whatever of them is gone already is no error."""
    await transaction.delete(attachment.path)
    machine = await transaction.get(str(attachment.parent))
    if machine is not None:
        volumes = KeptMachine.of(machine).volumes
        others = {target: path for target, path in volumes.items() if path != attachment.path}
        await transaction.update(KeptMachine.changed(machine, volumes=others))
    await release(transaction, attachment)


async def release(transaction: Transaction, attachment: Resource) -> None:
    """Take the mark of a MachineVolume from its Volume, which is free of the Machine then."""
    volume = await transaction.get(attachment.document["volume"]["href"])
    if volume is not None:
        marks = dict(KeptVolume.of(volume).attachments)
        marks.pop(attachment.path, None)
        await transaction.update(KeptVolume.changed(volume, attachments=marks))


async def release_all(transaction: Transaction, machine: Resource) -> None:
    """Free all Volumes of a Machine that goes; they stay."""
    for attachment in await transaction.children(machine.path, "MachineVolume"):
        await release(transaction, attachment)


def disk_spec(attachment: Resource) -> DiskSpec:
    """Return the MachineVolume's disk as the hypervisor gets it for the domain."""
    kept = KeptAttachment.of(attachment)
    return DiskSpec(
        pool=kept.pool,
        volume=kept.volume,
        format=kept.format,
        target=kept.target,
        serial=attachment.path.rpartition("/")[2][:SERIAL_LENGTH],
        shareable=kept.shareable,
    )

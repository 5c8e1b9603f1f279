"""The ability of a Machine to have snapshots, and the devices that each of them covers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from drivers.base import DomainFacts, Driver
from gateway.orchestration.attachments.facts import KeptAttachment
from gateway.orchestration.machine_core.facts import Covered
from gateway.store.durable import Kept
from gateway.store.model import Resource
from gateway.store.reading import Reading


@dataclass(frozen=True)
class DiskFormat:
    """The format of one of a Machine's own disks, which decides about snapshots."""

    format: str


@dataclass(frozen=True)
class Storage(Kept):
    """The facts that decide whether a Machine can have snapshots.

    They are a small part of ``KeptMachine``, for lists of Machines.
    """

    disks: tuple[DiskFormat, ...] = ()
    volumes: dict[str, str] = field(default_factory=dict)
    uefi: bool = False


def impossible(machine: Resource, driver: Driver, store: Reading) -> frozenset[str]:
    """Return the verbs that are not offered for this Machine with the disks and Volumes it has, whatever its state."""
    kept = Storage.of(machine)
    formats = {disk.format for disk in kept.disks}
    attachments = (store.peek(path) for path in kept.volumes.values())
    formats |= {KeptAttachment.of(attachment).format for attachment in attachments if attachment is not None}
    return frozenset() if driver.snapshots.obstacle(kept.uefi, formats) is None else frozenset({"snapshot"})


def obstacle(machine: Resource, driver: Driver, formats: Iterable[str]) -> str | None:
    """Return why this Machine can have no snapshots; None when it can."""
    return driver.snapshots.obstacle(Storage.of(machine).uefi, formats)


def covered(facts: DomainFacts) -> Covered:
    """Return what a snapshot of this domain covers, to be compared before going back to it.

    That are the disks but CDs, by their targets, and the interfaces.
    """
    disks = {disk.target: disk.source for disk in facts.disks if not disk.cdrom}
    return Covered(disks, tuple(sorted(interface.mac for interface in facts.interfaces)))


def difference(then: Covered, now: Covered) -> str | None:
    """Return what was plugged in or out since; None when nothing was."""
    before, after = then.disks, now.disks
    for target in sorted({**before, **after}):
        if before.get(target) != after.get(target):
            return f"the disk at {target} is another one than when the snapshot was taken"
    if then.interfaces != now.interfaces:
        return "its network interfaces are others than when the snapshot was taken"
    return None

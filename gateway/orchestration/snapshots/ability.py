"""Whether a Machine can have snapshots, and what each of them covers."""

from __future__ import annotations

from collections.abc import Iterable

from drivers.base import DomainFacts, Driver
from gateway.store.model import Document, Resource
from gateway.store.store import Store


def impossible(machine: Resource, driver: Driver, store: Store) -> frozenset[str]:
    """The verbs that are not offered for this Machine with the disks and Volumes it has, whatever its state."""
    formats = {disk["format"] for disk in machine.internal.get("disks", ())}
    attachments = (store.peek(path) for path in machine.internal.get("volumes", {}).values())
    formats |= {attachment.internal["format"] for attachment in attachments if attachment is not None}
    return frozenset() if obstacle(machine, driver, formats) is None else frozenset({"snapshot"})


def obstacle(machine: Resource, driver: Driver, formats: Iterable[str]) -> str | None:
    """Why this Machine can have no snapshots; None when it can."""
    return driver.snapshot_obstacle(bool(machine.internal.get("uefi")), formats)


def covered(facts: DomainFacts) -> Document:
    """What a snapshot of this domain covers, to be compared before going back: disks by target, and interfaces."""
    return {
        "disks": {disk.target: disk.source for disk in facts.disks if not disk.cdrom},
        "interfaces": sorted(interface.mac for interface in facts.interfaces),
    }


def difference(then: Document, now: Document) -> str | None:
    """What was plugged in or out since; None when nothing was."""
    before, after = then["disks"], now["disks"]
    for target in sorted({**before, **after}):
        if before.get(target) != after.get(target):
            return f"the disk at {target} is another one than when the snapshot was taken"
    if then["interfaces"] != now["interfaces"]:
        return "its network interfaces are others than when the snapshot was taken"
    return None

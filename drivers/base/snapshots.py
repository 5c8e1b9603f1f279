"""Snapshots of whole domains, and copies of their disks while they run. Sizes in bytes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from drivers.base.domains import Power
from drivers.base.progress import Progress
from drivers.base.storage import VolumeFacts


@dataclass(frozen=True, slots=True)
class SnapshotFacts:
    """A snapshot as the hypervisor tells it."""

    name: str
    parent: str | None
    """Name of the snapshot which it was taken after."""
    current: bool
    """True for the one that the domain's present state builds on: the last taken, or the last gone back to."""
    power: Power
    """What the domain is after going back to it: RUNNING or PAUSED with its memory, OFF without."""
    inside: bool = True
    """False for one that lives in files of its own (libvirt: external), which only an admin can have made."""


class SnapshotCalls(Protocol):
    """Snapshots by the domain's UUID and their names. Each covers all writable disks of the domain, or none is made."""

    def snapshot_obstacle(self, uefi: bool, formats: Iterable[str]) -> str | None:
        """Why a domain with this firmware and these disk formats can have no snapshots; None when it can."""
        ...

    async def snapshots(self, uuid: str) -> tuple[SnapshotFacts, ...]: ...

    async def take_snapshot(self, uuid: str, name: str, *, memory: bool = True) -> SnapshotFacts:
        """Of all disks at one moment, and of the memory when the domain is active and ``memory`` is wanted.

        When a complete one of this name exists it is kept; what is left of an interrupted one is replaced.
        """
        ...

    async def revert_snapshot(self, uuid: str, name: str) -> None:
        """Bring disks, memory and definition back; what the domain is and has now is lost, saved state too."""
        ...

    async def delete_snapshot(self, uuid: str, name: str) -> None:
        """Those taken after it stay; also removes what is left of an interrupted one from the disks."""
        ...

    async def replace_disk(self, uuid: str, target: str, pool: str, volume: str, format: str) -> None:
        """Put another volume behind a disk of a domain that is off."""
        ...

    async def copy_active_disk(self, uuid: str, target: str, pool: str, name: str, progress: Progress) -> VolumeFacts:
        """A flat qcow2 copy of an active domain's disk as of one moment, while the guest goes on.

        DriverConflict when the domain is not active. A half-made copy is removed on any failure.
        """
        ...

    async def discard_copy(self, uuid: str, pool: str, name: str) -> None:
        """Cancel a copy that is at work, and remove its file."""
        ...

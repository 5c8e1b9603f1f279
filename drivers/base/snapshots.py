"""Snapshots of whole domains."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from drivers.base.domains import Power


@dataclass(frozen=True, slots=True)
class SnapshotFacts:
    """A snapshot as the hypervisor tells it."""

    name: str
    parent: str | None
    """Name of the snapshot which it was taken after."""
    current: bool
    """True for the one that the domain's present state builds on: the last taken, or the last gone back to."""
    power: Power
    """The state of the domain after going back to it: RUNNING or PAUSED with its memory, OFF without."""
    inside: bool = True
    """False for one that lives in files of its own (libvirt: external), which only an admin can have made."""


class SnapshotCalls(Protocol):
    """Snapshots by the domain's UUID and their names. Each covers all writable disks of the domain, or none is made.

    Every call raises DriverNotFound when there is no such domain, except where removal is asked. Calls that
    change something raise DriverBusy when libvirt is at work on the domain for too long.
    """

    def obstacle(self, uefi: bool, formats: Iterable[str]) -> str | None:
        """Return why a domain with this firmware and these disk formats can have no snapshots; None when it can."""
        ...

    async def list_all(self, uuid: str) -> tuple[SnapshotFacts, ...]:
        """Return the domain's complete snapshots, also those that others took."""
        ...

    async def take(self, uuid: str, name: str, *, memory: bool = True) -> SnapshotFacts:
        """Take a snapshot of all disks at one moment, with ``memory`` also of the memory of an active domain.

        When a complete one of this name exists it is kept; what is left of an interrupted one is replaced. Raises
        DriverUnsupported when a disk's format can hold no snapshot, or the domain has external ones.
        """
        ...

    async def revert(self, uuid: str, name: str) -> None:
        """Bring disks, memory and definition back; what the domain is and has now is lost, saved state too.

        Raises DriverNotFound when there is no such snapshot.
        """
        ...

    async def delete(self, uuid: str, name: str) -> None:
        """Remove the snapshot, or what is left of an interrupted one on the disks; those taken after it stay.

        Raises DriverFailed when QEMU does not remove it from the disks of a running guest.
        """
        ...

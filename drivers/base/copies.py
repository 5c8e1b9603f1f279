"""Copies of the disks of active domains."""

from __future__ import annotations

from typing import Protocol

from drivers.base.progress import Progress
from drivers.base.storage import VolumeFacts


class CopyCalls(Protocol):
    """Flat qcow2 copies of disks in use, as volumes of a pool of files."""

    async def make(self, uuid: str, target: str, pool: str, name: str, progress: Progress) -> VolumeFacts:
        """Copy an active domain's disk as of one moment to the volume ``name`` of ``pool``, while the guest goes on.

        ``progress`` is in bytes. A half-made copy is removed on any failure. Raises DriverNotFound when the domain has
        no such disk, DriverConflict when the domain is not active, DriverUnsupported when the pool is none of files,
        and DriverInvalid when the name is none for a volume.
        """
        ...

    async def discard(self, uuid: str, pool: str, name: str) -> None:
        """Cancel the copy if it is at work, and remove its file.

        None at work, no such domain, and a pool that is missing or none of files are no errors.
        """
        ...

"""Copies of disks in use, in memory: made at once."""

from __future__ import annotations

from drivers.base import BaseVolume, DriverConflict, DriverNotFound, DriverUnsupported, NewVolume, Progress, VolumeFacts
from drivers.memory.state import ACTIVE, MemoryState
from drivers.memory.storage import MemoryStorage


class MemoryCopies:
    """The part ``copies`` of the driver (drivers.base.CopyCalls)."""

    def __init__(self, state: MemoryState, storage: MemoryStorage) -> None:
        self._state = state
        self._storage = storage

    async def make(self, uuid: str, target: str, pool: str, name: str, progress: Progress) -> VolumeFacts:
        """Clone the volume behind the disk, at once."""
        facts = self._state.domain("copies.make", uuid)
        if facts.power not in ACTIVE:
            raise DriverConflict("the guest is not running")
        source = next((disk.source for disk in facts.disks if disk.target == target), None)
        if source is None:
            raise DriverNotFound(f"the domain has no disk {target}")
        if not self._storage.can_overlay(await self._storage.read_pool(pool)):
            raise DriverUnsupported(f"a running disk is copied to a pool of files only, and {pool} is none")
        below = next(volume for volume in self._state.volumes.values() if volume.path == source)
        progress(1, 1)
        return await self._storage.clone_volume(
            NewVolume(pool, name, "qcow2", 0), BaseVolume(below.name, below.pool), progress
        )

    async def discard(self, uuid: str, pool: str, name: str) -> None:
        """Delete the copy's volume: no copy is ever at work."""
        self._state.enter("copies.discard")
        await self._storage.delete_volume(pool, name)

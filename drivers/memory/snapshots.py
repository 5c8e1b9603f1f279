"""Snapshots in memory: what the domain was, by name, with the chain's rules."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from drivers.base import DriverConflict, DriverNotFound, Power, Progress, SnapshotFacts, VolumeFacts
from drivers.memory.domains import MemoryDomains
from drivers.memory.host import ACTIVE
from drivers.memory.storage import MemoryStorage


class MemorySnapshots(MemoryDomains, MemoryStorage):
    """Implements drivers.base.SnapshotCalls. ``taken`` holds each snapshot with the domain as it was."""

    def snapshot_obstacle(self, uefi: bool, formats: Iterable[str]) -> str | None:
        if uefi:
            return "its firmware is UEFI"
        return None if set(formats) <= {"qcow2"} else "a disk is not qcow2"

    async def snapshots(self, uuid: str) -> tuple[SnapshotFacts, ...]:
        self._domain("snapshots", uuid)
        return tuple(snapshot for snapshot, _ in self.taken.get(uuid, {}).values())

    async def take_snapshot(self, uuid: str, name: str, *, memory: bool = True) -> SnapshotFacts:
        facts = self._domain("take_snapshot", uuid)
        known = self.taken.setdefault(uuid, {})
        if name not in known:
            current = next((snapshot.name for snapshot, _ in known.values() if snapshot.current), None)
            kept = facts.power if facts.power in ACTIVE and memory else Power.OFF
            known[name] = (SnapshotFacts(name, current, True, kept), facts)
            self._make_current(uuid, name)
        return known[name][0]

    def _make_current(self, uuid: str, name: str | None) -> None:
        known = self.taken[uuid]
        for other, (snapshot, facts) in list(known.items()):
            known[other] = (replace(snapshot, current=other == name), facts)

    async def revert_snapshot(self, uuid: str, name: str) -> None:
        self._domain("revert_snapshot", uuid)
        if name not in self.taken.get(uuid, {}):
            raise DriverNotFound(f"there is no snapshot {name}")
        snapshot, before = self.taken[uuid][name]
        self.known[uuid] = replace(before, power=snapshot.power)
        self._make_current(uuid, name)
        self.tell(uuid)

    async def delete_snapshot(self, uuid: str, name: str) -> None:
        self.enter("delete_snapshot")
        known = self.taken.get(uuid, {})
        if name not in known:
            return
        gone, _ = known.pop(name)
        for other, (snapshot, facts) in list(known.items()):
            if snapshot.parent == name:
                known[other] = (replace(snapshot, parent=gone.parent), facts)
        if gone.current:
            self._make_current(uuid, gone.parent)

    async def replace_disk(self, uuid: str, target: str, pool: str, volume: str, format: str) -> None:
        facts = self._domain("replace_disk", uuid)
        if facts.power in ACTIVE:
            raise DriverConflict("the domain is running")
        path = self.stored[(pool, volume)].path
        disks = tuple(
            replace(disk, source=path, format=format) if disk.target == target else disk for disk in facts.disks
        )
        self.known[uuid] = replace(facts, disks=disks)

    async def copy_active_disk(self, uuid: str, target: str, pool: str, name: str, progress: Progress) -> VolumeFacts:
        facts = self._domain("copy_active_disk", uuid)
        if facts.power not in ACTIVE:
            raise DriverConflict("the guest is not running")
        source = next(disk.source for disk in facts.disks if disk.target == target)
        below = next(volume for volume in self.stored.values() if volume.path == source)
        progress(1, 1)
        return await self.clone_volume(pool, name, below.name, "qcow2", 0, progress, base_pool=below.pool)

    async def discard_copy(self, uuid: str, pool: str, name: str) -> None:
        self.enter("discard_copy")
        await self.delete_volume(pool, name)

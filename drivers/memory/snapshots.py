"""Snapshots in memory: what the domain was, by name, with the chain's rules."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from drivers.base import DriverNotFound, Power, SnapshotFacts
from drivers.memory.state import ACTIVE, MemoryState


class MemorySnapshots:
    """The part ``snapshots`` of the driver (drivers.base.SnapshotCalls)."""

    def __init__(self, state: MemoryState) -> None:
        self._state = state

    def obstacle(self, uefi: bool, formats: Iterable[str]) -> str | None:
        """Return what stands in the way, as for snapshots inside qcow2 files."""
        if uefi:
            return "its firmware is UEFI"
        return None if set(formats) <= {"qcow2"} else "a disk is not qcow2"

    async def list_all(self, uuid: str) -> tuple[SnapshotFacts, ...]:
        """Return the snapshots of the domain in the order in which they were taken."""
        self._state.domain("snapshots.list_all", uuid)
        return tuple(snapshot for snapshot, _ in self._state.snapshots.get(uuid, {}).values())

    async def take(self, uuid: str, name: str, *, memory: bool = True) -> SnapshotFacts:
        """Keep the domain as it is now, after the current snapshot."""
        facts = self._state.domain("snapshots.take", uuid)
        snapshots = self._state.snapshots.setdefault(uuid, {})
        if name not in snapshots:
            current = next((snapshot.name for snapshot, _ in snapshots.values() if snapshot.current), None)
            kept = facts.power if facts.power in ACTIVE and memory else Power.OFF
            snapshots[name] = (SnapshotFacts(name, current, True, kept), facts)
            self._make_current(uuid, name)
        return snapshots[name][0]

    def _make_current(self, uuid: str, name: str | None) -> None:
        snapshots = self._state.snapshots[uuid]
        for other, (snapshot, facts) in list(snapshots.items()):
            snapshots[other] = (replace(snapshot, current=other == name), facts)

    async def revert(self, uuid: str, name: str) -> None:
        """Make the domain again what it was, which also brings its definition back."""
        self._state.domain("snapshots.revert", uuid)
        if name not in self._state.snapshots.get(uuid, {}):
            raise DriverNotFound(f"there is no snapshot {name}")
        snapshot, before = self._state.snapshots[uuid][name]
        self._state.domains[uuid] = replace(before, power=snapshot.power)
        self._make_current(uuid, name)
        self._state.tell(uuid)

    async def delete(self, uuid: str, name: str) -> None:
        """Forget the snapshot; those taken after it come to stand on its parent."""
        self._state.enter("snapshots.delete")
        snapshots = self._state.snapshots.get(uuid, {})
        if name not in snapshots:
            return
        gone, _ = snapshots.pop(name)
        for other, (snapshot, facts) in list(snapshots.items()):
            if snapshot.parent == name:
                snapshots[other] = (replace(snapshot, parent=gone.parent), facts)
        if gone.current:
            self._make_current(uuid, gone.parent)

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
        if uefi:
            return "its firmware is UEFI"
        return None if set(formats) <= {"qcow2"} else "a disk is not qcow2"

    async def list_all(self, uuid: str) -> tuple[SnapshotFacts, ...]:
        self._state.domain("snapshots.list_all", uuid)
        return tuple(snapshot for snapshot, _ in self._state.snapshots.get(uuid, {}).values())

    async def take(self, uuid: str, name: str, *, memory: bool = True) -> SnapshotFacts:
        facts = self._state.domain("snapshots.take", uuid)
        known = self._state.snapshots.setdefault(uuid, {})
        if name not in known:
            current = next((snapshot.name for snapshot, _ in known.values() if snapshot.current), None)
            kept = facts.power if facts.power in ACTIVE and memory else Power.OFF
            known[name] = (SnapshotFacts(name, current, True, kept), facts)
            self._make_current(uuid, name)
        return known[name][0]

    def _make_current(self, uuid: str, name: str | None) -> None:
        known = self._state.snapshots[uuid]
        for other, (snapshot, facts) in list(known.items()):
            known[other] = (replace(snapshot, current=other == name), facts)

    async def revert(self, uuid: str, name: str) -> None:
        self._state.domain("snapshots.revert", uuid)
        if name not in self._state.snapshots.get(uuid, {}):
            raise DriverNotFound(f"there is no snapshot {name}")
        snapshot, before = self._state.snapshots[uuid][name]
        self._state.domains[uuid] = replace(before, power=snapshot.power)
        self._make_current(uuid, name)
        self._state.tell(uuid)

    async def delete(self, uuid: str, name: str) -> None:
        self._state.enter("snapshots.delete")
        known = self._state.snapshots.get(uuid, {})
        if name not in known:
            return
        gone, _ = known.pop(name)
        for other, (snapshot, facts) in list(known.items()):
            if snapshot.parent == name:
                known[other] = (replace(snapshot, parent=gone.parent), facts)
        if gone.current:
            self._make_current(uuid, gone.parent)

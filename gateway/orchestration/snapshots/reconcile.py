"""The comparison of SNAPSHOT images with the hypervisor: one that an admin deletes with virsh is in ERROR.

A snapshot that an admin takes with virsh is not shown, and goes with its Machine.
"""

from __future__ import annotations

import structlog

from drivers.base import DriverError
from gateway.orchestration.common.room import Room
from gateway.orchestration.machine_core import chain
from gateway.orchestration.machine_core.names import machine_uuid
from gateway.orchestration.monitoring.occurrences import alarm
from gateway.orchestration.monitoring.recorder import tell
from gateway.store.model import Resource
from gateway.store.transaction import Transaction

log = structlog.get_logger("snapshots")


class SnapshotReconciler:
    """The comparison of SNAPSHOT images with the hypervisor's snapshots."""

    def __init__(self, room: Room) -> None:
        self.room = room

    async def compare(self, machine: Resource) -> None:
        """Compare the snapshots of a Machine; one without any costs no call."""
        if machine.document.get("latestSnapshot") is None:
            return
        async with self.room.store.transaction() as transaction:
            images = await chain.members(transaction, machine.path)
        try:
            there = {
                snapshot.name for snapshot in await self.room.driver(machine).snapshots.list_all(machine_uuid(machine))
            }
        except DriverError as error:
            log.warning("snapshots not compared", machine=machine.path, reason=str(error))
            return
        for image in images:
            state = "AVAILABLE" if chain.id_of(image.path) in there else "ERROR"
            if image.state != state and image.state in ("AVAILABLE", "ERROR"):
                await self._change(machine, image, state)

    async def _change(self, machine: Resource, image: Resource, state: str) -> None:
        async with self.room.store.transaction() as transaction:
            if not await self._unchanged(transaction, image):
                return
            changed = await transaction.update(image.with_document(state=state))
            if state == "ERROR":
                detail = f"the snapshot {image.path} was deleted from the hypervisor; delete the image"
                await tell(transaction, alarm(machine, "snapshot-gone", detail))
        log.info("snapshot changed outside", image=changed.path, state=state)

    async def _unchanged(self, transaction: Transaction, image: Resource) -> bool:
        """Return whether no Job has begun with the image since it was compared."""
        current = await transaction.get(image.path)
        return current is not None and current.version == image.version and current.held_by is None

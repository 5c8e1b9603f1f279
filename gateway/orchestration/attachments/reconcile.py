"""The comparison of MachineVolumes with the hypervisor: Volumes that an admin, or the guest, plugs in and out."""

from __future__ import annotations

import structlog

from drivers.base import DiskFacts, DomainFacts, DriverError, Power
from gateway.errors import GatewayError
from gateway.orchestration.attachments.connections import connect, disconnect
from gateway.orchestration.attachments.facts import KeptAttachment
from gateway.orchestration.common.room import Room
from gateway.orchestration.machine_core.facts import KeptMachine
from gateway.orchestration.machine_core.names import machine_uuid, reserved
from gateway.orchestration.volumes.facts import KeptVolume
from gateway.store.model import Resource
from gateway.store.questions.resources import volume_at

RUNNING = frozenset({Power.RUNNING, Power.PAUSED})
MOST_UNKNOWN = 10_000
"""Disks that are remembered; with more of them all are looked for again."""
log = structlog.get_logger("volumes")


class AttachmentReconciler:
    """The reconciler of MachineVolumes.

    The Machine bears the marks of its Volumes, so that most comparisons cost no search.
    """

    def __init__(self, room: Room) -> None:
        self.room = room
        self._unknown: set[tuple[str, str, str]] = set()
        """Machine, target and source of disks that are no Volume: looked for once, until there is a foreign one."""
        room.store.watch(self._noted, "Volume")

    def _noted(self, changes: dict[str, Resource | None]) -> None:
        """Look again for what is no Volume once there are foreign ones that were not."""
        volumes = [entry for entry in changes.values() if entry is not None and entry.kind == "Volume"]
        if self._unknown and any(KeptVolume.of(volume).foreign for volume in volumes):
            self._unknown.clear()

    async def compare(self, machine: Resource, facts: DomainFacts) -> None:
        """Connect and disconnect Volumes in the store as the domain has its disks, by these facts of it."""
        disks = {disk.target: disk for disk in facts.disks}
        for target, path in KeptMachine.of(machine).volumes.items():
            disk = disks.get(target)
            if disk is None:
                await self._vanished(machine, path)
            elif not disk.plugged and facts.power in RUNNING:
                await self._released(machine, path)
        for target in disks.keys() - reserved(machine):
            await self._appeared(machine, disks[target])

    async def _disks(self, machine: Resource) -> dict[str, DiskFacts] | None:
        """Read the domain's disks anew, since what was compared may be older than a Job that has ended.

        None stands for a hypervisor that does not tell.
        """
        try:
            return {
                disk.target: disk
                for disk in (await self.room.driver(machine).domains.read(machine_uuid(machine))).disks
            }
        except DriverError:
            return None

    async def _vanished(self, machine: Resource, path: str) -> None:
        attachment = await self.room.store.get(path)
        if attachment is None or attachment.held_by is not None:
            return
        disks = await self._disks(machine)
        if disks is None or KeptAttachment.of(attachment).target in disks:
            return
        async with self.room.store.transaction() as transaction:
            current = await transaction.get(path)
            if current is None or current.version != attachment.version:
                return
            await disconnect(transaction, current)
        log.info("volume disconnected outside", attachment=path)

    async def _released(self, machine: Resource, path: str) -> None:
        """Finish a request to disconnect a Volume, of which the guest has let go late."""
        attachment = await self.room.store.get(path)
        if attachment is None or attachment.held_by or not KeptAttachment.of(attachment).releasing:
            return
        target, seconds = KeptAttachment.of(attachment).target, self.room.policy.detach_deadline
        try:
            await self.room.driver(machine).devices.detach_disk(machine_uuid(machine), target, seconds)
        except (DriverError, GatewayError) as error:
            log.warning("late release not finished", attachment=path, reason=str(error))
            return
        await self._vanished(machine, path)

    async def _appeared(self, machine: Resource, disk: DiskFacts) -> None:
        key = (machine.path, disk.target, disk.source)
        if key in self._unknown or disk.cdrom or not disk.persistent:
            return
        if len(self._unknown) >= MOST_UNKNOWN:
            self._unknown.clear()
        self._unknown.add(key)
        volume = await volume_at(self.room.store, KeptMachine.of(machine).host, disk.source)
        if volume is None:
            log.info("disk is no Volume", machine=machine.path, target=disk.target)
            return
        if await self._connect(machine.path, volume, disk):
            log.info("volume connected outside", machine=machine.path, volume=volume)
        self._unknown.discard(key)

    async def _connect(self, path: str, volume: str, seen: DiskFacts) -> bool:
        """Connect only what is still there while nobody else changes the Machine; return whether it did."""
        machine = await self.room.store.get(path)
        if machine is None or machine.held_by is not None or seen.target in reserved(machine):
            return False
        disks = await self._disks(machine)
        if disks is None or seen.target not in disks or disks[seen.target].source != seen.source:
            return False
        async with self.room.store.transaction() as transaction:
            current, volume_now = await transaction.get(path), await transaction.get(volume)
            if current is None or volume_now is None or current.version != machine.version:
                return False
            if path in KeptVolume.of(volume_now).attachments.values():
                return False
            await connect(transaction, current, volume_now, seen.target, {})
        return True

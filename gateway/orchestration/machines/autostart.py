"""Machines that start with their host: each in its turn, once for each boot of the host.

libvirt's own autostart knows no order, and starts guests before anybody could say why one does not start.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import structlog

from drivers.base import ConnectionState, Driver
from gateway.cimi.registry import CLOUD_ENTRY_POINT
from gateway.errors import GatewayError, NotFound
from gateway.orchestration.common.contract import Caller, Role
from gateway.orchestration.common.room import Room
from gateway.orchestration.monitoring.occurrences import alarm
from gateway.orchestration.monitoring.recorder import tell
from gateway.store.durable import Hosted, Kept
from gateway.store.model import Document, Resource

AUTOSTART = ("autostart", "autostartOrder")
REASON = "its host has booted"
OFF = frozenset({"STOPPED", "ERROR"})
"""States from which a Machine is started; a host that went down hard leaves guests in ERROR."""
PATIENCE = 300.0
"""Seconds that the next Machine waits for the one before it to have started."""
log = structlog.get_logger("sync")


@dataclass(frozen=True)
class KeptBoot:
    """The last boot of a host that was noticed, and the Machines whose turn to start has not come since."""

    mark: str = ""
    waiting: tuple[str, ...] = ()


@dataclass(frozen=True)
class KeptBoots(Kept):
    """The hosts' boots, by the hosts' names; they stand beside the document of the Cloud Entry Point."""

    boots: dict[str, KeptBoot] = field(default_factory=dict)


def keep_autostart(
    before: Resource, changed: Resource, document: Document, selected: frozenset[str] | None
) -> Resource:
    """Return the Machine after a full update whose client may never have heard of these attributes: they stay.

    Null takes one away, as does an update that selects it and leaves it out.
    """
    if selected is not None:
        return changed
    kept = {name: before.document.get(name) for name in AUTOSTART if name not in document}
    return changed.with_document(**kept)


class AutoStart:
    """The starts of Machines after boots of their hosts."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self._busy: set[str] = set()
        """Names of the hosts whose Machines are being started."""
        self._refused: dict[str, str] = {}
        """The reason why each of the waiting Machines was not started last, by its path."""

    async def notice(self, driver: Driver) -> bool:
        """Return whether the host has booted since it was looked at last; then remember which Machines are to start.

        Raises DriverError.
        """
        before = await self._kept(driver.name)
        boot = await driver.boot(before.mark)
        if boot.mark == before.mark:
            return False
        waiting = await self._in_their_order(driver.name) if boot.new else before.waiting
        await self._keep(driver.name, KeptBoot(boot.mark, waiting))
        if boot.new and before.mark:
            log.warning("host has booted", host=driver.name, machines=len(waiting))
        return boot.new

    async def turn(self, driver: Driver) -> None:
        """Start the Machines whose turn it is, one after the other; one that cannot be started keeps up no other.

        It is tried again with the next turn.
        """
        if driver.name in self._busy:
            return
        self._busy.add(driver.name)
        try:
            for path in (await self._kept(driver.name)).waiting:
                if driver.connection is not ConnectionState.UP:
                    return
                if await self._started(path):
                    await self._strike_out(driver.name, path)
        finally:
            self._busy.discard(driver.name)

    async def _in_their_order(self, host: str) -> tuple[str, ...]:
        machines = [
            machine
            async for machine in self.room.store.every("Machine")
            if machine.document.get("autostart") and Hosted.of(machine).host == host
        ]
        return tuple(machine.path for machine in sorted(machines, key=_place))

    async def _started(self, path: str) -> bool:
        """Return whether there is nothing left to do about this Machine; its start may well have failed by itself."""
        machine = await self.room.store.get(path)
        if machine is None or not machine.document.get("autostart"):
            return True
        if machine.held_by is not None:
            return False
        if machine.state not in OFF:
            return True
        caller = Caller(machine.project or "", Role.ADMIN, machine.project or "", reason=REASON)
        try:
            outcome = await self.room.services["Machine"].act(caller, path, "start", {})
        except NotFound:
            return True
        except GatewayError as error:
            return await self._told(machine, error)
        self._refused.pop(path, None)
        await self.room.runner.wait(outcome.job, PATIENCE)
        return True

    async def _told(self, machine: Resource, error: GatewayError) -> bool:
        """Tell once of each reason why a Machine is not started yet; return False."""
        if self._refused.get(machine.path) != error.message:
            self._refused[machine.path] = error.message
            log.warning("machine does not start with its host yet", machine=machine.path, reason=error.message)
            async with self.room.store.transaction() as transaction:
                if await transaction.get(machine.path) is not None:
                    detail = f"it is not started yet: {error.message}"
                    await tell(transaction, alarm(machine, "autostart", detail, severity="high", outcome="Warning"))
        return False

    # What is remembered

    async def _kept(self, host: str) -> KeptBoot:
        entry = await self.room.store.get(CLOUD_ENTRY_POINT.segment)
        return KeptBoots.of(entry).boots.get(host, KeptBoot()) if entry is not None else KeptBoot()

    async def _keep(self, host: str, boot: KeptBoot) -> None:
        async with self.room.store.transaction() as transaction:
            entry = await transaction.get(CLOUD_ENTRY_POINT.segment)
            if entry is not None:
                boots = {**KeptBoots.of(entry).boots, host: boot}
                await transaction.update(KeptBoots.changed(entry, boots=boots))

    async def _strike_out(self, host: str, path: str) -> None:
        boot = await self._kept(host)
        await self._keep(host, replace(boot, waiting=tuple(entry for entry in boot.waiting if entry != path)))


def _place(machine: Resource) -> tuple[bool, int, str, str]:
    """Return by what Machines are ordered: their numbers, those without one last, and then their age."""
    order = machine.document.get("autostartOrder")
    return order is None, order or 0, machine.created.isoformat(), machine.path

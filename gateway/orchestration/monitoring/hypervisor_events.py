"""The reports of hypervisors beside changes of state, as alarms: guests in trouble, connections lost and regained.

Whether a host that is connected confines its guests is told in the journal.
"""

from __future__ import annotations

import time
from collections.abc import Coroutine
from typing import Any

import structlog

from drivers.base import ConnectionState, Driver, DriverError, DriverEvent, EventKind
from gateway.cimi.registry import CLOUD_ENTRY_POINT
from gateway.errors import GatewayError
from gateway.orchestration.common.room import Room
from gateway.orchestration.monitoring.occurrences import Occurrence, alarm, state_changed
from gateway.orchestration.monitoring.recorder import tell
from gateway.store.durable import Hosted

POLICY = {
    "watchdog": ("Warning", "high"),
    "memory-failure": ("Failure", "critical"),
    "control-error": ("Failure", "critical"),
}
"""The outcome and severity of each code; all others are I/O errors."""
IO_ERROR = ("Failure", "critical")
QUIET_SECONDS = 5.0
REACTIONS = "alarms of hypervisors"
CONFINEMENT = "confinement of guests"
log = structlog.get_logger("events")
journal = structlog.get_logger("gateway")


class HypervisorEvents:
    """The watcher that writes what hypervisors tell beside changes of state as alarms."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._down: set[str] = set()
        self._raised: dict[tuple[str, str], float] = {}
        for driver in room.drivers.values():
            driver.subscribe(self._happened)

    async def stop(self) -> None:
        """End the subscriptions to the drivers' events, and wait until all that was heard is told."""
        for driver in self._room.drivers.values():
            driver.unsubscribe(self._happened)
        await self._room.supervision.end_reactions(REACTIONS)

    def _happened(self, event: DriverEvent) -> None:
        if event.kind is EventKind.DOMAIN_ALARM and event.uuid is not None:
            self._spawn(self._guest(event.hypervisor, f"machines/{event.uuid}", event.code, event.detail))
        elif event.kind is EventKind.CONNECTION:
            self._connection(event)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._room.supervision.react(REACTIONS, work)

    async def _guest(self, host: str, path: str, code: str, detail: str) -> None:
        """Keep only what the Machine's own host tells: another may have a copy of its domain."""
        machine = await self._room.store.get(path)
        if machine is None or Hosted.of(machine).host != host or self._is_repeated(path, code):
            return
        if code == "reboot":
            await self._keep(state_changed(machine, machine.state, detail))
            return
        outcome, severity = POLICY.get(code, IO_ERROR)
        await self._keep(alarm(machine, code, detail, outcome=outcome, severity=severity))

    def _is_repeated(self, path: str, code: str) -> bool:
        """Return whether an alarm of this kind was raised in the last QUIET_SECONDS.

        A broken disk may complain a thousand times a second.
        """
        now = time.monotonic()
        self._raised = {key: moment for key, moment in self._raised.items() if now - moment < QUIET_SECONDS}
        return self._raised.setdefault((path, code), now) != now

    def _connection(self, event: DriverEvent) -> None:
        """Tell once when a host is lost, however often connecting again fails, and once when it is back."""
        name = event.hypervisor
        if event.state is ConnectionState.DOWN and name not in self._down:
            self._down.add(name)
            self._spawn(self._hypervisor("hypervisor-lost", f"{name} is away: {event.detail}", "Failure", "critical"))
        elif event.state is ConnectionState.UP and name in self._down:
            self._down.discard(name)
            self._spawn(self._hypervisor("hypervisor-back", f"{name} answers again", "Success", "low"))

    async def _hypervisor(self, code: str, detail: str, outcome: str, severity: str) -> None:
        entry = await self._room.store.get(CLOUD_ENTRY_POINT.segment)
        if entry is not None:
            await self._keep(alarm(entry, code, detail, outcome=outcome, severity=severity))

    async def _keep(self, occurrence: Occurrence) -> None:
        try:
            async with self._room.store.transaction() as transaction:
                await tell(transaction, occurrence)
        except GatewayError as error:
            log.error("event not kept", reason=error.message, content=occurrence.document["content"])


class ConfinementLog:
    """The watcher that writes one line into the journal whenever a hypervisor is connected."""

    def __init__(self, room: Room) -> None:
        self._room = room
        for driver in room.drivers.values():
            driver.subscribe(self._happened)

    async def stop(self) -> None:
        """End the subscriptions to the drivers' events, and what was begun about them."""
        for driver in self._room.drivers.values():
            driver.unsubscribe(self._happened)
        await self._room.supervision.end_reactions(CONFINEMENT, cancel=True)

    def _happened(self, event: DriverEvent) -> None:
        if event.kind is EventKind.CONNECTION and event.state is ConnectionState.UP:
            self._room.supervision.react(CONFINEMENT, self._tell(self._room.drivers[event.hypervisor]))

    async def _tell(self, driver: Driver) -> None:
        try:
            host = await driver.host()
        except DriverError as error:
            journal.warning("not known whether guests are confined", hypervisor=driver.name, reason=str(error))
            return
        if host.confinement:
            journal.info("guests are confined", hypervisor=driver.name, by=host.confinement)
        else:
            advice = "switch on SELinux or AppArmor for libvirt (docs/security.md)"
            journal.warning("guests are not confined", hypervisor=driver.name, advice=advice)

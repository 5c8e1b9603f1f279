"""The reconciliation with hypervisors: it hears their events, and lets the families compare now and then."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from functools import partial
from typing import Any

import structlog

from drivers.base import ConnectionState, Driver, DriverError, DriverEvent, EventKind
from drivers.supervision import Loop
from gateway.errors import GatewayError
from gateway.orchestration.common.room import Room
from gateway.orchestration.host_start import HostStart
from gateway.orchestration.interfaces.address_watch import addresses_loop
from gateway.orchestration.machines.autostart import AutoStart
from gateway.orchestration.machines.reconcile import MachineReconciler
from gateway.orchestration.networks.reconcile import NetworkReconciler
from gateway.orchestration.volumes.reconcile import VolumeReconciler
from gateway.store.transaction import PROMISER

COMPARE_EVERY = 15.0
REST = 10
"""The least length of the pause after a comparison of volumes, as a multiple of the time that it took."""
REACTIONS = "changes outside"
"""The name of the reactions to the events of hypervisors."""
log = structlog.get_logger("sync")


class Reconciliation:
    """All reconcilers, and the times at which they look.

    ``first_look`` looks before the first request, then loops look for each host.
    """

    def __init__(self, room: Room) -> None:
        self.room = room
        self._loops: list[Loop] = []
        self._volumes_compared: dict[str, float] = {}
        """Seconds that the last comparison of a hypervisor's volumes took."""
        self.machines = MachineReconciler(room)
        self.volumes = VolumeReconciler(room)
        self.networks = NetworkReconciler(room)
        self._host_start = HostStart(room)
        self._starting = {name: asyncio.Lock() for name in room.drivers}
        self._autostart = AutoStart(room)
        for driver in room.drivers.values():
            driver.subscribe(self._happened)

    async def first_look(self) -> None:
        """Learn what has to be there before the first request: the hosts' networks, which new Machines stand on."""
        for driver in self.room.drivers.values():
            if driver.connection is ConnectionState.UP:
                await self._guarded(self._first_look(driver))

    async def _first_look(self, driver: Driver) -> None:
        await self._start_host(driver)
        await self.networks.show(driver)

    async def _start_host(self, driver: Driver) -> None:
        """Start the host's own networks and pools after a start of the gateway, and after a boot of the host.

        What the host has is learnt here, too: after a boot it may have more. Loops that come at the same moment would
        each take a boot for new.
        """
        async with self._starting[driver.name]:
            if await self._autostart.notice(driver):
                self._host_start.forget(driver)
            await self._host_start.once(driver)
            self.room.capacities.learn(driver.name, await driver.host())

    def start(self) -> None:
        """Start the loops of each host: Machines and Networks, Volumes, and addresses of guests."""
        keep, addresses = self.room.supervision.keep, self.machines.addresses
        for name, driver in self.room.drivers.items():
            self._loops += [
                keep(machines_loop(name), partial(self._compare_when_up, driver), COMPARE_EVERY),
                keep(f"volumes of {name}", partial(self._compare_volumes, driver), partial(self._rest, name)),
                keep(addresses_loop(name), partial(addresses.look, name), partial(addresses.rest, name)),
            ]

    async def stop(self) -> None:
        """End the loops, the subscriptions to the drivers' events, and what was begun about them."""
        for driver in self.room.drivers.values():
            driver.unsubscribe(self._happened)
        for loop in self._loops:
            await loop.stop()
        await self.room.supervision.end_reactions(REACTIONS, cancel=True)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self.room.supervision.react(REACTIONS, work)

    def _happened(self, event: DriverEvent) -> None:
        driver = self.room.drivers[event.hypervisor]
        if event.kind is EventKind.CONNECTION:
            if event.state is ConnectionState.UP:
                self.volumes.reconnected(driver.name)
                self._spawn(self._guarded(self.compare(driver, reconnect=True)))
                self._spawn(self._guarded(self.volumes.compare(driver)))
        elif event.kind is EventKind.NETWORK_CHANGED:
            self._spawn(self._guarded(self.networks.happened(driver, event)))
        elif event.kind is EventKind.DOMAIN_CHANGED and event.facts is not None:
            self._spawn(self._guarded(self.machines.apply(driver, event.facts)))
        elif event.kind in (EventKind.DOMAIN_CHANGED, EventKind.DOMAIN_UNDEFINED) and event.uuid is not None:
            self._spawn(self._guarded(self.machines.look(driver, event.uuid)))

    async def _guarded(self, work: Coroutine[Any, Any, object]) -> None:
        # Whatever led here: what the hypervisor says is so.
        PROMISER.set(None)
        try:
            await work
        except (DriverError, GatewayError) as error:
            log.warning("state not compared", reason=str(error))

    async def _compare_when_up(self, driver: Driver) -> None:
        if driver.connection is ConnectionState.UP:
            await self._guarded(self.compare(driver))

    async def _compare_volumes(self, driver: Driver) -> None:
        """Compare the host's Volumes; a long comparison is followed by a longer pause."""
        began = time.monotonic()
        if driver.connection is ConnectionState.UP:
            await self._guarded(self.volumes.compare(driver))
        self._volumes_compared[driver.name] = time.monotonic() - began

    def _rest(self, hypervisor: str) -> float:
        return max(COMPARE_EVERY, REST * self._volumes_compared[hypervisor])

    async def compare(self, driver: Driver, *, reconnect: bool = False) -> None:
        """Compare the Machines and Networks of a host with all that it has.

        The Networks are compared also where domains cannot be listed. Raises DriverError.
        """
        await self._start_host(driver)
        try:
            await self.machines.compare(driver)
        finally:
            await self.networks.compare(driver, reconnect=reconnect)
        # Not before the Networks run and the Machines are seen to be off; the next comparison does not wait for it.
        self._spawn(self._guarded(self._autostart.turn(driver)))


def machines_loop(hypervisor: str) -> str:
    """Return the name of the loop that compares the Machines of the hypervisor of this name."""
    return f"machines of {hypervisor}"

"""The confinement of guests: reported when a hypervisor is connected, and demanded where the configuration says so.

Without SELinux or AppArmor a guest that breaks out of QEMU is the user that all guests run as, and has their disks.
"""

from __future__ import annotations

import structlog

from drivers.base import ConnectionState, Driver, DriverError, DriverEvent, EventKind, HostFacts, HypervisorSettings
from gateway.errors import Unavailable
from gateway.orchestration.common.driver_errors import translating
from gateway.orchestration.common.resource_service import Room
from gateway.store.model import Resource

REACTIONS = "confinement of guests"
log = structlog.get_logger("gateway")


def demand_confinement(settings: HypervisorSettings, host: HostFacts) -> None:
    """Raise Unavailable where guests have to be confined and are not."""
    if settings.require_confinement and not host.confinement:
        raise Unavailable(
            f"the hypervisor {settings.name} confines no guests, and its configuration requires that "
            "(require_confinement); the admin has to switch on SELinux or AppArmor for libvirt"
        )


async def check_confinement(room: Room, machine: Resource) -> None:
    """Raise Unavailable when a Machine's guests have to be confined on its host, and are not."""
    driver = room.driver(machine)
    settings = room.hypervisors[driver.name]
    if settings.require_confinement:
        with translating():
            host = await driver.host()
        demand_confinement(settings, host)


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
        await self._room.supervision.end_reactions(REACTIONS, cancel=True)

    def _happened(self, event: DriverEvent) -> None:
        if event.kind is EventKind.CONNECTION and event.state is ConnectionState.UP:
            self._room.supervision.react(REACTIONS, self._tell(self._room.drivers[event.hypervisor]))

    async def _tell(self, driver: Driver) -> None:
        try:
            host = await driver.host()
        except DriverError as error:
            log.warning("not known whether guests are confined", hypervisor=driver.name, reason=str(error))
            return
        if host.confinement:
            log.info("guests are confined", hypervisor=driver.name, by=host.confinement)
        else:
            advice = "switch on SELinux or AppArmor for libvirt (docs/security.md)"
            log.warning("guests are not confined", hypervisor=driver.name, advice=advice)

"""The start of the networks and pools of the host that the configuration names, where they are inactive.

They are started once for each start of the gateway, and for each boot of their host: one that an admin stops later
stays stopped. The admin decides whether they start with the host by themselves; `doctor` tells where they do not.
"""

from __future__ import annotations

import structlog

from drivers.base import Driver, DriverNotFound
from gateway.orchestration.common.apart import Apart
from gateway.orchestration.common.room import Room
from gateway.orchestration.networks.host_network import host_networks

log = structlog.get_logger("sync")


class HostStart:
    """The start of the hosts' networks and pools, once for each host."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self._apart = Apart(room.supervision, "start of the host")
        self._hosts: set[str] = set()
        """The names of the hosts that were looked at since the gateway's start."""

    def forget(self, driver: Driver) -> None:
        """Start what is inactive on the host once more: it has booted."""
        self._hosts.discard(driver.name)

    async def once(self, driver: Driver) -> None:
        """Start the host's networks and pools that are inactive.

        A network or pool that cannot be started is reported in the journal, and shows its true state.
        """
        if driver.name in self._hosts:
            return
        settings = self.room.hypervisors[driver.name]
        for name in host_networks(settings):
            with self._apart.each(f"network {name} of {driver.name}", driver):
                await self._network(driver, name)
        for pool in settings.every_pool:
            with self._apart.each(f"pool {pool.name} of {driver.name}", driver):
                await self._pool(driver, pool.name)
        self._hosts.add(driver.name)

    async def _network(self, driver: Driver, name: str) -> None:
        try:
            inactive = not (await driver.networks.read(name)).active
        except DriverNotFound:
            # It shows as ERROR; what it should be is not ours to say.
            return
        if inactive:
            await driver.networks.start(name, always=False)
            log.warning("network of the host started", host=driver.name, network=name)

    async def _pool(self, driver: Driver, name: str) -> None:
        try:
            inactive = not (await driver.storage.read_pool(name)).active
        except DriverNotFound:
            # Defined by the comparison of pools where the configuration describes it.
            return
        if inactive:
            await driver.storage.start_pool(name)
            log.warning("pool of the host started", host=driver.name, pool=name)

"""Networks kept as the hypervisors say they are, and the repair of what should run (DSP0263 5.17).

An admin who stops a network with virsh has stopped the Network, and who starts it has started it; guests' interfaces
go back on it then. What is found wrong after we were away (a restart of libvirt or of the gateway) is put right: the
whole definition of a Network is kept. One that cannot be put right is in ERROR, and stops no other.
"""

from __future__ import annotations

from dataclasses import replace

import structlog

from drivers.base import ConnectionState, Driver, DriverError, DriverEvent, DriverNotFound, NetworkFacts
from gateway.orchestration.common.apart import Apart
from gateway.orchestration.common.names import name_of
from gateway.orchestration.common.room import Room
from gateway.orchestration.networks.assignment import reservations_of
from gateway.orchestration.networks.facts import KeptNetwork
from gateway.orchestration.networks.host_guests import HostGuests
from gateway.orchestration.networks.host_network import host_networks, network_path, show_networks
from gateway.orchestration.networks.reach import bring_filter
from gateway.orchestration.networks.repair import repair_network
from gateway.orchestration.networks.spec import network_spec
from gateway.orchestration.networks.states import network_state
from gateway.orchestration.networks.trouble import as_it_is, report, tell_trouble, wanted_state
from gateway.store.model import Resource

STABLE = frozenset({"STARTED", "STOPPED", "ERROR"})
log = structlog.get_logger("sync")


class NetworkReconciler:
    """The comparison of Networks with the hosts.

    While a job holds a Network (``held_by``) only the job writes its state.
    """

    def __init__(self, room: Room) -> None:
        self.room = room
        self._apart = Apart(room.supervision, "networks")
        self._rest_apart = Apart(room.supervision, "networks")
        self._links_apart = Apart(room.supervision, "networks")
        self._guests = HostGuests(room)

    async def compare(self, driver: Driver, *, reconnect: bool) -> None:
        """Compare all Networks of a host with all its networks; foreign networks are left alone.

        ``reconnect`` also looks at the guests' interfaces: after we were away.
        """
        if reconnect:
            self._guests.expect_all(driver)
        kept = [network async for network in self.room.store.every("Network") if _ours(network, driver)]
        facts = await self.show(driver)
        for network in kept:
            if not _agrees(network, facts.get(name_of(network))):
                with self._apart.each(network.path, driver):
                    await self._repair(driver, network.path, follow=False)
        await self._repair_rest(driver, facts)
        if reconnect:
            await self._reconnect_all(driver, kept)
        await self._guests.hold(driver)

    async def _repair_rest(self, driver: Driver, facts: dict[str, NetworkFacts]) -> None:
        """Look at filters, DHCP and DNS of all Networks of the host, those that a job holds too."""
        async for network in self.room.store.every("Network"):
            with self._rest_apart.each(network.path, driver):
                await repair_network(self.room, driver, network, facts.get(name_of(network)))

    async def _reconnect_all(self, driver: Driver, networks: list[Resource]) -> None:
        """Look at all guests once; only where that fails, at those of each Network by itself."""
        try:
            await self._reconnect(driver, *networks)
        except DriverError as error:
            if driver.connection is not ConnectionState.UP:
                raise
            log.warning("interfaces not looked at together", reason=str(error))
            for network in networks:
                with self._links_apart.each(network.path, driver):
                    await self._reconnect(driver, network)

    async def show(self, driver: Driver) -> dict[str, NetworkFacts]:
        """Write the host's own networks as they are, and return the facts of all its networks, by name."""
        facts = {network.name: network for network in await driver.networks.list_all()}
        await show_networks(self.room.store, self.room.hypervisors[driver.name], facts)
        return facts

    async def happened(self, driver: Driver, event: DriverEvent) -> None:
        """Follow a start or stop of a network: by an admin, since what a job does it sees to itself."""
        network = await self.room.store.get(f"networks/{event.uuid}")
        if network is None:
            await self._show_host_network(driver, str(event.uuid))
        elif network.held_by is None:
            await self._repair(driver, network.path, follow=True)
            await repair_network(self.room, driver, network, await self._facts(driver, network))

    async def _show_host_network(self, driver: Driver, uuid: str) -> None:
        """Write the host's own networks when one that is shown has this UUID; a foreign one is none of our business."""
        settings = self.room.hypervisors[driver.name]
        for name in host_networks(settings):
            network = await self.room.store.get(network_path(settings, name))
            if network is not None and KeptNetwork.of(network).uuid in (uuid, None):
                await self.show(driver)
                return

    async def _repair(self, driver: Driver, path: str, *, follow: bool) -> None:
        """Put right what is wrong; with ``follow`` a stopped network is what an admin wanted."""
        async with self.room.runner.hold(path):
            network = await self.room.store.get(path)
            if network is None or not _ours(network, driver):
                return
            try:
                facts = await self._put_right(driver, network, follow=follow)
            except DriverError as error:
                if driver.connection is not ConnectionState.UP:
                    raise
                await tell_trouble(self.room, path, str(error))
                return
            await self._write(network, network_state(facts))
            if facts.active:
                await self._reconnect(driver, network)

    async def _put_right(self, driver: Driver, network: Resource, *, follow: bool) -> NetworkFacts:
        """Define and start the network when it should be, and return the facts after that. Raises DriverError."""
        facts = await self._facts(driver, network)
        if facts is None or not facts.persistent:
            await self._define(driver, network)
            facts = await driver.networks.read(name_of(network))
        if facts.active or follow or wanted_state(network) != "STARTED":
            return facts
        await driver.networks.start(name_of(network))
        await report(self.room, network.path, "started again", "the network should run and did not")
        return replace(facts, active=True)

    async def _facts(self, driver: Driver, network: Resource) -> NetworkFacts | None:
        try:
            return await driver.networks.read(name_of(network))
        except DriverNotFound:
            return None

    async def _define(self, driver: Driver, network: Resource) -> None:
        await bring_filter(self.room, driver, network.path)
        reservations = await reservations_of(self.room.store, network.path)
        await driver.networks.define(network_spec(network, self.room.hypervisors[driver.name], reservations))
        await report(self.room, network.path, "defined again", "the hypervisor had lost the network's definition")

    async def _reconnect(self, driver: Driver, *networks: Resource) -> None:
        paths = {name_of(network): network.path for network in networks}
        for name, lost in (await driver.networks.reconnect_interfaces(tuple(paths))).items():
            await report(self.room, paths[name], "reconnected", f"interfaces had lost the network: {', '.join(lost)}")

    async def _write(self, network: Resource, state: str) -> None:
        if network.state == state:
            return
        async with self.room.store.transaction() as transaction:
            current = await transaction.get(network.path)
            if current is None or current.held_by is not None:
                return
            changed = as_it_is(current, state)
            if changed.state == current.state:
                return
            await transaction.update(changed)
        log.info("state changed outside", network=network.path, before=network.state, state=changed.state)


def _ours(network: Resource, driver: Driver) -> bool:
    """Return whether a gateway made the network on this host, and no job holds it now."""
    kept = KeptNetwork.of(network)
    made = kept.host == driver.name and kept.host_network is None
    return made and network.held_by is None and network.state in STABLE


def _agrees(network: Resource, facts: NetworkFacts | None) -> bool:
    return facts is not None and facts.persistent and network.state == network_state(facts)

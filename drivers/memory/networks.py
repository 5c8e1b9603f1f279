"""Networks in memory."""

from __future__ import annotations

from dataclasses import replace

from drivers.base import (
    DriverEvent,
    DriverNotFound,
    EventKind,
    Lease,
    NetworkFacts,
    NetworkSpec,
    Reservation,
)
from drivers.memory.own_addresses import MemoryOwnAddresses, others


class MemoryNetworks(MemoryOwnAddresses):
    """Implements drivers.base.NetworkCalls."""

    def network_externally(self, name: str, *, active: bool) -> None:
        """What an admin does with virsh."""
        self.known_networks[name] = replace(self.known_networks[name], active=active)
        self._tell_network(name, "started" if active else "stopped")

    def _tell_network(self, name: str, detail: str) -> None:
        uuid = self.known_networks[name].uuid
        self.emit(DriverEvent(self.name, EventKind.NETWORK_CHANGED, uuid, detail=detail))

    async def networks(self) -> tuple[NetworkFacts, ...]:
        self.enter("networks")
        return tuple(self.known_networks.values())

    async def network(self, name: str) -> NetworkFacts:
        return self._network("network", name)

    def _network(self, method: str, name: str) -> NetworkFacts:
        self.enter(method)
        if name not in self.known_networks:
            raise DriverNotFound(f"there is no network {name}")
        return self.known_networks[name]

    async def occupied_ranges(self) -> tuple[str, ...]:
        self.enter("occupied_ranges")
        known = [entry for facts in self.known_networks.values() for entry in facts.ranges]
        return (*self.host_routes, *known)

    async def define_network(self, spec: NetworkSpec) -> None:
        self.enter("define_network")
        before = self.known_networks.get(spec.name)
        self.known_networks[spec.name] = NetworkFacts(
            name=spec.name,
            active=before.active if before else False,
            bridge=spec.bridge,
            forward=spec.forward,
            mtu=spec.mtu,
            uuid=spec.uuid,
            network=spec.network,
            ranges=tuple(f"{entry.gateway}/{entry.prefix}" for entry in spec.ranges),
            reservations=spec.reservations,
        )

    async def start_network(self, name: str, *, always: bool = True) -> None:
        self.known_networks[name] = replace(self._network("start_network", name), active=True)
        if always:
            self.autostarting.add(f"network {name}")
        self._tell_network(name, "started")

    async def stop_network(self, name: str) -> None:
        self.known_networks[name] = replace(self._network("stop_network", name), active=False)
        self.autostarting.discard(f"network {name}")
        self._tell_network(name, "stopped")

    async def delete_network(self, name: str) -> None:
        self.enter("delete_network")
        self.known_networks.pop(name, None)

    async def reserve_host(self, name: str, reservation: Reservation) -> None:
        facts = self._network("reserve_host", name)
        self.known_networks[name] = replace(facts, reservations=(*others(facts, reservation), reservation))

    async def release_host(self, name: str, reservation: Reservation) -> None:
        self.enter("release_host")
        if name in self.known_networks:
            facts = self.known_networks[name]
            self.known_networks[name] = replace(facts, reservations=others(facts, reservation))

    async def reconnect_interfaces(self, names: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
        self.enter("reconnect_interfaces")
        return {}

    async def leases(self, name: str) -> tuple[Lease, ...]:
        self._network("leases", name)
        return self.known_leases.get(name, ())

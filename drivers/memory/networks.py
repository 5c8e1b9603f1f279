"""Networks in memory."""

from __future__ import annotations

from dataclasses import replace

from drivers.base import Lease, NetworkFacts, NetworkSpec, Reservation
from drivers.memory.state import MemoryState


class MemoryNetworks:
    """The part ``networks`` of the driver (drivers.base.NetworkCalls)."""

    def __init__(self, state: MemoryState) -> None:
        self._state = state

    async def list_all(self) -> tuple[NetworkFacts, ...]:
        """Return the facts of all networks as they are kept."""
        self._state.enter("networks.list_all")
        return tuple(self._state.networks.values())

    async def read(self, name: str) -> NetworkFacts:
        """Return the facts of the network as they are kept."""
        return self._state.network("networks.read", name)

    async def occupied_ranges(self) -> tuple[str, ...]:
        """Return the ranges of all networks, after the routes that tests have set."""
        self._state.enter("networks.occupied_ranges")
        ranges = [entry for facts in self._state.networks.values() for entry in facts.ranges]
        return (*self._state.host_routes, *ranges)

    async def define(self, spec: NetworkSpec) -> None:
        """Make the network, or change it and leave it running; all of the change is there at once."""
        self._state.enter("networks.define")
        before = self._state.networks.get(spec.name)
        self._state.networks[spec.name] = NetworkFacts(
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

    async def start(self, name: str, *, always: bool = True) -> None:
        """Mark the network as active, and tell it."""
        self._state.networks[name] = replace(self._state.network("networks.start", name), active=True)
        if always:
            self._state.autostarting.add(f"network {name}")
        self._state.tell_network(name, "started")

    async def stop(self, name: str) -> None:
        """Mark the network as inactive, and tell it."""
        self._state.networks[name] = replace(self._state.network("networks.stop", name), active=False)
        self._state.autostarting.discard(f"network {name}")
        self._state.tell_network(name, "stopped")

    async def delete(self, name: str) -> None:
        """Forget the network."""
        self._state.enter("networks.delete")
        self._state.networks.pop(name, None)

    async def reserve_host(self, name: str, reservation: Reservation) -> None:
        """Keep the reservation in place of those of the same address or MAC."""
        facts = self._state.network("networks.reserve_host", name)
        self._state.networks[name] = replace(facts, reservations=(*_others(facts, reservation), reservation))

    async def release_host(self, name: str, reservation: Reservation) -> None:
        """Forget the reservations of the same address or MAC."""
        self._state.enter("networks.release_host")
        if name in self._state.networks:
            facts = self._state.networks[name]
            self._state.networks[name] = replace(facts, reservations=_others(facts, reservation))

    async def reconnect_interfaces(self, names: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
        """Return nothing: no interface ever loses its network here."""
        self._state.enter("networks.reconnect_interfaces")
        return {}

    async def leases(self, name: str) -> tuple[Lease, ...]:
        """Return the leases that tests have set."""
        self._state.network("networks.leases", name)
        return self._state.leases.get(name, ())


def _others(facts: NetworkFacts, reservation: Reservation) -> tuple[Reservation, ...]:
    """Return the network's entries but those of the same address or MAC."""
    return tuple(
        entry
        for entry in facts.reservations
        if entry.ip != reservation.ip and (entry.mac is None or entry.mac != reservation.mac)
    )

"""DHCP entries of the host's own networks in memory: of interfaces, and of reserved addresses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from ipaddress import IPv4Address

from drivers.base import (
    GUARD_HOST,
    DriverConflict,
    DriverNotFound,
    InterfaceSpec,
    NetworkFacts,
    Reservation,
    network_uuid,
)
from drivers.memory.host import MemoryHost


class MemoryOwnAddresses(MemoryHost):
    """What drivers.base.NetworkCalls and FilterCalls say of networks of the host's own."""

    async def take_address(self, name: str, wanted: Reservation, ours: frozenset[str]) -> None:
        self.enter("take_address")
        if name not in self.known_networks:
            raise DriverNotFound(f"there is no network {name}")
        facts = self.known_networks[name]
        for entry in facts.reservations:
            foreign = entry.hostname is not None or entry.mac not in ours
            if entry.ip == wanted.ip and entry.mac != wanted.mac and foreign:
                raise DriverConflict(f"{wanted.ip} is kept for another in the host's network {name}")
        self.known_networks[name] = replace(facts, reservations=(*others(facts, wanted), wanted))

    async def leave_address(self, name: str, ip: str, ours: frozenset[str]) -> None:
        self.enter("leave_address")
        for entry in self.known_networks[name].reservations if name in self.known_networks else ():
            if entry.ip == ip and entry.mac in ours:
                self._without(name, entry)

    def own_address(self, spec: InterfaceSpec) -> None:
        """Give an interface on a network of the host's own an entry of its own, where it has none."""
        facts = self.known_networks.get(spec.network)
        if spec.filter != GUARD_HOST or facts is None or facts.served is None:
            return
        if any(entry.mac == spec.mac for entry in facts.reservations):
            return
        taken, first = {entry.ip for entry in facts.reservations}, IPv4Address(facts.served.spans[0][0])
        ip = next(str(first + number) for number in range(250) if str(first + number) not in taken)
        self.known_networks[spec.network] = replace(
            facts, reservations=(*facts.reservations, Reservation(ip, spec.mac))
        )

    async def give_back_addresses(self, macs: Iterable[str]) -> None:
        self.enter("give_back_addresses")
        gone = set(macs)
        self.given_back.update(gone)
        for name, facts in self.known_networks.items():
            for entry in facts.reservations:
                if entry.mac in gone and entry.hostname is None and network_uuid(name) is None:
                    self._without(name, entry)

    def _without(self, name: str, gone: Reservation) -> None:
        facts = self.known_networks[name]
        kept = tuple(entry for entry in facts.reservations if entry != gone)
        self.known_networks[name] = replace(facts, reservations=kept)


def others(facts: NetworkFacts, reservation: Reservation) -> tuple[Reservation, ...]:
    """The network's entries but those of the same address or MAC."""
    return tuple(
        entry
        for entry in facts.reservations
        if entry.ip != reservation.ip and (entry.mac is None or entry.mac != reservation.mac)
    )

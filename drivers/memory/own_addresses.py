"""DHCP entries of the host's own networks in memory: of interfaces, and of reserved addresses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from drivers.base import (
    GUARD_HOST,
    DriverConflict,
    DriverNotFound,
    HeldGuests,
    InterfaceSpec,
    NetworkFacts,
    Reservation,
    network_uuid,
)
from drivers.host_addresses import free_address, own_of, to_give_back, to_leave, to_replace
from drivers.memory.host import MemoryHost


class MemoryOwnAddresses(MemoryHost):
    """What drivers.base.NetworkCalls and FilterCalls say of networks of the host's own."""

    async def take_address(self, name: str, wanted: Reservation, ours: frozenset[str]) -> None:
        self.enter("take_address")
        if name not in self.known_networks:
            raise DriverNotFound(f"there is no network {name}")
        entries = self.known_networks[name].reservations
        replaced = to_replace(entries, self._leased(name), wanted, ours, name)
        if replaced is not None:
            self._write_entries(name, *(entry for entry in entries if entry not in replaced), wanted)

    async def leave_address(self, name: str, ip: str, ours: frozenset[str]) -> None:
        self.enter("leave_address")
        if name in self.known_networks:
            self._without(name, to_leave(self.known_networks[name].reservations, ip, ours))

    def own_address(self, spec: InterfaceSpec) -> bool:
        """Give an interface on a network of the host's own an entry of its own. Whether it had none."""
        facts = self.known_networks.get(spec.network)
        if spec.filter != GUARD_HOST or facts is None or facts.served is None:
            return False
        if own_of(facts.reservations, spec.mac) is not None:
            return False
        gateway = facts.served.gateway.partition("/")[0]
        leased = self._leased(spec.network)
        ip = free_address(facts.served.spans, gateway, facts.reservations, leased, spec.mac)
        self._write_entries(spec.network, *facts.reservations, Reservation(ip, spec.mac))
        return True

    async def hold_guests(self, only: frozenset[str] | None = None) -> HeldGuests:
        self.enter("hold_guests")
        macs: list[str] = []
        failed: dict[str, str] = {}
        for uuid, facts in self.known.items():
            if facts.machine is None or (only is not None and uuid not in only):
                continue
            specs = [self.interface_specs[nic.mac] for nic in facts.interfaces if nic.mac in self.interface_specs]
            try:
                macs += [spec.mac for spec in specs if self.own_address(spec)]
            except DriverConflict as error:
                failed[uuid] = str(error)
        return HeldGuests(tuple(macs), failed)

    async def give_back_addresses(self, macs: Iterable[str]) -> None:
        self.enter("give_back_addresses")
        gone = frozenset(macs)
        self.given_back.update(gone)
        for name, facts in self.known_networks.items():
            if network_uuid(name) is None:
                self._without(name, to_give_back(facts.reservations, frozenset(mac.lower() for mac in gone)))

    def _leased(self, name: str) -> dict[str, str]:
        return {lease.ip: lease.mac.lower() for lease in self.known_leases.get(name, ()) if ":" not in lease.ip}

    def _write_entries(self, name: str, *entries: Reservation) -> None:
        self.known_networks[name] = replace(self.known_networks[name], reservations=entries)

    def _without(self, name: str, gone: list[Reservation]) -> None:
        self._write_entries(name, *(entry for entry in self.known_networks[name].reservations if entry not in gone))


def others(facts: NetworkFacts, reservation: Reservation) -> tuple[Reservation, ...]:
    """The network's entries but those of the same address or MAC."""
    return tuple(
        entry
        for entry in facts.reservations
        if entry.ip != reservation.ip and (entry.mac is None or entry.mac != reservation.mac)
    )

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
    Reservation,
    network_uuid,
)
from drivers.host_addresses import free_address, own_of, to_give_back, to_leave, to_replace
from drivers.memory.state import MemoryState


class MemoryAddresses:
    """The part ``addresses`` of the driver (drivers.base.AddressCalls), and what interfaces need of it."""

    def __init__(self, state: MemoryState) -> None:
        self._state = state

    async def take(self, network: str, wanted: Reservation, ours: frozenset[str]) -> None:
        """Make the entry in place of others, by the rules of every driver."""
        self._state.enter("addresses.take")
        if network not in self._state.networks:
            raise DriverNotFound(f"there is no network {network}")
        entries = self._state.networks[network].reservations
        replaced = to_replace(entries, self._leased(network), wanted, ours, network)
        if replaced is not None:
            self._write_entries(network, *(entry for entry in entries if entry not in replaced), wanted)

    async def leave(self, network: str, ip: str, ours: frozenset[str]) -> None:
        """Take out the entry, by the rules of every driver."""
        self._state.enter("addresses.leave")
        if network in self._state.networks:
            self._without(network, to_leave(self._state.networks[network].reservations, ip, ours))

    def refuse_foreign(self, uuid: str, mac: str) -> None:
        """Raise DriverConflict when a domain that is not ours, and not this one, has an interface of this MAC."""
        for domain in self._state.domains.values():
            foreign = domain.machine is None and domain.uuid != uuid
            if foreign and any(interface.mac == mac for interface in domain.interfaces):
                raise DriverConflict(f"the guest {domain.name} has the MAC {mac}")

    def own_address(self, spec: InterfaceSpec) -> bool:
        """Give an interface on a network of the host's own an entry of its own, and return whether it had none.

        Raises DriverConflict when no address is left.
        """
        facts = self._state.networks.get(spec.network)
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
        """Give an entry to each interface of our domains; the guests themselves need not be changed."""
        self._state.enter("addresses.hold_guests")
        macs: list[str] = []
        failed: dict[str, str] = {}
        for uuid, facts in self._state.domains.items():
            if facts.machine is None or (only is not None and uuid not in only):
                continue
            specs = self._state.specs_of(facts)
            try:
                macs += [spec.mac for spec in specs if self.own_address(spec)]
            except DriverConflict as error:
                failed[uuid] = str(error)
        return HeldGuests(tuple(macs), failed)

    async def give_back(self, macs: Iterable[str]) -> None:
        """Remove the entries, and note the MACs in ``given_back``."""
        self._state.enter("addresses.give_back")
        gone = frozenset(macs)
        self._state.given_back.update(gone)
        for name, facts in self._state.networks.items():
            if network_uuid(name) is None:
                self._without(name, to_give_back(facts.reservations, frozenset(mac.lower() for mac in gone)))

    def _leased(self, name: str) -> dict[str, str]:
        return {lease.ip: lease.mac.lower() for lease in self._state.leases.get(name, ()) if ":" not in lease.ip}

    def _write_entries(self, name: str, *entries: Reservation) -> None:
        self._state.networks[name] = replace(self._state.networks[name], reservations=entries)

    def _without(self, name: str, gone: list[Reservation]) -> None:
        self._write_entries(name, *(entry for entry in self._state.networks[name].reservations if entry not in gone))

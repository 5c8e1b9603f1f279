"""Addresses on the host's own networks: a DHCP entry for each interface, so that no guest can take another's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from drivers.base.networks import Reservation


@dataclass(frozen=True, slots=True)
class HeldGuests:
    """The MACs of interfaces that had to be changed, and why domains could not be held, by UUID."""

    macs: tuple[str, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)


class AddressCalls(Protocol):
    """DHCP entries in networks of the host's own, by the network's libvirt name.

    Interfaces get theirs when they come to be (``domains.define``, ``devices.attach_interface``).
    """

    async def take(self, network: str, wanted: Reservation, ours: frozenset[str]) -> None:
        """Make the address's DHCP entry one for the MAC of ``wanted``, in place of what that MAC had.

        ``ours`` are the MACs whose entry for the address may be replaced. Raises DriverNotFound when the network is
        missing, and DriverConflict when the address has another entry or is leased to another, and when an admin keeps
        another one for the MAC.
        """
        ...

    async def leave(self, network: str, ip: str, ours: frozenset[str]) -> None:
        """Take out the entry of the address where it is for one of these MACs; one that is gone is no error."""
        ...

    async def hold_guests(self, only: frozenset[str] | None = None) -> HeldGuests:
        """Hold the interfaces of all our domains on the host's own networks to an address of their own each.

        New ones are from the start; those that older gateways made are not. ``only`` limits it to domains of these
        UUIDs. The trouble of one domain stops no other, and is told in the result.
        """
        ...

    async def give_back(self, macs: Iterable[str]) -> None:
        """Remove the entries of interfaces that are no more, so that others may have their addresses.

        An interface that has none is no error.
        """
        ...

"""DHCP leases of guests and interfaces that go, given back to the networks' DHCP servers."""

from __future__ import annotations

import asyncio

import libvirt
import structlog

from drivers.base import DriverError
from drivers.libvirt import leases
from drivers.libvirt.connection import Connection
from drivers.libvirt.lanes import Lane
from drivers.libvirt.leases import Lease
from drivers.libvirt.release_guest import ReleaseGuests
from drivers.libvirt.uri import is_system

log = structlog.get_logger("libvirt")
LOCAL = "qemu:///system"
"""The libvirt whose bridges are on this host."""


class LeaseReturns:
    """Leases on one hypervisor; a user's own libvirt has no networks whose leases could be given back."""

    def __init__(self, connection: Connection, release_guests: ReleaseGuests) -> None:
        self._connection = connection
        self._release_guests = release_guests

    def held(self, domain: libvirt.virDomain, mac: str | None = None) -> tuple[Lease, ...]:
        """Return the leases of the domain's interfaces, or of the one with this MAC; on a worker thread."""
        return leases.of(domain, mac) if is_system(self._connection.uri) else ()

    async def give_back(self, held: tuple[Lease, ...]) -> None:
        """Give the leases back; one that cannot be stays until it expires, and is no error."""
        await asyncio.gather(*map(self._give_back, held))

    async def give_back_of(self, uuid: str, mac: str) -> None:
        """Give back the leases of one of a domain's interfaces, which the guest has no more."""
        held = await self._connection.call(
            lambda handle: self.held(handle.lookupByUUIDString(uuid), mac), lane=Lane.EVENTS
        )
        await self.give_back(held)

    async def _give_back(self, lease: Lease) -> None:
        """Give one lease back. It would be a kindness to nobody to fail for it, or for one that makes no message."""
        try:
            given = await self._release(lease)
        except (DriverError, OSError, ValueError) as error:
            log.info("a lease stays until it expires", ip=lease.ip, reason=str(error))
            return
        if not given:
            log.info("a lease stays until it expires", ip=lease.ip, reason="the DHCP server did not let it go")

    async def _release(self, lease: Lease) -> bool:
        """Return whether the DHCP server let the lease go; this host sends the message where the bridge is here."""
        if self._connection.uri == LOCAL:
            await asyncio.to_thread(leases.release, lease)
            return True
        return await self._release_guests.give_back(lease)

"""Definitions of domains: what is asked, put together with what storage, console, addresses and host say."""

from __future__ import annotations

from dataclasses import replace

from drivers.base import DomainSpec
from drivers.libvirt.console import Console
from drivers.libvirt.domain_xml import Placement, domain_xml
from drivers.libvirt.host import Host
from drivers.libvirt.own_addresses import OwnAddresses
from drivers.libvirt.storage import Storage


class Definitions:
    """The one place where a domain's definition comes from all parts of a driver."""

    def __init__(self, storage: Storage, console: Console, addresses: OwnAddresses, host: Host) -> None:
        self._storage = storage
        self._console = console
        self._addresses = addresses
        self._host = host

    async def xml(self, spec: DomainSpec) -> str:
        """Return libvirt's XML of the domain; its interfaces have their own addresses from then on.

        Raises DriverNotFound when a volume is missing, and DriverConflict when an interface's MAC is that of a foreign
        guest.
        """
        console_log = await self._console.log_path(spec.uuid)
        sources = await self._storage.sources([(disk.pool, disk.volume) for disk in spec.disks])
        interfaces = tuple([await self._addresses.held_new(interface) for interface in spec.interfaces])
        host = await self._host.facts()
        placement = Placement(host.domain_type, host.cpus, console_log, sources)
        return domain_xml(replace(spec, interfaces=interfaces), placement)

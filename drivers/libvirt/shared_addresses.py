"""DHCP entries of a network of the host's own for addresses that the gateway's users have reserved there.

The rules for what may be replaced are in drivers.host_addresses; libvirt refuses a second entry for an address, so that
two never get the same.
"""

from __future__ import annotations

from contextlib import suppress

import libvirt

from drivers.base import DriverConflict, Reservation
from drivers.host_addresses import to_leave, to_replace
from drivers.libvirt import network_xml
from drivers.libvirt.dhcp_entries import leases_of, update_entry

ADD, DELETE = libvirt.VIR_NETWORK_UPDATE_COMMAND_ADD_LAST, libvirt.VIR_NETWORK_UPDATE_COMMAND_DELETE


def take(network: libvirt.virNetwork, wanted: Reservation, ours: frozenset[str]) -> None:
    """Make the entry of the address that of this MAC. Raises DriverConflict when somebody else has either."""
    entries = network_xml.dhcp_entries(network_xml.parsed(network))
    replaced = to_replace(entries, leases_of(network), wanted, ours, network.name())
    if replaced is None:
        return
    gone: list[Reservation] = []
    try:
        for entry in replaced:
            update_entry(network, DELETE, entry)
            gone.append(entry)
        update_entry(network, ADD, wanted)
    except libvirt.libvirtError as error:
        _put_back(network, gone)
        if len(gone) < len(replaced) or error.get_error_code() != libvirt.VIR_ERR_OPERATION_INVALID:
            raise
        raise DriverConflict(f"{wanted.ip} was just taken in the host's network {network.name()}") from error


def _put_back(network: libvirt.virNetwork, gone: list[Reservation]) -> None:
    """Put entries back as far as libvirt takes them: a guest may still be held to such an address."""
    for entry in gone:
        with suppress(libvirt.libvirtError):
            update_entry(network, ADD, entry)


def leave(network: libvirt.virNetwork, ip: str, ours: frozenset[str]) -> None:
    """Take out the entry of the address when it is one of ours."""
    for entry in to_leave(network_xml.dhcp_entries(network_xml.parsed(network)), ip, ours):
        update_entry(network, DELETE, entry)

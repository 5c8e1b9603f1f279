"""DHCP entries of a network of the host's own for addresses that the gateway's users have reserved there.

Such a network has entries of an admin's and of other gateways' too. An entry whose address or MAC is not one of ours is
never replaced, and libvirt refuses a second one for an address, so that two never get the same.
"""

from __future__ import annotations

from contextlib import suppress

import libvirt

from drivers.base import DriverConflict, Reservation
from drivers.libvirt import network_xml
from drivers.libvirt.dhcp_entries import leases_of, update_entry

ADD, DELETE = libvirt.VIR_NETWORK_UPDATE_COMMAND_ADD_LAST, libvirt.VIR_NETWORK_UPDATE_COMMAND_DELETE


def take(network: libvirt.virNetwork, wanted: Reservation, ours: frozenset[str]) -> None:
    """Make the entry of the address that of this MAC. Raises DriverConflict when somebody else has either."""
    entries = network_xml.dhcp_entries(network_xml.parsed(network))
    holder = next((entry for entry in entries if entry.ip == wanted.ip), None)
    if holder is not None and _mac(holder) == _mac(wanted):
        return
    if holder is not None and not _is_ours(holder, ours):
        raise DriverConflict(f"{wanted.ip} is kept for another in the host's network {network.name()}")
    if holder is None and leases_of(network).get(wanted.ip, _mac(wanted)) not in ours:
        raise DriverConflict(f"{wanted.ip} is given to a guest in the host's network {network.name()}")
    before = next((entry for entry in entries if _mac(entry) == _mac(wanted)), None)
    if before is not None and before.hostname is not None:
        raise DriverConflict(f"the host's admin keeps {before.ip} for {wanted.mac} in the network {network.name()}")
    replaced = [entry for entry in (holder, before) if entry is not None]
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
    """As far as libvirt takes them: a guest may still be held to an address whose entry was taken out."""
    for entry in gone:
        with suppress(libvirt.libvirtError):
            update_entry(network, ADD, entry)


def leave(network: libvirt.virNetwork, ip: str, ours: frozenset[str]) -> None:
    """Take out the entry of the address when it is one of ours."""
    for entry in network_xml.dhcp_entries(network_xml.parsed(network)):
        if entry.ip == ip and _is_ours(entry, ours):
            update_entry(network, DELETE, entry)


def _is_ours(entry: Reservation, ours: frozenset[str]) -> bool:
    return entry.hostname is None and _mac(entry) in ours


def _mac(entry: Reservation) -> str:
    return (entry.mac or "").lower()

"""The DHCP entries and leases of a libvirt network, one at a time."""

from __future__ import annotations

import libvirt
from lxml import etree

from drivers.base import Reservation
from drivers.libvirt import network_xml
from drivers.libvirt.guest_words import ip_address


def leases_of(network: libvirt.virNetwork) -> dict[str, str]:
    """Return the MACs, in lower case, to which DHCP has given IPv4 addresses, by address.

    There are none where libvirt does not tell.
    """
    try:
        leases = network.DHCPLeases() or ()
    except libvirt.libvirtError:
        return {}
    holders = [(ip_address(entry.get("ipaddr")), str(entry.get("mac")).lower()) for entry in leases]
    return {str(ip): mac for ip, mac in holders if ip is not None and ip.version == 4}


def update_entry(network: libvirt.virNetwork, command: int, entry: Reservation) -> None:
    """Add or delete a DHCP entry, now and for the network's next start as far as it has these."""
    flags = libvirt.VIR_NETWORK_UPDATE_AFFECT_CONFIG if network.isPersistent() else 0
    flags |= libvirt.VIR_NETWORK_UPDATE_AFFECT_LIVE if network.isActive() else 0
    xml = etree.tostring(network_xml.dhcp_host(entry), encoding="unicode")
    network.update(command, libvirt.VIR_NETWORK_SECTION_IP_DHCP_HOST, -1, xml, flags)

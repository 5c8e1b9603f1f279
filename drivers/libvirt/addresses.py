"""The addresses of a guest: leases, then the guest agent, then ARP."""

from __future__ import annotations

from typing import Any

import libvirt

from drivers.base import InterfaceAddress

SOURCES = (
    (libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE, "lease"),
    (libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT, "agent"),
    (libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_ARP, "arp"),
)


def read(domain: libvirt.virDomain) -> tuple[InterfaceAddress, ...]:
    """The first source that knows any; a missing agent is no error."""
    if not domain.isActive():
        return ()
    for number, source in SOURCES:
        try:
            found = domain.interfaceAddresses(number)
        except libvirt.libvirtError:
            continue
        addresses = tuple(address for entry in (found or {}).values() for address in _of(entry, source))
        if addresses:
            return addresses
    return ()


def _of(entry: dict[str, Any], source: str) -> list[InterfaceAddress]:
    return [
        InterfaceAddress(entry.get("hwaddr") or "", address["addr"], int(address.get("prefix") or 0), source)
        for address in entry.get("addrs") or []
        if not address["addr"].startswith(("127.", "::1", "fe80:"))
    ]

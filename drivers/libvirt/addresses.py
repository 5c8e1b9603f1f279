"""The addresses of a guest: its leases, what its agent tells, and, where both are silent, the host's ARP table."""

from __future__ import annotations

from typing import Any

import libvirt
from lxml import etree

from drivers.base import InterfaceAddress
from drivers.libvirt.domain_facts import PARSER

LEASE = libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE
AGENT = libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT
ARP = libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_ARP


def read(domain: libvirt.virDomain) -> tuple[InterfaceAddress, ...]:
    """Each address once, with the first source that knows it; a missing agent is no error."""
    if not domain.isActive():
        return ()
    found = {(address.mac, address.ip): address for address in _ask(domain, LEASE, "lease")}
    if _agent_answers(domain):
        for address in _ask(domain, AGENT, "agent"):
            found.setdefault((address.mac, address.ip), address)
    known = {mac for mac, _ in found}
    for address in _ask(domain, ARP, "arp"):
        if address.mac not in known:
            found.setdefault((address.mac, address.ip), address)
    return tuple(found.values())


def _agent_answers(domain: libvirt.virDomain) -> bool:
    """Whether the guest holds its end of the channel open: asking without waits until a deadline."""
    channel = etree.fromstring(domain.XMLDesc(0), PARSER).find(
        "devices/channel/target[@name='org.qemu.guest_agent.0'][@state='connected']"
    )
    return channel is not None


def _ask(domain: libvirt.virDomain, number: int, source: str) -> list[InterfaceAddress]:
    try:
        found = domain.interfaceAddresses(number)
    except libvirt.libvirtError:
        return []
    return [address for entry in (found or {}).values() for address in _of(entry, source)]


def _of(entry: dict[str, Any], source: str) -> list[InterfaceAddress]:
    return [
        InterfaceAddress(entry.get("hwaddr") or "", address["addr"], int(address.get("prefix") or 0), source)
        for address in entry.get("addrs") or []
        if not address["addr"].startswith(("127.", "::1", "fe80:"))
    ]

"""The addresses of a guest: its leases, what its agent tells, and, where both are silent, the host's ARP table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from typing import Any

import libvirt
from lxml import etree

from drivers.base import InterfaceAddress
from drivers.libvirt.domain_facts import PARSER
from drivers.libvirt.guest_words import ip_address, mac_address, prefix_length

LEASE = libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE
AGENT = libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT
ARP = libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_ARP
AGENT_SECONDS = 3
"""Seconds that an agent may take for an answer."""
MOST_ADDRESSES = 64
"""Addresses of one interface that count; a guest may claim any number."""
MOST_LOOKED_AT = 4096
"""Entries of one answer, before the rest is passed over."""


def read(domain: libvirt.virDomain) -> tuple[InterfaceAddress, ...]:
    """Return each address of the guest once, with the first source that knows it; a missing agent is no error.

    Only the interfaces that the domain has count, and of each at most ``MOST_ADDRESSES``.
    """
    if not domain.isActive():
        return ()
    root = etree.fromstring(domain.XMLDesc(0), PARSER)
    own = {mac_address(mac.get("address")) for mac in root.iterfind("devices/interface/mac")}
    addresses = {(address.mac, address.ip): address for address in _ask(domain, LEASE, "lease")}
    if _agent_answers(root):
        _bound_wait(domain)
        for address in _ask(domain, AGENT, "agent"):
            addresses.setdefault((address.mac, address.ip), address)
    leased = {mac for mac, _ in addresses}
    for address in _ask(domain, ARP, "arp"):
        if address.mac not in leased:
            addresses.setdefault((address.mac, address.ip), address)
    return tuple(_bounded(address for address in addresses.values() if address.mac in own))


def _bounded(addresses: Iterable[InterfaceAddress]) -> Iterator[InterfaceAddress]:
    number: Counter[str] = Counter()
    for address in addresses:
        number[address.mac] += 1
        if number[address.mac] <= MOST_ADDRESSES:
            yield address


def _agent_answers(root: etree._Element) -> bool:
    """Return whether the guest holds its end of the channel open: asking without that waits until a deadline."""
    channel = root.find("devices/channel/target[@name='org.qemu.guest_agent.0'][@state='connected']")
    return channel is not None


def _bound_wait(domain: libvirt.virDomain) -> None:
    """Limit the wait for the agent: libvirt waits for ever for one that says nothing, and we give up the connection."""
    with suppress(libvirt.libvirtError):
        domain.agentSetResponseTimeout(AGENT_SECONDS)


def _ask(domain: libvirt.virDomain, number: int, source: str) -> list[InterfaceAddress]:
    try:
        answer = domain.interfaceAddresses(number)
    except libvirt.libvirtError:
        return []
    return list(islice(_parsed(answer or {}, source), MOST_LOOKED_AT))


def _parsed(answer: dict[str, Any], source: str) -> Iterator[InterfaceAddress]:
    """Yield the entries that are addresses; whatever else a guest says is passed over."""
    for entry in islice(answer.values(), MOST_LOOKED_AT):
        mac = mac_address(entry.get("hwaddr"))
        for address in islice(entry.get("addrs") or (), MOST_LOOKED_AT):
            ip = ip_address(address.get("addr"))
            if ip is not None and mac:
                yield InterfaceAddress(mac, str(ip), prefix_length(address.get("prefix"), ip), source)

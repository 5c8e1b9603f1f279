"""The packet filters that hold a guest to its own addresses. All gateways of a host share them.

Flat where they can be, since libvirt runs a command for every chain too. They only drop, or accept what no other rule
is about, so that a network's filter goes on where they end.
"""

from __future__ import annotations

import uuid

from lxml import etree

from drivers.base.filters import GUARD, GUARD_HOST, GUARD_IPV6, GUARD_MAC, GUARD_OWN, GUARD_OWN_IPV6
from drivers.libvirt.domain_xml import child
from drivers.libvirt.filter_xml import LINK_LOCAL6, NAMESPACE, Rules

FIRST = -1000
"""libvirt's least priority, before everything else."""
NO_ADDRESS = "0.0.0.0"  # noqa: S104 - what a guest sends from that has no address yet
NO_ADDRESS6 = "::"
DHCP_SERVER, DHCP_CLIENT, DHCPV6_SERVER = "67", "68", "547"
ROUTER_ADVERTISEMENT = "134"
BEFORE_AN_ADDRESS = ("131", "133", "135", "143")
"""ICMPv6 messages that may come from no address: reports of multicast groups, and asking for routers and neighbours."""


def guards() -> tuple[etree._Element, ...]:
    """Return all guards in the order in which they have to be defined."""
    return guard_mac(), guard(), guard_host(), guard_ipv6(), guard_own_ipv6(), guard_own()


def guard_mac() -> etree._Element:
    """Return the filter that lets out only the own MAC; no guest hands out addresses or says where the router is."""
    root = _filter(GUARD_MAC)
    rules = Rules(root, FIRST)
    rules.add("drop", "out", "mac", match="no", srcmacaddr="$MAC")
    rules.add("drop", "out", "arp", match="no", arpsrcmacaddr="$MAC")
    rules.add("drop", "out", "ip", protocol="udp", srcportstart=DHCP_SERVER)
    rules.add("drop", "out", "ipv6", protocol="udp", srcportstart=DHCPV6_SERVER)
    rules.add("drop", "out", "ipv6", protocol="icmpv6", type=ROUTER_ADVERTISEMENT)
    return root


def guard() -> etree._Element:
    """Return the filter that holds to own IPv4 addresses too, as the interface's parameters name them."""
    root = _filter(GUARD)
    child(root, "filterref", filter=GUARD_MAC)
    rules = Rules(root, FIRST + 100)
    # Who asks whether an address is free has none yet, nor who asks for one.
    rules.add("accept", "out", "arp", arpsrcipaddr=NO_ADDRESS)
    rules.add("drop", "out", "arp", match="no", arpsrcipaddr="$SOURCE", arpsrcipmask="$SOURCEMASK")
    rules.add("accept", "out", "ip", srcipaddr=NO_ADDRESS, protocol="udp", srcportstart=DHCP_CLIENT)
    rules.add("drop", "out", "ip", match="no", srcipaddr="$SOURCE", srcipmask="$SOURCEMASK")
    return root


def guard_host() -> etree._Element:
    """Return ``guard`` with the ranges of the gateway's own networks fenced off.

    Those networks could not tell packets that NAT rewrites from their gateway's.
    """
    root = _filter(GUARD_HOST)
    child(root, "filterref", filter=GUARD)
    rules = Rules(root)
    rules.add("drop", "out", "ip", dstipaddr="$FENCED", dstipmask="$FENCEDMASK")
    rules.add("drop", "out", "ipv6", dstipaddr="$FENCED6", dstipmask="$FENCED6MASK")
    return root


def guard_ipv6() -> etree._Element:
    """Return the filter that holds to own IPv6 addresses: in a chain of its own, which good packets leave again.

    The chain is needed because there may be several addresses.
    """
    root = _filter(GUARD_IPV6, chain="ipv6-own")
    root.set("priority", str(FIRST + 200))
    rules, (link, prefix) = Rules(root), LINK_LOCAL6.split("/")
    rules.add("return", "out", "ipv6", srcipaddr="$SOURCE6")
    rules.add("return", "out", "ipv6", srcipaddr=link, srcipmask=prefix)
    rules.add("return", "out", "ipv6", srcipaddr=NO_ADDRESS6)
    rules.add("drop", "out", "ipv6")
    return root


def guard_own_ipv6() -> etree._Element:
    """Return ``guard_ipv6`` without its exception for link-local addresses: the interface names its own."""
    root = _filter(GUARD_OWN_IPV6, chain="ipv6-held")
    root.set("priority", str(FIRST + 200))
    rules = Rules(root)
    rules.add("return", "out", "ipv6", srcipaddr="$SOURCE6")
    for message in BEFORE_AN_ADDRESS:
        rules.add("return", "out", "ipv6", srcipaddr=NO_ADDRESS6, protocol="icmpv6", type=message)
    rules.add("drop", "out", "ipv6")
    return root


def guard_own() -> etree._Element:
    """Return the filter of an interface on the host's network with addresses that are its own, of both protocols."""
    root = _filter(GUARD_OWN)
    child(root, "filterref", filter=GUARD_OWN_IPV6)
    child(root, "filterref", filter=GUARD_HOST)
    return root


def _filter(name: str, chain: str = "root") -> etree._Element:
    root = etree.Element("filter", name=name, chain=chain)
    child(root, "uuid", str(uuid.uuid5(NAMESPACE, name)))
    return root

"""A network's nwfilter: what may pass its guests' interfaces, by ranges of addresses.

The rules are of the kinds that work on a bridge's ports themselves (ebtables), so that they hold whatever the host's
IP packet filter does. ``out`` is from the guest, ``in`` towards it; the first rule that fits decides.
"""

from __future__ import annotations

import ipaddress
import uuid
from collections.abc import Iterable

from lxml import etree

from drivers.base.filters import GUARD, GUARD_IPV6, Reach, fixed_filter_name
from drivers.libvirt.domain_xml import child

NAMESPACE = uuid.UUID("0f6c3c1b-0a58-5e0c-8f3c-6a4f6c2d9b11")
PREFIX = "cimi-network-"
LINK_LOCAL6 = "fe80::/10"
ON_LINK4 = "224.0.0.0/3"
"""Multicast and broadcast: what no router passes on."""
ON_LINK6 = "fe00::/7"
"""Link-local and multicast."""

Interface = ipaddress.IPv4Interface | ipaddress.IPv6Interface


class Rules:
    """The rules of a filter in order; each gets the next priority, which is libvirt's order."""

    def __init__(self, root: etree._Element, priority: int = 0) -> None:
        self._root = root
        self._priority = priority

    def add(self, action: str, direction: str, kind: str, /, **match: str) -> None:
        """Append a rule on packets of this kind (an element of nwfilter, such as ``ip``) that match."""
        self._priority += 1
        rule = child(self._root, "rule", action=action, direction=direction, priority=str(self._priority))
        child(rule, kind, **match)


def filter_xml(reach: Reach) -> etree._Element:
    """Return the network's filter, of as few rules as do it: libvirt runs a command for each, for each interface."""
    root = etree.Element("filter", name=reach.filter, chain="root")
    child(root, "uuid", str(uuid.uuid5(NAMESPACE, reach.network)))
    if reach.guarded:
        child(root, "filterref", filter=GUARD)
    rules, own = Rules(root), [ipaddress.ip_interface(entry) for entry in reach.ranges]
    _ipv4(rules, reach, [entry for entry in own if entry.version == 4])
    _ipv6(rules, reach, [entry for entry in own if entry.version == 6])
    return root


def fixed_xml(reach: Reach) -> etree._Element:
    """Return a filter that refers to the network's, and before that to the one that asks for IPv6 addresses."""
    root = etree.Element("filter", name=fixed_filter_name(reach.network), chain="root")
    child(root, "uuid", str(uuid.uuid5(NAMESPACE, f"fixed {reach.network}")))
    for name in (GUARD_IPV6, reach.filter):
        child(root, "filterref", filter=name)
    return root


def _ipv4(rules: Rules, reach: Reach, own: list[Interface]) -> None:
    """Add the rules of IPv4; no guest answers for the gateway."""
    for entry in own:
        rules.add("drop", "out", "arp", arpsrcipaddr=str(entry.ip))
        rules.add("drop", "out", "ip", srcipaddr=str(entry.ip))
        if reach.closed:
            _gateway(rules, "ip", "icmp", str(entry.ip), "67")
    if own or reach.closed:
        rules.add("accept", "out", "ip", **_match("dst", ON_LINK4))
    _between(rules, "ip", 4, reach, own)


def _ipv6(rules: Rules, reach: Reach, own: list[Interface]) -> None:
    for entry in own:
        rules.add("drop", "out", "ipv6", srcipaddr=str(entry.ip))
        if reach.closed:
            _gateway(rules, "ipv6", "icmpv6", str(entry.ip), "53")
    if own or reach.closed:
        for direction in ("out", "in"):
            rules.add("accept", direction, "ipv6", **_match("dst", ON_LINK6))
            rules.add("accept", direction, "ipv6", **_match("src", LINK_LOCAL6))
    _between(rules, "ipv6", 6, reach, own)


def _gateway(rules: Rules, kind: str, messages: str, ip: str, last_port: str) -> None:
    """Let in from the host itself only DNS, DHCP, and messages about packets.

    Packets that the host forwards from a NAT network have its address as their source, and so have to stay out.
    """
    rules.add("accept", "in", kind, srcipaddr=ip, protocol="udp", srcportstart="53", srcportend=last_port)
    rules.add("accept", "in", kind, srcipaddr=ip, protocol="tcp", srcportstart="53")
    rules.add("accept", "in", kind, srcipaddr=ip, protocol=messages)
    rules.add("drop", "in", kind, srcipaddr=ip)


def _between(rules: Rules, kind: str, version: int, reach: Reach, own: list[Interface]) -> None:
    """Let own and joined ranges pass; then nothing for a closed network, all but the fenced ranges for another."""
    joined = _ranges(reach.joined, version)
    for entry in own:
        for other in (str(entry.network), *joined):
            rules.add("accept", "out", kind, **_match("src", str(entry.network)), **_match("dst", other))
            rules.add("accept", "in", kind, **_match("src", other))
    if reach.closed:
        rules.add("drop", "inout", kind)
        return
    for fenced in _ranges(reach.fenced, version):
        rules.add("drop", "out", kind, **_match("dst", fenced))
        rules.add("drop", "in", kind, **_match("src", fenced))


def _ranges(texts: Iterable[str], version: int) -> list[str]:
    return [text for text in texts if ipaddress.ip_network(text).version == version]


def _match(end: str, range: str) -> dict[str, str]:
    address, _, prefix = range.partition("/")
    return {f"{end}ipaddr": address, f"{end}ipmask": prefix}


def same_rules(one: etree._Element, other: etree._Element) -> bool:
    """Return whether two filters let the same pass; libvirt writes back what it was given, in its own layout."""
    return _shape(one) == _shape(other)


def _shape(root: etree._Element) -> list[tuple[str, dict[str, str], list[tuple[str, dict[str, str]]]]]:
    return [
        (str(entry.tag), _attributes(entry), [(str(inner.tag), _attributes(inner)) for inner in entry])
        for entry in root
        if entry.tag in ("filterref", "rule")
    ]


def _attributes(element: etree._Element) -> dict[str, str]:
    return {str(name): str(value).lower() for name, value in element.attrib.items()}

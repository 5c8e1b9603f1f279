"""What a network's packet filter lets through, by walking its rules as the packet filter does."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from drivers.base import GUARD, GUARD_HOST, InterfaceSpec, Reach
from drivers.libvirt.domain_xml import interface_element
from drivers.libvirt.filter_xml import filter_xml, same_rules

RANGES = ("10.1.0.1/24", "fd00:1::1/64")
OTHER = ("10.1.1.0/24", "fd00:2::/64")
POOLS = ("10.1.0.0/16", "fd00::/16")
UUID = "5b7e3c1e-0000-4000-8000-000000000001"
PRIVATE = Reach(UUID, RANGES, closed=True)
JOINED = Reach(UUID, RANGES, closed=True, joined=OTHER)
PUBLIC = Reach(UUID, RANGES, closed=False, fenced=POOLS)


@dataclass(frozen=True)
class Packet:
    """``direction`` is out for from the guest; ports and protocol where they matter."""

    direction: str
    source: str
    target: str
    protocol: str = "tcp"
    port: int | None = None


def passes(reach: Reach, packet: Packet) -> bool:
    """By the first rule that fits; what none fits passes."""
    for rule in filter_xml(reach).iterfind("rule"):
        if rule.get("direction") in (packet.direction, "inout") and _fits(rule[0], packet):
            return rule.get("action") == "accept"
    return True


def _fits(match: etree._Element, packet: Packet) -> bool:
    kind = "ipv6" if ":" in packet.source else "ip"
    if match.tag != kind or match.get("protocol", packet.protocol) != packet.protocol:
        return False
    if "srcportstart" in match.attrib:
        last = int(match.get("srcportend", match.get("srcportstart", "0")))
        if packet.port is None or not int(match.get("srcportstart", "0")) <= packet.port <= last:
            return False
    return _within(match, "src", packet.source) and _within(match, "dst", packet.target)


def _within(match: etree._Element, end: str, address: str) -> bool:
    known = match.get(f"{end}ipaddr")
    if known is None:
        return True
    prefix = match.get(f"{end}ipmask", "128" if ":" in known else "32")
    return ipaddress.ip_address(address) in ipaddress.ip_network(f"{known}/{prefix}")


OWN = [("10.1.0.9", "10.1.0.20"), ("fd00:1::9", "fd00:1::20")]
JOINING = [("10.1.0.9", "10.1.1.20"), ("fd00:1::9", "fd00:2::20")]
OTHERS = [("10.1.0.9", "10.1.2.20"), ("fd00:1::9", "fd00:3::20")]
WORLD = [("10.1.0.9", "192.0.2.1"), ("fd00:1::9", "2001:db8::1")]
ELSEWHERE = [*OTHERS, *WORLD]


@pytest.mark.parametrize(("guest", "other"), OWN)
def test_guests_of_a_private_network_reach_each_other(guest: str, other: str) -> None:
    assert passes(PRIVATE, Packet("out", guest, other))
    assert passes(PRIVATE, Packet("in", other, guest))


@pytest.mark.parametrize(("guest", "other"), [*JOINING, *ELSEWHERE])
def test_guests_of_a_private_network_reach_nothing_else(guest: str, other: str) -> None:
    assert not passes(PRIVATE, Packet("out", guest, other))
    assert not passes(PRIVATE, Packet("in", other, guest))


@pytest.mark.parametrize(("guest", "other"), JOINING)
def test_a_group_opens_its_networks_to_each_other(guest: str, other: str) -> None:
    assert passes(JOINED, Packet("out", guest, other))
    assert passes(JOINED, Packet("in", other, guest))


@pytest.mark.parametrize(("guest", "other"), ELSEWHERE)
def test_a_group_opens_nothing_else(guest: str, other: str) -> None:
    assert not passes(JOINED, Packet("out", guest, other))
    assert not passes(JOINED, Packet("in", other, guest))


@given(st.ip_addresses(), st.ip_addresses(), st.sampled_from(["tcp", "udp", "icmp", "icmpv6"]))
def test_whatever_the_addresses_a_private_network_is_closed(
    source: ipaddress.IPv4Address, target: ipaddress.IPv4Address, protocol: str
) -> None:
    """No packet leaves to, or comes from, what is neither of the network nor on the link."""
    if source.version != target.version:
        return
    own = [ipaddress.ip_interface(entry).network for entry in RANGES]
    local = [ipaddress.ip_network(entry) for entry in ("224.0.0.0/3", "fe00::/7")]
    if not any(target in entry for entry in (*own, *local)):
        assert source in ipaddress.ip_network("fe80::/10") or not passes(
            PRIVATE, Packet("out", str(source), str(target), protocol)
        )
    if not any(end in entry for end in (source, target) for entry in (*own, *local)):
        assert not passes(PRIVATE, Packet("in", str(source), str(target), protocol))


@pytest.mark.parametrize(
    ("protocol", "port", "passing"),
    [
        ("udp", 67, True),
        ("udp", 53, True),
        ("tcp", 53, True),
        ("icmp", None, True),
        ("tcp", 1024, False),
        ("udp", 1025, False),
    ],
)
def test_of_the_host_only_dhcp_dns_and_icmp_come_through(protocol: str, port: int | None, passing: bool) -> None:
    """What NAT rewrites comes from the host's address, and from a high port."""
    assert passes(PRIVATE, Packet("in", "10.1.0.1", "10.1.0.9", protocol, port)) is passing


@pytest.mark.parametrize("gateway", ["10.1.0.1", "fd00:1::1"])
@pytest.mark.parametrize("reach", [PRIVATE, PUBLIC])
def test_no_guest_sends_as_the_gateway(reach: Reach, gateway: str) -> None:
    target = "fd00:1::9" if ":" in gateway else "10.1.0.9"
    assert not passes(reach, Packet("out", gateway, target))


@pytest.mark.parametrize(
    ("source", "target"),
    [("fe80::1", "ff02::1"), ("::", "ff02::1:ff00:1"), ("fd00:1::9", "fe80::2"), ("fe80::1", "fd00:1::9")],
)
def test_neighbours_find_each_other(source: str, target: str) -> None:
    assert passes(PRIVATE, Packet("out", source, target, "icmpv6"))
    assert passes(PRIVATE, Packet("in", source, target, "icmpv6"))


@pytest.mark.parametrize(("guest", "target"), [*WORLD, *OWN])
def test_guests_of_a_public_network_reach_the_outside(guest: str, target: str) -> None:
    assert passes(PUBLIC, Packet("out", guest, target))
    assert passes(PUBLIC, Packet("in", target, guest))


@pytest.mark.parametrize(("guest", "target"), OTHERS)
def test_guests_of_a_public_network_do_not_reach_other_networks_of_the_gateway(guest: str, target: str) -> None:
    assert not passes(PUBLIC, Packet("out", guest, target))
    assert not passes(PUBLIC, Packet("in", target, guest))


def test_guests_are_held_to_their_addresses_unless_the_configuration_says_no() -> None:
    assert [entry.get("filter") for entry in filter_xml(PRIVATE).iterfind("filterref")] == [GUARD]
    loose = filter_xml(Reach(UUID, RANGES, closed=True, guarded=False))
    assert loose.find("filterref") is None


def test_filters_with_the_same_rules_are_the_same_however_they_are_written() -> None:
    written = etree.tostring(filter_xml(JOINED), pretty_print=True).decode().replace("fd00:2::", "FD00:2::")
    assert same_rules(etree.fromstring(written), filter_xml(JOINED))
    assert not same_rules(filter_xml(JOINED), filter_xml(PRIVATE))


def test_an_interface_on_the_hosts_network_names_what_it_must_not_reach() -> None:
    fenced = ("10.1.0.0/16", "fd00::/16")
    spec = InterfaceSpec("52:54:00:00:00:01", "default", filter=GUARD_HOST, source="192.168.122.0/24", fenced=fenced)
    parameters = interface_element(spec).iterfind("filterref/parameter")
    named = [(entry.get("name"), entry.get("value")) for entry in parameters]
    assert named == [
        ("SOURCE", "192.168.122.0"),
        ("SOURCEMASK", "24"),
        ("FENCED", "10.1.0.0"),
        ("FENCEDMASK", "16"),
        ("FENCED6", "fd00::"),
        ("FENCED6MASK", "16"),
    ]

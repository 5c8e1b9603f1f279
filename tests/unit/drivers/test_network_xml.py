"""Network definitions: what a NetworkSpec becomes, whatever people write into it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from drivers.base import Bandwidth, InterfaceSpec, NetworkSpec, RangeSpec, Reservation, Traffic
from drivers.libvirt.domain_xml import METADATA, interface_element
from drivers.libvirt.guards import guards
from drivers.libvirt.network_xml import dhcp_entries, dns_entries, network_xml
from drivers.libvirt.routes import routes4, routes6

SPEC = NetworkSpec(
    uuid="1b4df1d4-3a73-4a5c-9d5c-000000000001",
    network="networks/1b4df1d4",
    owner="me",
    title="lan",
    forward="isolated",
    bridge="cimi1b4df1d43a",
    ranges=(RangeSpec("10.1.2.1", 24, ("10.1.2.128", "10.1.2.254")), RangeSpec("fd00::1", 64)),
    mtu=1400,
    domain="n.cimi.internal",
)


def built(spec: NetworkSpec) -> etree._Element:
    return etree.fromstring(network_xml(spec))


def shape(element: etree._Element) -> list[object]:
    return [element.tag, sorted(map(str, element.attrib)), [shape(child) for child in element]]


def test_an_isolated_network_has_no_way_to_forward() -> None:
    assert built(SPEC).find("forward") is None
    assert built(SPEC).find("bridge").get("name") == "cimi1b4df1d43a"  # type: ignore[union-attr]
    assert built(SPEC).find("mtu").get("size") == "1400"  # type: ignore[union-attr]


@pytest.mark.parametrize("mode", ["nat", "route", "open"])
def test_other_ways_to_forward_are_named(mode: str) -> None:
    forward = built(replace(SPEC, forward=mode, device="eth0")).find("forward")
    assert forward is not None
    assert forward.get("mode") == mode
    assert forward.get("dev") == ("eth0" if mode != "open" else None)


def test_nat_is_for_ipv6_too_when_the_network_has_it() -> None:
    assert built(replace(SPEC, forward="nat")).find("forward/nat").get("ipv6") == "yes"  # type: ignore[union-attr]
    four = replace(SPEC, forward="nat", ranges=SPEC.ranges[:1])
    assert built(four).find("forward/nat").get("ipv6") is None  # type: ignore[union-attr]


def test_a_bridge_of_the_host_gets_nothing_of_ours_but_a_name() -> None:
    network = built(replace(SPEC, forward="bridge", bridge="br0"))
    assert [child.tag for child in network] == ["name", "uuid", "metadata", "forward", "bridge"]
    assert network.find("bridge").attrib == {"name": "br0"}  # type: ignore[union-attr]


def test_reservations_stand_in_dhcp_and_in_dns() -> None:
    kept = (
        Reservation("10.1.2.7", "52:54:00:00:00:01", "db.n"),
        Reservation("fd00::7", None, "db.n"),
        Reservation("10.1.2.8", "52:54:00:00:00:02"),
    )
    network = built(replace(SPEC, reservations=kept))
    assert dhcp_entries(network) == [kept[0], kept[2]]
    assert [(entry.ip, entry.hostname) for entry in dns_entries(network)] == [("10.1.2.7", "db.n"), ("fd00::7", "db.n")]


@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"])), st.text(alphabet="<>&'\"ab]"))
def test_no_text_changes_the_structure(title: str, owner: str) -> None:
    assert shape(built(replace(SPEC, title=title, owner=owner))) == shape(built(SPEC))


def test_our_element_says_whose_network_it_is() -> None:
    ours = built(SPEC).find(f"metadata/{{{METADATA}}}network")
    assert ours is not None
    assert (ours.get("path"), ours.get("owner")) == ("networks/1b4df1d4", "me")


def test_limits_are_written_in_both_directions() -> None:
    traffic = Traffic(Bandwidth(1000, 2000, 64), Bandwidth(500))
    for element in (
        built(replace(SPEC, traffic=traffic)).find("bandwidth"),
        interface_element(InterfaceSpec("52:54:00:00:00:01", "n", traffic=traffic)).find("bandwidth"),
    ):
        assert element is not None
        assert [(limit.tag, dict(limit.attrib)) for limit in element] == [
            ("inbound", {"average": "1000", "peak": "2000", "burst": "64"}),
            ("outbound", {"average": "500"}),
        ]


def test_an_interface_names_its_filter_and_what_it_may_send_from() -> None:
    element = interface_element(InterfaceSpec("52:54:00:00:00:01", "n", filter="cimi-guard", source="10.1.2.0/24"))
    filtered = element.find("filterref")
    assert filtered is not None
    assert filtered.get("filter") == "cimi-guard"
    known = [(entry.get("name"), entry.get("value")) for entry in filtered]
    assert known[:2] == [("SOURCE", "10.1.2.0"), ("SOURCEMASK", "24")]


def test_the_guards_come_before_every_other_rule() -> None:
    for guard in guards()[:2]:
        assert all(int(str(rule.get("priority"))) < 0 for rule in guard.iterfind("rule"))


def test_the_kernels_routes_are_read_without_the_default_ones() -> None:
    four = """Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT
eth0 00000000 010200C0 0003 0 0 0 00000000 0 0 0
eth0 000200C0 00000000 0001 0 0 0 00FFFFFF 0 0 0
virbr0 007AA8C0 00000000 0001 0 0 0 00FFFFFF 0 0 0
"""
    assert routes4(four) == ("192.0.2.0/24", "192.168.122.0/24")
    nothing = "0" * 32
    six = "\n".join(
        f"{destination} {length} {nothing} 00 {nothing} 00000100 00000001 00000000 00000001 eth0"
        for destination, length in (
            (nothing, "00"),
            ("fd00" + "0" * 28, "40"),
            ("fe80" + "0" * 28, "40"),
            ("ff00" + "0" * 28, "08"),
            ("fd00" + "0" * 27 + "2", "80"),
        )
    )
    assert routes6(six) == ("fd00::/64",)

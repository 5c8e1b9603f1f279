"""Which address of a network of the host's own an interface gets, from libvirt's network alone."""

from __future__ import annotations

from contextlib import closing

import libvirt
import pytest

from drivers.base import GUARD_HOST, GUARD_OWN, DriverConflict, InterfaceSpec
from drivers.libvirt.guards import guard_own, guard_own_ipv6
from drivers.libvirt.own_addresses import claim, release
from tests.unit.drivers.libvirt_doubles import ADD, MAC, OTHER, Network, Refused, claimed

BOTH = libvirt.VIR_NETWORK_UPDATE_AFFECT_LIVE | libvirt.VIR_NETWORK_UPDATE_AFFECT_CONFIG


def test_an_interface_gets_an_entry_of_its_own_and_the_same_one_when_asked_again() -> None:
    network = Network()
    ip = claimed(network)
    assert network.entries() == {MAC: ip}
    assert claimed(network, MAC.upper()) == ip
    assert len(network.entries()) == 1


def test_the_entry_counts_at_once_and_after_a_restart() -> None:
    network = Network()
    claimed(network)
    assert network.flags == {BOTH}


def test_a_network_that_does_not_run_keeps_it_for_its_start() -> None:
    network = Network()
    network.active = False
    claimed(network)
    assert network.flags == {libvirt.VIR_NETWORK_UPDATE_AFFECT_CONFIG}


def test_no_two_interfaces_get_one_address_and_a_full_range_says_so() -> None:
    network = Network()
    given = {claimed(network, f"52:54:00:00:00:{number:02x}") for number in range(8)}
    assert given == {f"10.0.0.{number}" for number in range(2, 10)}
    with pytest.raises(DriverConflict, match="no address is free"):
        claimed(network, "52:54:00:00:00:99")


def test_what_a_foreign_guest_has_from_dhcp_is_given_to_nobody_else() -> None:
    network = Network(last="10.0.0.3")
    network.leases = [{"ipaddr": "10.0.0.2", "mac": OTHER}]
    assert claimed(network) == "10.0.0.3"


def test_a_guest_keeps_what_dhcp_gave_it() -> None:
    network = Network()
    network.leases = [{"ipaddr": "10.0.0.7", "mac": MAC.upper()}]
    assert claimed(network) == "10.0.0.7"


def test_another_is_chosen_when_a_second_gateway_was_quicker() -> None:
    network = Network(last="10.0.0.3")
    first = claimed(Network(last="10.0.0.3"))
    network.quicker = [str(first)]
    assert claimed(network) not in (None, first)


def test_an_entry_that_an_admin_made_is_used() -> None:
    network = Network(entries=f"<host mac='{MAC}' name='web' ip='10.0.0.200'/>")
    assert claimed(network) == "10.0.0.200"


def test_a_large_range_costs_no_more() -> None:
    network = Network()
    span = network.root.find("ip/dhcp/range")
    assert span is not None
    span.set("start", "1.0.0.0")
    span.set("end", "250.0.0.0")
    assert claimed(network) is not None


def test_a_network_without_dhcp_gives_none() -> None:
    assert claimed(Network(dhcp=False)) is None


def test_the_interfaces_filter_names_what_is_its_own() -> None:
    six = "<ip family='ipv6' address='fd00:1::1' prefix='64'/>"
    spec = InterfaceSpec(MAC, "default", filter=GUARD_HOST, source="10.0.0.0/24")
    held = claim(Network(last="10.0.0.2", six=six), MAC).held(spec)
    assert (held.filter, held.source) == (GUARD_OWN, "10.0.0.2/32")
    assert held.sources6 == ("fe80::5054:ff:fe00:1", "fd00:1::5054:ff:fe00:1")


def test_an_interface_that_goes_gives_its_address_back_and_no_other() -> None:
    network = Network()
    claimed(network)
    claimed(network, OTHER)
    release(Host(network), frozenset({MAC}))
    assert list(network.entries()) == [OTHER]


def test_an_entry_that_an_admin_named_stays() -> None:
    network = Network(entries=f"<host mac='{MAC}' name='web' ip='10.0.0.200'/>")
    release(Host(network), frozenset({MAC}))
    assert list(network.entries()) == [MAC]


class Host:
    """A connection with one network."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def listAllNetworks(self) -> list[Network]:  # noqa: N802 - libvirt's name
        return [self._network]

    def listAllDomains(self) -> list[object]:  # noqa: N802 - libvirt's name
        return []


def test_of_ipv6_only_own_addresses_and_what_has_to_come_from_none_pass() -> None:
    rules = [(rule.get("action"), dict(rule[0].attrib)) for rule in guard_own_ipv6().iterfind("rule")]
    passing = [match for action, match in rules if action == "return"]
    assert passing[0] == {"srcipaddr": "$SOURCE6"}
    assert {match["srcipaddr"] for match in passing[1:]} == {"::"}
    assert {match["type"] for match in passing[1:]} == {"131", "133", "135", "143"}
    assert rules[-1] == ("drop", {})


def test_the_ipv6_rules_come_before_all_that_lets_packets_pass() -> None:
    order = [entry.get("filter") for entry in guard_own().iterfind("filterref")]
    assert order == ["cimi-guard-own-ipv6", "cimi-guard-host"]


LIBVIRTS = """
<network><name>own-addresses</name><forward mode='nat'/>
  <ip address='10.0.0.1' prefix='24'><dhcp><range start='10.0.0.2' end='10.0.0.3'/></dhcp></ip>
</network>"""


def test_libvirt_itself_is_the_judge_between_two_gateways() -> None:
    """On libvirt's own test driver, whose networks are those of the others."""
    with closing(libvirt.open("test:///default")) as host:
        network = host.networkDefineXML(LIBVIRTS)
        network.create()
        try:
            given = {claim(network, mac).ip for mac in (MAC, OTHER)}
            assert given == {"10.0.0.2", "10.0.0.3"}
            taken = f"<host mac='52:54:00:00:00:03' ip='{min(str(ip) for ip in given)}'/>"
            with pytest.raises(libvirt.libvirtError) as refused:
                network.update(ADD, libvirt.VIR_NETWORK_SECTION_IP_DHCP_HOST, -1, taken, BOTH)
            assert refused.value.get_error_code() == Refused().get_error_code()
            release(host, frozenset({MAC, OTHER}))
            assert "<host" not in network.XMLDesc(0)
        finally:
            network.destroy()
            network.undefine()

"""Entries of reserved addresses in libvirt's network of the host's own: nobody else's is ever replaced."""

from __future__ import annotations

import pytest

from drivers.base import DriverConflict, Reservation
from drivers.libvirt.shared_addresses import leave, take
from tests.unit.drivers.test_own_addresses import MAC, OTHER, Network, claimed

IP, UNUSED = "10.0.0.5", "02:00:00:00:00:01"
OURS = frozenset({UNUSED, MAC})


def taken(network: Network, mac: str, ip: str = IP) -> None:
    take(network, Reservation(ip, mac), OURS)  # type: ignore[arg-type]


def left(network: Network) -> None:
    leave(network, IP, OURS)  # type: ignore[arg-type]


def test_an_address_is_kept_for_the_mac_and_asking_again_changes_nothing() -> None:
    network = Network()
    taken(network, UNUSED)
    taken(network, UNUSED)
    assert network.entries() == {UNUSED: IP}


def test_it_is_given_to_an_interface_in_place_of_its_own_address_and_taken_back() -> None:
    network = Network()
    taken(network, UNUSED)
    assert claimed(network) not in (None, IP)
    taken(network, MAC)
    assert network.entries() == {MAC: IP}
    assert claimed(network) == IP
    taken(network, UNUSED)
    assert network.entries() == {UNUSED: IP}


def test_interfaces_are_never_given_it_for_their_own() -> None:
    network = Network(last="10.0.0.5")
    taken(network, UNUSED)
    given = {claimed(network, f"52:54:00:00:00:{number:02x}") for number in range(3)}
    assert given == {"10.0.0.2", "10.0.0.3", "10.0.0.4"}
    with pytest.raises(DriverConflict, match="no address is free"):
        claimed(network, "52:54:00:00:00:99")


@pytest.mark.parametrize("name", ["", "name='web'"])
def test_an_entry_of_somebody_elses_stays(name: str) -> None:
    network = Network(entries=f"<host mac='{OTHER}' {name} ip='{IP}'/>")
    with pytest.raises(DriverConflict, match="kept for another"):
        taken(network, UNUSED)
    left(network)
    assert network.entries() == {OTHER: IP}


def test_an_entry_that_an_admin_named_stays_whatever_its_mac() -> None:
    network = Network(entries=f"<host mac='{MAC}' name='web' ip='10.0.0.200'/>")
    with pytest.raises(DriverConflict, match=r"admin keeps 10\.0\.0\.200"):
        taken(network, MAC)
    assert network.entries() == {MAC: "10.0.0.200"}


def test_what_dhcp_gave_to_a_foreign_guest_is_not_taken() -> None:
    network = Network()
    network.leases = [{"ipaddr": IP, "mac": OTHER}]
    with pytest.raises(DriverConflict, match="given to a guest"):
        taken(network, UNUSED)
    assert network.entries() == {}


def test_of_two_gateways_the_slower_is_told() -> None:
    network = Network()
    network.quicker = [IP]
    with pytest.raises(DriverConflict, match="just taken"):
        taken(network, UNUSED)
    assert network.entries() == {OTHER: IP}


def test_one_that_is_left_is_free_and_leaving_it_again_is_no_error() -> None:
    network = Network()
    taken(network, UNUSED)
    left(network)
    left(network)
    assert network.entries() == {}

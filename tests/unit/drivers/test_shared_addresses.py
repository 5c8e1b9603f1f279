"""Entries of reserved addresses in libvirt's network of the host's own: nobody else's is ever replaced."""

from __future__ import annotations

import libvirt
import pytest

from drivers.base import DriverConflict, Reservation
from drivers.libvirt.shared_addresses import leave, take
from tests.unit.drivers.libvirt_doubles import MAC, OTHER, Failed, Network, claimed

IP, UNUSED = "10.0.0.5", "02:00:00:00:00:01"
OURS = frozenset({UNUSED, MAC})


def taken(network: Network, mac: str, ip: str = IP) -> None:
    take(network, Reservation(ip, mac), OURS)


def left(network: Network) -> None:
    leave(network, IP, OURS)


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


class Failing(Network):
    """It refuses one change, and with ``lost`` every one from that on."""

    def __init__(self, failing: int, *, lost: bool = False) -> None:
        super().__init__(entries=f"<host mac='{UNUSED}' ip='{IP}'/><host mac='{MAC}' ip='10.0.0.7'/>")
        self._failing, self.lost = failing, lost

    def update(self, command: int, section: int, parent: int, xml: str, flags: int) -> None:
        self._failing -= 1
        if self._failing == 0 or (self.lost and self._failing < 0):
            raise Failed(libvirt.VIR_ERR_INTERNAL_ERROR if self._failing == 0 else libvirt.VIR_ERR_RPC)
        super().update(command, section, parent, xml, flags)


@pytest.mark.parametrize("failing", [1, 2, 3])
def test_what_was_taken_out_for_an_entry_that_libvirt_does_not_take_is_put_back(failing: int) -> None:
    network = Failing(failing)
    with pytest.raises(Failed):
        taken(network, MAC)
    assert network.entries() == {UNUSED: IP, MAC: "10.0.0.7"}


def test_when_another_took_the_address_the_interface_has_its_own_again() -> None:
    network = Network(entries=f"<host mac='{UNUSED}' ip='{IP}'/><host mac='{MAC}' ip='10.0.0.7'/>")
    network.quicker = [IP]
    with pytest.raises(DriverConflict, match="just taken"):
        taken(network, MAC)
    assert network.entries() == {OTHER: IP, MAC: "10.0.0.7"}


@pytest.mark.parametrize("failing", [1, 2, 3])
def test_when_nothing_can_be_put_back_the_first_failure_is_told(failing: int) -> None:
    network = Failing(failing, lost=True)
    with pytest.raises(Failed) as told:
        taken(network, MAC)
    assert told.value.get_error_code() == libvirt.VIR_ERR_INTERNAL_ERROR


def test_once_libvirt_answers_again_asking_again_brings_it() -> None:
    network = Failing(3, lost=True)
    with pytest.raises(Failed):
        taken(network, MAC)
    network.lost = False
    taken(network, MAC)
    assert network.entries() == {MAC: IP}

"""Domains of older gateways that are held to their own addresses: one that cannot be stops no other."""

from __future__ import annotations

import libvirt
import pytest

from drivers.base import DriverConflict
from drivers.libvirt import own_addresses
from drivers.libvirt.domain_xml import METADATA
from drivers.libvirt.own_addresses import hold_all, refuse_foreign, release
from tests.unit.drivers.libvirt_doubles import Failed, Network, claimed


class Domain:
    """A domain of the gateway's that is off, with one interface on a network of the host's own."""

    def __init__(self, number: int, network: str = "default") -> None:
        self.uuid, self.mac = f"uuid-{number}", f"52:54:00:00:00:{number:02x}"
        self.network = network
        self.trouble: Exception | None = None
        self.held = False
        self.host: Host | None = None
        self.ours = True

    def UUIDString(self) -> str:  # noqa: N802 - libvirt's name
        return self.uuid

    def isActive(self) -> bool:  # noqa: N802 - libvirt's name
        return False

    def connect(self) -> Host | None:
        return self.host

    def XMLDesc(self, _flags: int) -> str:  # noqa: N802 - libvirt's name
        owner = f"<metadata><m:machine xmlns:m='{METADATA}'/></metadata>" if self.ours else ""
        return f"""<domain>{owner}<devices>
            <interface type='network'><mac address='{self.mac}'/><source network='{self.network}'/>
            <filterref filter='cimi-guard-host'/></interface></devices></domain>"""

    def updateDeviceFlags(self, _xml: str, _flags: int) -> None:  # noqa: N802 - libvirt's name
        if self.trouble is not None:
            raise self.trouble
        self.held = True


class Host:
    """A connection with three domains and one network."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.domains = [Domain(number) for number in (1, 2, 3)]
        for domain in self.domains:
            domain.host = self

    def listAllNetworks(self) -> list[Network]:  # noqa: N802 - libvirt's name
        return [self.network]

    def listAllDomains(self) -> list[Domain]:  # noqa: N802 - libvirt's name
        return self.domains

    def held(self) -> list[bool]:
        return [domain.held for domain in self.domains]


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    def network_of(host: Host, name: str) -> Network:
        if name != "default":
            raise Failed(libvirt.VIR_ERR_NO_NETWORK)
        return host.network

    monkeypatch.setattr(own_addresses, "network_of", network_of)
    return Host(Network())


def test_the_others_are_held_when_the_first_cannot_be_changed(host: Host) -> None:
    host.domains[0].trouble = Failed(libvirt.VIR_ERR_INTERNAL_ERROR)
    done = hold_all(host)
    assert host.held() == [False, True, True]
    assert (len(done.macs), done.failed) == (2, {"uuid-1": "it does not work"})


def test_the_others_are_held_when_the_network_of_the_first_is_gone(host: Host) -> None:
    host.domains[0].network = "gone"
    assert list(hold_all(host).failed) == ["uuid-1"]
    assert host.held() == [False, True, True]


def test_the_others_are_held_as_long_as_the_range_of_dhcp_goes(host: Host) -> None:
    host.network = Network(last="10.0.0.3")
    failed = hold_all(host).failed
    assert host.held() == [True, True, False]
    assert "no address is free" in failed["uuid-3"]


def test_one_that_failed_is_held_by_itself_later(host: Host) -> None:
    host.domains[0].trouble = Failed(libvirt.VIR_ERR_INTERNAL_ERROR)
    failed = hold_all(host).failed
    host.domains[0].trouble = None
    assert hold_all(host, frozenset(failed)).macs == (host.domains[0].mac,)


def test_one_that_vanished_is_no_failure(host: Host) -> None:
    host.domains[0].trouble = Failed(libvirt.VIR_ERR_NO_DOMAIN)
    assert hold_all(host).failed == {}


def test_a_lost_connection_is_no_guests_trouble(host: Host) -> None:
    host.domains[0].trouble = Failed(libvirt.VIR_ERR_RPC, libvirt.VIR_FROM_RPC)
    with pytest.raises(libvirt.libvirtError):
        hold_all(host)


def test_the_mac_of_a_foreign_guest_with_an_entry_gets_nobody_its_address(host: Host) -> None:
    foreign = host.domains[1]
    foreign.ours = False
    claimed(host.network, foreign.mac)
    with pytest.raises(DriverConflict, match=foreign.mac):
        refuse_foreign(host, "default", foreign.mac.upper())


def test_nor_does_that_of_a_foreign_guest_with_a_lease(host: Host) -> None:
    foreign = host.domains[1]
    foreign.ours = False
    host.network.leases = [{"ipaddr": "10.0.0.7", "mac": foreign.mac}]
    with pytest.raises(DriverConflict, match=foreign.mac):
        refuse_foreign(host, "default", foreign.mac)


@pytest.mark.parametrize("defined", [True, False])
def test_a_step_that_is_repeated_finds_its_own_entry(host: Host, defined: bool) -> None:
    mac = host.domains[1].mac
    if not defined:
        del host.domains[1]
    claimed(host.network, mac)
    refuse_foreign(host, "default", mac)
    assert list(host.network.entries()) == [mac]


def test_a_refused_interface_does_not_take_the_entry_of_the_foreign_guest_away(host: Host) -> None:
    foreign = host.domains[1]
    foreign.ours = False
    claimed(host.network, foreign.mac)
    release(host, frozenset({foreign.mac}))
    assert list(host.network.entries()) == [foreign.mac]

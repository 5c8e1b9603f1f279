"""What a guest says of itself, at the driver's edge: a lie costs nobody anything."""

from __future__ import annotations

import time
from typing import Any

import libvirt
import pytest

from drivers.base import HypervisorSettings, InterfaceAddress
from drivers.libvirt import addresses
from drivers.libvirt.domains import AGENT_DEADLINE
from drivers.libvirt.driver import LibvirtDriver
from drivers.libvirt.guest_words import host_name, ip_address
from drivers.libvirt.lanes import ISOLATED, Lane
from drivers.libvirt.networks import _lease

MAC, OTHER = "52:54:00:00:00:01", "52:54:00:00:00:02"
NO_ADDRESSES = (
    *("", "no address", "999.1.1.1", "10.0.0", "10.0.0.1/24", "10.0.0.1\n", "\u0661\u0660.\u0660.\u0660.\u0661"),
    *("fe80::1%eth0", "2001:db8::1%x", "1" * 10_000_000, None, 7),
    *("127.0.0.1", "::1", "fe80::1", "169.254.1.1", "224.0.0.1", "ff02::1", "0.0.0.0", "::"),
)


class Guest:
    """A domain whose agent says what the test wants; libvirt passes that on unchecked."""

    def __init__(self, said: dict[str, Any], source: int = addresses.AGENT) -> None:
        self._said, self._source = said, source
        self.waits: list[int] = []

    def agentSetResponseTimeout(self, seconds: int) -> None:  # noqa: N802 - libvirt's name
        self.waits.append(seconds)

    def isActive(self) -> bool:  # noqa: N802 - libvirt's name
        return True

    def XMLDesc(self, _flags: int) -> str:  # noqa: N802 - libvirt's name
        interfaces = "".join(f"<interface><mac address='{mac}'/></interface>" for mac in (MAC, OTHER))
        target = "<target name='org.qemu.guest_agent.0' state='connected'/>"
        return f"<domain><devices>{interfaces}<channel>{target}</channel></devices></domain>"

    def interfaceAddresses(self, source: int) -> dict[str, Any]:  # noqa: N802 - libvirt's name
        return self._said if source == self._source else {}


def said(*ips: object, mac: object = MAC, prefix: object = 24) -> dict[str, Any]:
    return {"eth0": {"hwaddr": mac, "addrs": [{"type": 0, "addr": ip, "prefix": prefix} for ip in ips]}}


def read(guest: dict[str, Any], source: int = addresses.AGENT) -> list[InterfaceAddress]:
    return list(addresses.read(Guest(guest, source)))


@pytest.mark.parametrize("source", [addresses.LEASE, addresses.AGENT, addresses.ARP])
@pytest.mark.parametrize("lie", NO_ADDRESSES, ids=lambda lie: repr(lie)[:20])
def test_what_is_no_address_of_an_interface_is_dropped_and_the_others_stay(lie: object, source: int) -> None:
    assert [address.ip for address in read(said("10.0.0.5", lie, "2001:db8::5"), source)] == ["10.0.0.5", "2001:db8::5"]


@pytest.mark.parametrize("prefix", [-1, 33, 2**32 - 1, "24", None, 1.5])
def test_a_prefix_that_no_network_has_is_not_believed(prefix: object) -> None:
    assert read(said("10.0.0.5", prefix=prefix)) == [InterfaceAddress(MAC, "10.0.0.5", 0, "agent")]


def test_an_address_is_written_in_one_way_only() -> None:
    assert [address.ip for address in read(said("2001:DB8:0::5", "2001:db8::0005"))] == ["2001:db8::5"]


def test_of_each_interface_at_most_64_addresses_are_taken() -> None:
    many = [f"10.{number // 256}.{number % 256}.1" for number in range(2000)]
    guest = {**said(*many), "eth1": said("10.200.0.1", mac=OTHER)["eth0"]}
    found = read(guest)
    assert [address.ip for address in found if address.mac == MAC] == many[:64]
    assert [address.ip for address in found if address.mac == OTHER] == ["10.200.0.1"]


def test_an_interface_that_the_guest_makes_up_is_passed_over() -> None:
    made_up = {f"eth{number}": said("10.0.0.5", mac=f"02:00:00:00:{number:02x}:00")["eth0"] for number in range(200)}
    assert read(made_up) == []


@pytest.mark.parametrize("mac", [None, "", "x" * 1_000_000, 7])
def test_an_interface_without_a_mac_address_is_passed_over(mac: object) -> None:
    assert read(said("10.0.0.5", mac=mac)) == []


def test_an_interface_without_addresses_is_no_error() -> None:
    assert read({"eth0": {"hwaddr": MAC, "addrs": None}, "eth1": {}}) == []


def test_an_answer_of_the_largest_size_costs_little() -> None:
    """libvirt takes answers of up to 10 MiB from an agent."""
    guest = {f"eth{number}": said(*["999.9.9.9"] * 1000)["eth0"] for number in range(200)}
    began = time.process_time()
    read(guest)
    assert time.process_time() - began < 5


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[31mb", "a\x00b", "a\u2028b", "a\u202eb", "a\x9bb"])
def test_control_characters_are_taken_out_of_host_names(name: str) -> None:
    assert (host_name(name) or "").isprintable()


def test_a_host_name_is_cut_to_what_dns_can_hold() -> None:
    assert host_name("a" * 1_000_000) == "a" * 253


@pytest.mark.parametrize("name", [None, "", "\x00\n", 7])
def test_a_host_name_that_is_none_is_none(name: object) -> None:
    assert host_name(name) is None


def test_a_lease_is_typed_and_bounded() -> None:
    lease = _lease({"ipaddr": "10.0.0.5", "mac": "52:54:00:AA:00:01", "prefix": 24, "hostname": "a\x1bb" + "c" * 999})
    assert lease is not None
    assert (lease.ip, lease.mac, lease.prefix, lease.expires) == ("10.0.0.5", "52:54:00:aa:00:01", 24, 0)
    assert lease.hostname is not None
    assert lease.hostname.startswith("abccc")
    assert len(lease.hostname) <= 253


@pytest.mark.parametrize("ip", ["no address", None])
def test_a_lease_without_an_address_is_none(ip: object) -> None:
    assert _lease({"ipaddr": ip, "mac": MAC}) is None


def test_the_reader_knows_both_protocols() -> None:
    assert [str(ip_address(text)) for text in ("10.0.0.1", "2001:db8::1")] == ["10.0.0.1", "2001:db8::1"]


def test_an_agent_that_says_nothing_is_waited_for_in_seconds() -> None:
    guest = Guest(said("10.0.0.5"))
    addresses.read(guest)
    assert guest.waits == [addresses.AGENT_SECONDS]
    assert addresses.AGENT_SECONDS * 3 < AGENT_DEADLINE


async def test_a_guest_that_holds_its_addresses_back_costs_nobody_else_the_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    driver, lanes = LibvirtDriver(HypervisorSettings("local", "test:///default", "p", "n")), list[Lane]()

    async def call(_work: object, *, lane: Lane, deadline: float) -> tuple[InterfaceAddress, ...]:
        lanes.append(lane)
        return ()

    monkeypatch.setattr(driver._connection, "call", call)
    await driver.domains.interface_addresses("u")
    assert ISOLATED.issuperset(lanes)


def test_a_domain_that_does_not_run_has_no_addresses() -> None:
    guest = Guest(said("10.0.0.5"))
    guest.isActive = lambda: False  # type: ignore[method-assign]
    assert addresses.read(guest) == ()


def test_a_source_that_does_not_answer_is_no_error() -> None:
    guest = Guest({})

    def refuse(_source: int) -> dict[str, Any]:
        raise libvirt.libvirtError("no such thing")

    guest.interfaceAddresses = refuse  # type: ignore[method-assign, assignment]
    assert addresses.read(guest) == ()

"""What is not fetched from: IANA's special-purpose registries of both protocols, the host itself, and disguises."""

from __future__ import annotations

import json
import subprocess
from ipaddress import IPv4Address, ip_address, ip_network

import pytest

from drivers.base import DriverInvalid
from drivers.web.addresses import AddressRules, is_of_this_host

IPV4_REGISTRY = (
    "0.0.0.0/8", "0.0.0.0/32", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
    "192.0.0.0/24", "192.0.0.0/29", "192.0.0.8/32", "192.0.0.9/32", "192.0.0.10/32", "192.0.0.170/32",
    "192.0.0.171/32", "192.0.0.192/32", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24",
    "192.88.99.2/32", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
    "224.0.0.0/4", "240.0.0.0/4", "255.255.255.255/32",
)  # fmt: skip
IPV6_REGISTRY = (
    "::1/128", "::/128", "::/96", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64", "2001::/23", "2001::/32",
    "2001:1::1/128", "2001:1::2/128", "2001:1::3/128", "2001:2::/48", "2001:3::/32", "2001:4:112::/48", "2001:10::/28",
    "2001:20::/28", "2001:30::/28", "2001:db8::/32", "2620:4f:8000::/48", "3fff::/20", "5f00::/16", "fc00::/7",
    "fe80::/10", "fec0::/10", "ff00::/8",
)  # fmt: skip
PUBLIC = ("1.1.1.1", "8.8.8.8", "192.0.1.1", "192.88.98.1", "2606:4700::1", "2a00:1450::1", "2001:4860::8")
STRANGE = {
    "6to4": "2002:{0:02x}{1:02x}:{2:02x}{3:02x}::1",
    "mapped": "::ffff:{0}.{1}.{2}.{3}",
    "nat64": "64:ff9b::{0}.{1}.{2}.{3}",
}


def nobody(_address: object) -> bool:
    return False


def disguised(kind: str, ip: str) -> str:
    return STRANGE[kind].format(*IPv4Address(ip).packed)


def ends(block: str) -> list[str]:
    network = ip_network(block)
    return [str(network[0]), str(network[-1])]


@pytest.mark.parametrize("block", [*IPV4_REGISTRY, *IPV6_REGISTRY])
def test_no_block_of_the_special_purpose_registries_is_connected_to(block: str) -> None:
    for address in ends(block):
        with pytest.raises(DriverInvalid, match="no public address"):
            AddressRules(is_own=nobody).check(address)


@pytest.mark.parametrize("kind", STRANGE)
@pytest.mark.parametrize("block", IPV4_REGISTRY)
def test_nor_in_an_ipv6_address_that_stands_for_it(kind: str, block: str) -> None:
    for address in ends(block):
        with pytest.raises(DriverInvalid, match="no public address"):
            AddressRules(is_own=nobody).check(disguised(kind, address))


def test_nor_by_teredo_whose_addresses_hide_the_clients_own() -> None:
    with pytest.raises(DriverInvalid):
        AddressRules(is_own=nobody).check("2001:0:4136:e378:8000:63bf:3fff:fdd2")


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_connected_to(address: str) -> None:
    AddressRules(is_own=nobody).check(address)


@pytest.mark.parametrize("kind", STRANGE)
def test_so_are_those_that_stand_for_a_public_one(kind: str) -> None:
    AddressRules(is_own=nobody).check(disguised(kind, "1.1.1.1"))


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700::1", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1"])
def test_the_hosts_own_public_addresses_are_not(address: str) -> None:
    own = (ip_address("1.1.1.1"), ip_address("2606:4700::1"))
    with pytest.raises(DriverInvalid, match="own host"):
        AddressRules(is_own=lambda asked: asked in own).check(address)


def test_the_hosts_own_addresses_are_looked_up_when_asked() -> None:
    own: list[str] = []
    rules = AddressRules(is_own=lambda asked: str(asked) in own)
    rules.check("1.1.1.1")
    own.append("1.1.1.1")
    with pytest.raises(DriverInvalid):
        rules.check("1.1.1.1")


@pytest.mark.parametrize("allowed", ["10.0.0.0/8", "192.0.0.192/32", "fec0::/10", "2001:db8::/32"])
def test_what_the_configuration_allows_is_connected_to_though_it_is_special_or_the_hosts(allowed: str) -> None:
    for address in ends(allowed):
        AddressRules([allowed], is_own=lambda _asked: True).check(address)


def test_every_address_of_this_hosts_interfaces_is_known_as_its_own() -> None:
    before = addresses_of_this_host()
    strange = {address for address in before if not is_of_this_host(ip_address(address))}
    assert before
    # Networks of other tests come and go meanwhile.
    assert strange & addresses_of_this_host() == set()


def addresses_of_this_host() -> set[str]:
    """Return the addresses at which this host can be reached: not those that the kernel still asks others for."""
    output = subprocess.run(["ip", "-j", "addr"], capture_output=True, check=True).stdout
    entries = [entry for link in json.loads(output) for entry in link["addr_info"]]
    return {entry["local"] for entry in entries if entry["scope"] != "link" and not entry.get("tentative")}


@pytest.mark.parametrize("address", ["192.0.2.77", "2001:db8::77"])
def test_an_address_of_another_host_is_not_its_own(address: str) -> None:
    assert not is_of_this_host(ip_address(address))

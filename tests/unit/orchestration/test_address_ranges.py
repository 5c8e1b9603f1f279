"""Which addresses of a range can be reserved, and that none is given out twice."""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Conflict, Invalid
from gateway.orchestration.networks.address_ranges import AddressRange, first_free, parse_ip
from gateway.orchestration.networks.reservations import claim_value, reserve, reserve_next
from gateway.store.model import Resource
from gateway.store.store import Store

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NETWORK = "networks/1"


def ipv4(text: str = "10.1.2.0/24") -> AddressRange:
    """As the gateway's own networks: the first address is the host's, the upper half is DHCP's."""
    found = ipaddress.IPv4Network(text)
    middle = found.network_address + found.num_addresses // 2
    return AddressRange(found, found.network_address + 1, (middle, found.broadcast_address - 1))


def ipv6(text: str = "fd00:1::/64") -> AddressRange:
    found = ipaddress.IPv6Network(text)
    return AddressRange(found, found.network_address + 1)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("10.1.3.7", "outside the network's range 10.1.2.0/24"),
        ("10.1.2.0", "the address of the range"),
        ("10.1.2.1", "the network's gateway"),
        ("10.1.2.255", "the broadcast address"),
        ("10.1.2.128", "gives out by itself"),
        ("10.1.2.254", "gives out by itself"),
        ("fd00:1::7", "outside the network's range"),
    ],
)
def test_an_address_that_can_never_be_reserved_is_refused_with_the_reason(address: str, words: str) -> None:
    with pytest.raises(Invalid, match=words) as refusal:
        ipv4().check(ipaddress.ip_address(address), "addressTemplate.ip")
    assert refusal.value.attribute == "addressTemplate.ip"


@pytest.mark.parametrize("address", ["10.1.2.2", "10.1.2.127"])
def test_the_lower_half_can_be_reserved(address: str) -> None:
    ipv4().check(ipaddress.ip_address(address), "ip")


@pytest.mark.parametrize("text", ["", "10.1.2", "10.1.2.3/24", "10.01.2.3", "fe80::1%eth0", "localhost", "1" * 500])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match=r"^ip: "):
        parse_ip(text, "ip")


def test_masks_are_dotted_for_ipv4_and_a_prefix_length_for_ipv6() -> None:
    assert (ipv4().mask, ipv6().mask) == ("255.255.255.0", "64")


@given(st.integers(16, 29), st.integers(0, 2**16 - 1))
def test_what_is_handed_out_unasked_could_also_be_asked_for(prefix: int, number: int) -> None:
    whole = ipaddress.IPv4Network((f"10.{number >> 8}.{number & 255}.0", prefix), strict=False)
    half = ipv4(str(whole))
    for first, last in half.spans():
        for place in (first, last):
            half.check(half.at(place), "ip")


@given(st.sets(st.integers(1, 40)), st.integers(1, 20), st.integers(0, 20))
def test_the_first_free_number_is_the_lowest_that_nobody_has(taken: set[int], first: int, length: int) -> None:
    last = first + length
    expected = next((number for number in range(first, last + 1) if number not in taken), None)
    assert first_free((first, last), sorted(number for number in taken if first <= number <= last)) == expected


@given(st.lists(st.ip_addresses(), min_size=2, max_size=2))
def test_the_store_orders_addresses_as_their_numbers(pair: list[ipaddress.IPv4Address]) -> None:
    one, other = sorted(pair, key=lambda ip: (ip.version, int(ip)))
    assert claim_value(one) <= claim_value(other)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(tmp_path / "gateway.db")
    yield opened
    await opened.close()


async def hold(store: Store, number: int, ranges: list[AddressRange]) -> str:
    """The next address, held by a resource of this number."""
    async with store.transaction() as transaction:
        holder = f"addresses/{number}"
        await transaction.insert(Resource(holder, "Address", "me", {}, NOW, NOW))
        return str(await reserve_next(transaction, NETWORK, ranges, holder))


async def free(store: Store, number: int) -> None:
    async with store.transaction() as transaction:
        await transaction.delete(f"addresses/{number}")


async def test_addresses_are_handed_out_in_order(store: Store) -> None:
    assert [await hold(store, n, [ipv4()]) for n in range(3)] == ["10.1.2.2", "10.1.2.3", "10.1.2.4"]


async def test_an_exhausted_range_is_told_with_what_to_do(store: Store) -> None:
    small = ipv4("10.1.2.0/29")
    assert [await hold(store, n, [small]) for n in range(2)] == ["10.1.2.2", "10.1.2.3"]
    with pytest.raises(Conflict, match=r"no address is free in 10\.1\.2\.0/29"):
        await hold(store, 2, [small])


async def test_a_freed_address_is_handed_out_again_only_when_the_others_are_used_up(store: Store) -> None:
    small = ipv4("10.1.2.0/28")
    assert [await hold(store, n, [small]) for n in range(3)] == ["10.1.2.2", "10.1.2.3", "10.1.2.4"]
    await free(store, 0)
    assert [await hold(store, n, [small]) for n in range(10, 14)] == ["10.1.2.5", "10.1.2.6", "10.1.2.7", "10.1.2.2"]


async def test_one_address_has_one_holder(store: Store) -> None:
    await hold(store, 1, [ipv4()])
    async with store.transaction() as transaction:
        await transaction.insert(Resource("addresses/2", "Address", "me", {}, NOW, NOW))
        assert not await reserve(transaction, NETWORK, ipaddress.ip_address("10.1.2.2"), "addresses/2")
        assert await reserve(transaction, "networks/2", ipaddress.ip_address("10.1.2.2"), "addresses/2")


async def test_both_protocols_of_a_network_are_handed_out(store: Store) -> None:
    assert await hold(store, 1, [ipv6()]) == "fd00:1::2"
    assert await hold(store, 2, [ipv4()]) == "10.1.2.2"
    assert await hold(store, 3, [ipv6()]) == "fd00:1::3"

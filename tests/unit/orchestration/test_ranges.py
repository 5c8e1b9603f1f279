"""Ranges for new networks: free parts of pools, whatever the host uses already."""

from __future__ import annotations

import ipaddress
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.base import AddressPool
from gateway.errors import Conflict, Invalid
from gateway.orchestration.networks.ranges import Range, as_range, free_range, range_spec, wished_range

POOLS = (AddressPool("10.0.0.0/22", 24), AddressPool("10.9.0.0/23", 24), AddressPool("fd00::/48", 64))


def ranges(*texts: str) -> list[Range]:
    return [as_range(text) for text in texts]


def test_the_first_part_that_is_free_is_taken() -> None:
    assert str(free_range(POOLS, 4, ranges("10.0.0.0/24", "10.0.2.0/24"))) == "10.0.1.0/24"
    assert str(free_range(POOLS, 6, ranges("fd00::/64"))) == "fd00:0:0:1::/64"


def test_a_single_host_in_a_part_makes_it_taken() -> None:
    assert str(free_range(POOLS, 4, ranges("10.0.0.77/32"))) == "10.0.1.0/24"


def test_when_one_pool_is_used_up_the_next_serves() -> None:
    assert str(free_range(POOLS, 4, ranges("10.0.0.0/16"))) == "10.9.0.0/24"


def test_when_all_pools_are_used_up_it_says_so() -> None:
    with pytest.raises(Conflict, match=r"10\.0\.0\.0/22, 10\.9\.0\.0/23"):
        free_range(POOLS, 4, ranges("10.0.0.0/8"))


def test_without_a_pool_of_a_protocol_a_network_has_none_of_it() -> None:
    assert free_range(POOLS[:2], 6, []) is None


def test_a_full_pool_of_many_parts_is_found_full_soon() -> None:
    taken = [ipaddress.IPv6Network((ipaddress.IPv6Address("fd00::") + (n << 64), 64)) for n in range(20000)]
    began = time.process_time()
    assert str(free_range(POOLS, 6, taken)) == "fd00:0:0:4e20::/64"
    assert time.process_time() - began < 5


@given(st.lists(st.tuples(st.integers(0, 2**16 - 1), st.integers(16, 32)), max_size=40))
def test_what_is_found_overlaps_with_nothing_that_is_taken(parts: list[tuple[int, int]]) -> None:
    taken = [ipaddress.ip_network((0x0A000000 + low, prefix), strict=False) for low, prefix in parts]
    pool = (AddressPool("10.0.0.0/16", 26),)
    try:
        found = free_range(pool, 4, taken)
    except Conflict:
        every = ipaddress.ip_network("10.0.0.0/16").subnets(new_prefix=26)
        assert all(any(part.overlaps(entry) for entry in taken) for part in every)
        return
    assert found is not None
    assert found.prefixlen == 26
    assert not any(found.overlaps(entry) for entry in taken)


@pytest.mark.parametrize(
    ("text", "version", "words"),
    [
        ("nonsense", 4, "range"),
        ("10.0.0.1/24", 4, "host bits"),
        ("fd00::/64", 4, "IPv6"),
        ("10.0.0.0/30", 4, "29"),
        ("fd00::/80", 6, "64"),
        ("10.20.0.0/24", 4, "inside"),
    ],
)
def test_a_wish_that_cannot_be_is_invalid(text: str, version: int, words: str) -> None:
    with pytest.raises(Invalid, match=words):
        wished_range(text, version, POOLS, [], "cidr")


def test_a_wish_that_is_taken_is_a_conflict() -> None:
    with pytest.raises(Conflict, match=r"10\.0\.0\.128/25"):
        wished_range("10.0.0.0/24", 4, POOLS, ranges("10.0.0.128/25"), "cidr")


def test_the_host_has_the_first_address_and_dhcp_the_upper_half_of_ipv4() -> None:
    spec = range_spec("10.0.0.0/24")
    assert (spec.gateway, spec.prefix, spec.dynamic) == ("10.0.0.1", 24, ("10.0.0.128", "10.0.0.254"))
    assert range_spec("10.0.0.8/29").dynamic == ("10.0.0.12", "10.0.0.14")
    assert range_spec("fd00::/64").dynamic is None

"""Ranges for new Networks: parts of the configured pools that neither the host nor another Network uses."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache

from drivers.base import AddressPool, RangeSpec
from gateway.errors import Conflict, Invalid
from gateway.orchestration.common.room import Promises

Range = ipaddress.IPv4Network | ipaddress.IPv6Network
ATTRIBUTES = {4: "cidr", 6: "cidr6"}


@lru_cache(maxsize=4096)
def as_range(text: str) -> Range:
    """Return the range that an interface's address with its mask or prefix stands in."""
    return ipaddress.ip_network(text, strict=False)


def free_range(pools: tuple[AddressPool, ...], version: int, taken: Iterable[Range]) -> Range | None:
    """Return the first free part of the pools of this protocol; None when no pool is configured.

    Raises Conflict when all are used up.
    """
    own = [pool for pool in pools if as_range(pool.range).version == version]
    in_use = [entry for entry in taken if entry.version == version]
    for pool in own:
        free = _first_free(as_range(pool.range), pool.prefix, in_use)
        if free is not None:
            return free
    if own:
        ranges = ", ".join(pool.range for pool in own)
        raise Conflict(f"no IPv{version} range is left in {ranges}; delete a Network, or have the admin add a pool")
    return None


def _first_free(pool: Range, prefix: int, taken: list[Range]) -> Range | None:
    """Return the first free part of a pool.

    The search walks over what is taken, not over what could be: a pool may have more parts than anybody can count.
    """
    step = 1 << (pool.max_prefixlen - prefix)
    start, last = int(pool.network_address), int(pool.broadcast_address)
    within = sorted((int(entry.network_address), int(entry.broadcast_address)) for entry in taken)
    for first, end in within:
        if end < start:
            continue
        if first >= start + step:
            break
        start = -(-(end + 1) // step) * step
    if start + step - 1 > last:
        return None
    return ipaddress.ip_network((start, prefix)) if pool.version == 4 else ipaddress.IPv6Network((start, prefix))


def promised_ranges(promises: Promises) -> list[Range]:
    """Return the ranges that imports under way will ask for."""
    return [as_range(entry) for entry in promises.ranges()]


def wished_range(text: str, version: int, pools: tuple[AddressPool, ...], taken: Iterable[Range], where: str) -> Range:
    """Return the range that a client asks for. Raises Invalid when it cannot be, Conflict when it is in use."""
    try:
        wish = ipaddress.ip_network(text.strip())
    except ValueError as error:
        raise Invalid(f"is no range of addresses: {error}"[:200], where) from None
    if wish.version != version:
        raise Invalid(f"is IPv{wish.version}; this attribute is for IPv{version}", where)
    longest = 29 if version == 4 else 64
    if wish.prefixlen > longest or (version == 6 and wish.prefixlen != longest):
        raise Invalid(f"must have a prefix of {'at most ' if version == 4 else ''}{longest}", where)
    own = [as_range(pool.range) for pool in pools if as_range(pool.range).version == version]
    if not any(wish.subnet_of(pool) for pool in own):  # type: ignore[arg-type]
        raise Invalid(f"must be inside {' or '.join(map(str, own)) or 'no pool: none is configured'}", where)
    for entry in taken:
        if entry.version == version and entry.overlaps(wish):
            raise Conflict(f"{where}: {wish} overlaps with {entry}, which is in use on the host")
    return wish


def range_spec(text: str) -> RangeSpec:
    """Return how a range is used: its first address is the host's, the upper half of IPv4 is DHCP's to give by itself.

    The lower half is for reservations, so that none of them meets a lease. IPv6 guests configure themselves.
    """
    whole = as_range(text)
    gateway = str(whole.network_address + 1)
    if whole.version == 6:
        return RangeSpec(gateway, whole.prefixlen)
    middle = whole.network_address + whole.num_addresses // 2
    return RangeSpec(gateway, whole.prefixlen, (str(middle), str(whole.broadcast_address - 1)))

"""The routes of the host we run on, from the kernel's own tables: no privilege and no program needed."""

from __future__ import annotations

import asyncio
import ipaddress
from pathlib import Path

IPV4 = Path("/proc/net/route")
IPV6 = Path("/proc/net/ipv6_route")


async def local_routes() -> tuple[str, ...]:
    """Return the ranges that the routes of this host lead to, in CIDR notation."""
    return await asyncio.to_thread(_read)


def _read() -> tuple[str, ...]:
    four = routes4(IPV4.read_text()) if IPV4.exists() else ()
    six = routes6(IPV6.read_text()) if IPV6.exists() else ()
    return (*four, *six)


def routes4(table: str) -> tuple[str, ...]:
    """Return the ranges in /proc/net/route, without default routes; addresses stand there in the host's byte order."""
    ranges = []
    for line in table.splitlines()[1:]:
        fields = line.split()
        address, mask = (bytes.fromhex(fields[place])[::-1] for place in (1, 7))
        network = ipaddress.ip_network((address, int.from_bytes(mask).bit_count()), strict=False)
        if network.prefixlen:
            ranges.append(str(network))
    return tuple(dict.fromkeys(ranges))


def routes6(table: str) -> tuple[str, ...]:
    """Return the ranges in /proc/net/ipv6_route, without default routes, link-local, multicast and single hosts."""
    ranges = []
    for line in table.splitlines():
        address, length = line.split()[:2]
        network = ipaddress.ip_network((bytes.fromhex(address), int(length, 16)), strict=False)
        if 0 < network.prefixlen < 128 and not network.is_link_local and not network.is_multicast:
            ranges.append(str(network))
    return tuple(dict.fromkeys(ranges))

"""Addresses of clients, as they are told and as they are counted."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network

IPV6_PREFIX = 64
"""What one customer of a provider has to himself."""


def host_of(address: str) -> str:
    """Return the address without brackets and without the port that a proxy may add (RFC 7239 6.1)."""
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.partition(":")[0] if address.count(":") == 1 else address


def source_of(address: str) -> str:
    """Return what is counted as one address: of IPv6 the network of 64 bits."""
    host = host_of(address)
    try:
        found = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(found, IPv6Address):
        mapped = found.ipv4_mapped
        return str(mapped) if mapped else str(ip_network((found, IPV6_PREFIX), strict=False))
    return str(found)

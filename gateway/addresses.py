"""Addresses of clients, as they are told and as they are counted."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

IPV6_PREFIX = 64
"""The prefix that one customer of a provider has alone."""


def host_of(address: str) -> str:
    """Return the address without brackets and without the port that a proxy may add (RFC 7239 6.1)."""
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.partition(":")[0] if address.count(":") == 1 else address


def parsed(address: str) -> IPv4Address | IPv6Address | None:
    """Return the address, of IPv4 also where it is written as one of IPv6; None for what is no address."""
    try:
        plain = ip_address(host_of(address).partition("%")[0])
    except ValueError:
        return None
    return (plain.ipv4_mapped or plain) if isinstance(plain, IPv6Address) else plain


def source_of(address: str) -> str:
    """Return what is counted as one address: of IPv6 the network of 64 bits."""
    plain = parsed(address)
    if plain is None:
        return host_of(address)
    return str(ip_network((plain, IPV6_PREFIX), strict=False)) if isinstance(plain, IPv6Address) else str(plain)

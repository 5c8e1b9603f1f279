"""The addresses that may be connected to for a user: public ones that are not the host's own, and configured ones.

The list is our own, so that it is the same whatever Python's is: all of IANA's special-purpose registries (RFC 6890),
those blocks which are globally reachable included, since no server of files is there.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from drivers.base import DriverInvalid

Address = IPv4Address | IPv6Address
NAT64 = ip_network("64:ff9b::/96")
MAPPED = ip_network("::ffff:0:0/96")
SIX_TO_FOUR = ip_network("2002::/16")
GLOBAL_UNICAST = ip_network("2000::/3")
SPECIAL = tuple(
    ip_network(block)
    for block in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "2001::/23",
        "2001:db8::/32",
        "2620:4f:8000::/48",
        "3fff::/20",
    )
)
"""Blocks of special purpose, for IPv6 only those inside ``GLOBAL_UNICAST``; 2001::/23 has Teredo and others in it."""
DISCARD = 9


def is_of_this_host(address: Address) -> bool:
    """Return whether one of this host's interfaces has the address now: the kernel speaks to it from the same one."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as probe:
        try:
            probe.connect((str(address), DISCARD))
        except OSError:
            return False
        return ip_address(probe.getsockname()[0].partition("%")[0]) == address


class AddressRules:
    """The rules for addresses to connect to.

    Networks in ``allowed`` may be connected to whatever they are; ``is_own`` says what the host's own addresses are.
    """

    def __init__(self, allowed: Iterable[str] = (), is_own: Callable[[Address], bool] = is_of_this_host) -> None:
        self._allowed = [ip_network(network) for network in allowed]
        self._is_own = is_own

    def check(self, text: str) -> None:
        """Raise DriverInvalid unless this address may be connected to."""
        address = ip_address(text.partition("%")[0])
        meant = _inside(address) or address
        if any(self._is_allowed(entry) for entry in (address, meant)):
            return
        if not _is_public(meant):
            raise DriverInvalid(f"{text} is no public address; [images] private_networks does not allow it")
        if self._is_own(meant):
            raise DriverInvalid(f"{text} is the gateway's own host; [images] private_networks does not allow it")

    def _is_allowed(self, address: Address) -> bool:
        return any(address.version == network.version and address in network for network in self._allowed)


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv6Address) and address not in GLOBAL_UNICAST:
        return False
    return not any(address.version == block.version and address in block for block in SPECIAL)


def _inside(address: Address) -> IPv4Address | None:
    """Return the IPv4 address which an IPv6 one stands for: mapped, 6to4, NAT64. A NAT or a tunnel goes there."""
    if isinstance(address, IPv4Address):
        return None
    if address in SIX_TO_FOUR:
        return IPv4Address(address.packed[2:6])
    return IPv4Address(address.packed[-4:]) if address in NAT64 or address in MAPPED else None

"""Rules on the interfaces of a network's guests: which other networks they reach."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Reach:
    """The ranges that the guests of one network may exchange packets with, beside one another.

    All ranges are in CIDR notation. A ``closed`` network's guests reach the ranges in ``joined`` alone; the others
    reach everything that is not in ``fenced``.
    """

    network: str
    """UUID of the network."""
    ranges: tuple[str, ...]
    """The host's own addresses in it, with prefix length: 10.1.2.1/24."""
    closed: bool
    joined: tuple[str, ...] = ()
    """Ranges of the other networks of its forwarding group."""
    fenced: tuple[str, ...] = ()
    """Ranges that belong to other networks of the gateway."""
    guarded: bool = True
    """Whether guests are held to their own addresses too."""
    fixed: bool = False
    """Whether there are interfaces which may send from certain IPv6 addresses of the network alone."""

    @property
    def filter(self) -> str:
        """The name of the network's filter."""
        return filter_name(self.network)


def filter_name(network: str) -> str:
    """Return the name of the filter that all interfaces on the network of this UUID refer to.

    They refer to it by itself, or by the filter of ``fixed_filter_name``.
    """
    return f"cimi-network-{network}"


def fixed_filter_name(network: str) -> str:
    """Return the name of the filter for those interfaces on the network of this UUID that name their own addresses.

    These are the IPv6 addresses that the interface may send from.
    """
    return f"cimi-fixed-{network}"


GUARD = "cimi-guard"
"""Holds a guest to its MAC and to the IPv4 range or address that its interface names."""
GUARD_HOST = "cimi-guard-host"
"""Does what GUARD does on a network of the host's own, and fences off the ranges that the interface names."""
GUARD_OWN = "cimi-guard-own"
"""Does what GUARD_HOST does, and holds the guest to the IPv4 and IPv6 addresses that its interface names."""
GUARD_OWN_IPV6 = "cimi-guard-own-ipv6"
"""Holds a guest to the IPv6 addresses that its interface names, link-local ones among them."""
GUARD_IPV6 = "cimi-guard-ipv6"
"""Holds a guest to the IPv6 addresses that its interface names, and link-local ones."""
GUARD_MAC = "cimi-guard-mac"
"""Holds a guest to its MAC alone, where the ranges of the network are not known."""


class FilterCalls(Protocol):
    """Packet filters of networks, by the network's UUID."""

    async def define(self, reach: Reach) -> bool:
        """Make the network's filter, or bring it to this; running guests follow at once.

        Return whether it changed.
        """
        ...

    async def delete(self, network: str) -> None:
        """Remove the filter of the network of this UUID; one that is gone is no error."""
        ...

    async def list_networks(self) -> tuple[str, ...]:
        """Return the UUIDs of the networks that have a filter of ours."""
        ...

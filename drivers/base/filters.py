"""Which other networks the guests of a network reach, as rules on their interfaces."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Reach:
    """What the guests of one network may exchange packets with, beside one another.

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
        return filter_name(self.network)


def filter_name(network: str) -> str:
    """The filter which every interface on the network of this UUID refers to, by itself or by ``fixed_filter_name``."""
    return f"cimi-network-{network}"


def fixed_filter_name(network: str) -> str:
    """The filter of those interfaces on the network of this UUID which name the IPv6 addresses they may send from."""
    return f"cimi-fixed-{network}"


GUARD = "cimi-guard"
"""Holds a guest to its MAC and to the IPv4 range or address that its interface names."""
GUARD_HOST = "cimi-guard-host"
"""As GUARD, on a network of the host's own: and keeps the guest off the ranges that its interface names as fenced."""
GUARD_OWN = "cimi-guard-own"
"""As GUARD_HOST, and holds the guest to the IPv4 and IPv6 addresses that its interface names as its own."""
GUARD_OWN_IPV6 = "cimi-guard-own-ipv6"
"""Holds a guest to the IPv6 addresses that its interface names, link-local ones among them."""
GUARD_IPV6 = "cimi-guard-ipv6"
"""Holds a guest to the IPv6 addresses that its interface names, and link-local ones."""
GUARD_MAC = "cimi-guard-mac"
"""Holds a guest to its MAC alone, where the ranges of the network are not known."""


@dataclass(frozen=True, slots=True)
class HeldGuests:
    """The MACs of interfaces that had to be changed, and why domains could not be held, by UUID."""

    macs: tuple[str, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)


class FilterCalls(Protocol):
    async def define_reach(self, reach: Reach) -> bool:
        """Make the network's filter, or bring it to this; running guests follow at once. Whether it changed."""
        ...

    async def delete_reach(self, network: str) -> None:
        """Remove the filter of the network of this UUID; one that is gone is no error."""
        ...

    async def hold_guests(self, only: frozenset[str] | None = None) -> HeldGuests:
        """Hold the interfaces of all our domains on the host's own networks to an address of their own each.

        New ones are from the start; those that older gateways made are not. ``only`` limits it to these UUIDs. The
        trouble of one domain stops no other.
        """
        ...

    async def give_back_addresses(self, macs: Iterable[str]) -> None:
        """The interfaces with these MACs are no more: others may have their own addresses on the host's networks.

        An interface that has none is no error.
        """
        ...

    async def filtered(self) -> tuple[str, ...]:
        """UUIDs of the networks that have a filter of ours."""
        ...

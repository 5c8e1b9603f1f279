"""The addresses of a range that can be reserved, and the next one to hand out; nothing else is looked at."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from gateway.errors import Invalid

IP = ipaddress.IPv4Address | ipaddress.IPv6Address
Range = ipaddress.IPv4Network | ipaddress.IPv6Network
WIDEST = 2**32
"""Number of addresses of an IPv6 range, from its start, that are handed out unasked: short to read and type."""


def parse_ip(text: str, attribute: str) -> IP:
    """Return the address, IPv6 in any spelling. Raises Invalid, naming the attribute, for what is none."""
    try:
        ip = ipaddress.ip_address(text.strip())
    except ValueError:
        raise Invalid(f"{text[:60]!r} is no IPv4 or IPv6 address", attribute) from None
    if isinstance(ip, ipaddress.IPv6Address) and ip.scope_id is not None:
        raise Invalid(f"{text[:60]!r} has a zone, which means nothing outside one host", attribute)
    return ip


@dataclass(frozen=True, slots=True)
class AddressRange:
    """An IPv4 or IPv6 range of a network: the host's own address in it, and what DHCP gives out by itself."""

    range: Range
    gateway: IP
    dynamic: tuple[IP, IP] | None = None
    within: tuple[tuple[IP, IP], ...] = ()
    """First and last of the rows that alone can be reserved, where the range is the host's own; else empty."""

    @property
    def version(self) -> int:
        """Return 4 or 6, the version of IP."""
        return self.range.version

    @property
    def mask(self) -> str:
        """Return the mask as clients expect it: dotted for IPv4, the prefix length for IPv6."""
        return str(self.range.netmask) if self.version == 4 else str(self.range.prefixlen)

    def check(self, ip: IP, attribute: str) -> None:
        """Raise Invalid when this address of the range can never be reserved."""
        reason = self._reason(ip)
        if reason is not None:
            raise Invalid(f"{ip} {reason}", attribute)

    def _reason(self, ip: IP) -> str | None:
        if ip not in self.range:
            return f"is outside the network's range {self.range}"
        if ip == self.range.network_address:
            return f"is the address of the range {self.range} itself"
        if self.version == 4 and ip == self.range.broadcast_address:
            return f"is the broadcast address of {self.range}"
        if ip == self.gateway:
            return "is the network's gateway"
        if self.dynamic is not None and self.dynamic[0] <= ip <= self.dynamic[1]:  # type: ignore[operator]
            first, last = self.dynamic
            return f"is one of those which DHCP gives out by itself ({first} to {last}); choose another"
        if self.within and not any(first <= ip <= last for first, last in self.within):  # type: ignore[operator]
            rows = " and ".join(f"{first} to {last}" for first, last in self.within)
            return f"is none of those which DHCP gives out in this Network of the host ({rows})"
        return None

    def spans(self) -> tuple[tuple[int, int], ...]:
        """Return first and last of each row of addresses that can be reserved, in order."""
        base = int(self.range.network_address)
        last = min(int(self.range.broadcast_address) - (self.version == 4), base + WIDEST - 1)
        spans = [(int(first), int(end)) for first, end in self.within] or [(base + 1, last)]
        holes = [(int(self.gateway), int(self.gateway))]
        if self.dynamic is not None:
            holes.append((int(self.dynamic[0]), int(self.dynamic[1])))
        for hole in holes:
            spans = [piece for span in spans for piece in _without(span, hole)]
        return tuple(spans)

    def at(self, number: int) -> IP:
        """Return the address of this number, in the range's version of IP."""
        return ipaddress.IPv4Address(number) if self.version == 4 else ipaddress.IPv6Address(number)


def _without(span: tuple[int, int], hole: tuple[int, int]) -> list[tuple[int, int]]:
    (first, last), (begin, end) = span, hole
    if end < first or begin > last:
        return [span]
    return [piece for piece in ((first, begin - 1), (end + 1, last)) if piece[0] <= piece[1]]


def first_free(span: tuple[int, int], taken: Iterable[int]) -> int | None:
    """Return the lowest number of the span that is not among the taken ones, which come in order."""
    candidate, last = span
    for number in taken:
        if number > candidate:
            break
        if number == candidate:
            candidate += 1
    return candidate if candidate <= last else None

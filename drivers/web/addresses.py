"""Which addresses may be connected to on a user's behalf: public ones, and the configured networks."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from drivers.base import DriverInvalid

NAT64 = ip_network("64:ff9b::/96")
Address = IPv4Address | IPv6Address


class AddressRules:
    def __init__(self, allowed: Iterable[str] = ()) -> None:
        self._allowed = [ip_network(network) for network in allowed]

    def check(self, text: str) -> None:
        """Raises DriverInvalid unless this address may be connected to."""
        address = ip_address(text.partition("%")[0])
        if not all(self._permitted(inner) for inner in (address, *_inside(address))):
            raise DriverInvalid(f"{text} is no public address; [images] private_networks does not allow it")

    def _permitted(self, address: Address) -> bool:
        if any(address.version == network.version and address in network for network in self._allowed):
            return True
        if isinstance(address, IPv6Address) and _inside(address):
            return not address.is_multicast
        return address.is_global and not address.is_multicast and not address.is_reserved


def _inside(address: Address) -> tuple[IPv4Address, ...]:
    """IPv4 addresses which an IPv6 one stands for: mapped, 6to4, NAT64."""
    if isinstance(address, IPv4Address):
        return ()
    found = [address.ipv4_mapped, address.sixtofour]
    if address in NAT64:
        found.append(IPv4Address(address.packed[-4:]))
    return tuple(entry for entry in found if entry is not None)

"""The rules of every driver for DHCP entries of interfaces and reserved addresses in networks of the host's own.

Such a network has entries of an admin's and of other gateways' too. An entry whose address or MAC is not one of ours is
never replaced; one with a name is an admin's, is used as it is, and stays.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Address

from drivers.base import DriverConflict, Reservation


def to_replace(
    entries: Sequence[Reservation],
    leased: Mapping[str, str],
    wanted: Reservation,
    ours: frozenset[str],
    network: str,
) -> tuple[Reservation, ...] | None:
    """Return the entries in whose place the wanted one comes; None where it is there already.

    ``leased`` are the MACs to which DHCP has given addresses. Raises DriverConflict when somebody else has either.
    """
    holder = next((entry for entry in entries if entry.ip == wanted.ip), None)
    if holder is not None and mac_of(holder) == mac_of(wanted):
        return None
    if holder is not None and not _is_ours(holder, ours):
        raise DriverConflict(f"{wanted.ip} is kept for another in the host's network {network}")
    if holder is None and leased.get(wanted.ip, mac_of(wanted)) not in ours:
        raise DriverConflict(f"{wanted.ip} is given to a guest in the host's network {network}")
    before = next((entry for entry in entries if mac_of(entry) == mac_of(wanted)), None)
    if before is not None and before.hostname is not None:
        raise DriverConflict(f"the host's admin keeps {before.ip} for {wanted.mac} in the network {network}")
    return tuple(entry for entry in (holder, before) if entry is not None)


def to_leave(entries: Iterable[Reservation], ip: str, ours: frozenset[str]) -> list[Reservation]:
    """Return the entries of the address that are ours."""
    return [entry for entry in entries if entry.ip == ip and _is_ours(entry, ours)]


def to_give_back(entries: Iterable[Reservation], macs: frozenset[str]) -> list[Reservation]:
    """Return the entries of these MACs, in lower case, that no admin made."""
    return [entry for entry in entries if _is_ours(entry, macs)]


def own_of(entries: Iterable[Reservation], mac: str) -> str | None:
    """Return the address that is kept for the MAC, by whomever."""
    return next((entry.ip for entry in entries if mac_of(entry) == mac.lower()), None)


def free_address(
    spans: Sequence[tuple[str, str]], gateway: str, entries: Iterable[Reservation], leased: Mapping[str, str], mac: str
) -> str:
    """Return the one that the guest has already, else one that follows from its MAC where nobody has that.

    ``spans`` are what DHCP gives, ``gateway`` is the host's own address. Raises DriverConflict when none is free.
    """
    reserved = {entry.ip for entry in entries}
    for ip, holder in leased.items():
        if holder == mac.lower() and ip not in reserved:
            return ip
    taken = {*reserved, *leased, gateway}
    ranges = [range(int(IPv4Address(first)), int(IPv4Address(last)) + 1) for first, last in spans]
    size = sum(len(each) for each in ranges)
    start = zlib.crc32(mac.lower().encode())
    for place in range(size):
        ip = str(IPv4Address(_at(ranges, (start + place) % size)))
        if ip not in taken:
            return ip
    raise DriverConflict(f"no address is free in the range that DHCP gives from {gateway}")


def _at(ranges: list[range], place: int) -> int:
    """Return the number at this place of all ranges together, which may be large."""
    for each in ranges:
        if place < len(each):
            return each[place]
        place -= len(each)
    raise IndexError(place)


def _is_ours(entry: Reservation, ours: frozenset[str]) -> bool:
    return entry.hostname is None and mac_of(entry) in ours


def mac_of(entry: Reservation) -> str:
    """Return the entry's MAC in lower case; empty where it has none."""
    return (entry.mac or "").lower()

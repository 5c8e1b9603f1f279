"""Addresses reserved in the store: under its one writer, so that none is ever given out twice."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.errors import Conflict
from gateway.orchestration.networks.address_ranges import IP, AddressRange, first_free
from gateway.store.claims import claim, claimed_between, highest_claim
from gateway.store.transaction import Transaction


def claim_value(ip: IP) -> str:
    """Return an address as the store orders it."""
    return f"{ip.version}:{int(ip):032x}"


async def reserve(transaction: Transaction, network: str, ip: IP, holder: str) -> bool:
    """Give this address of the network to the holder, and return whether it was free."""
    return await claim(transaction, network, claim_value(ip), holder)


async def reserve_next(transaction: Transaction, network: str, ranges: Sequence[AddressRange], holder: str) -> IP:
    """Give the next free address to the holder. Raises Conflict when the ranges are exhausted.

    Above the highest one first: that costs the same however many there are, and an address that was just freed,
    which neighbours may still remember, rests for a while.
    """
    for entry in ranges:
        for span in entry.spans():
            number = await _next(transaction, network, entry, span)
            if number is not None:
                ip = entry.at(number)
                assert await reserve(transaction, network, ip, holder)
                return ip
    words = ", ".join(str(entry.range) for entry in ranges)
    raise Conflict(f"no address is free in {words}; delete an Address of the network, or use another network")


async def _next(transaction: Transaction, network: str, range: AddressRange, span: tuple[int, int]) -> int | None:
    """Return the number of the next free address of a span; None when there is none."""
    low, high = (claim_value(range.at(number)) for number in span)
    highest = await highest_claim(transaction, network, low, high)
    if highest is None:
        return span[0]
    if highest < high:
        return _number(highest) + 1
    return first_free(span, [_number(value) for value in await claimed_between(transaction, network, low, high)])


def _number(value: str) -> int:
    return int(value.partition(":")[2], 16)

"""The Addresses of a new interface, by reference or by value (DSP0263 5.14.1.6)."""

from __future__ import annotations

from typing import TypeAlias

from gateway.errors import Conflict, Invalid
from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.room import Room
from gateway.orchestration.networks.address_create import AddressWish, address_wish, reserved_address
from gateway.orchestration.networks.assignment import link, usable_address
from gateway.orchestration.networks.facts import KeptAddress
from gateway.store.model import Document, Resource
from gateway.store.transaction import Transaction

Chosen: TypeAlias = AddressWish | str
"""An address to be reserved, or the path of one that is."""


async def chosen_addresses(room: Room, caller: Caller, template: Document, path: str, where: str = "") -> list[Chosen]:
    """Return the addresses for an interface on the Network at ``path``; nothing is written. Raises Invalid."""
    chosen: list[Chosen] = []
    network = await room.store.get(path) if template.get("addresses") else None
    if network is None:
        return chosen
    for place, given in enumerate(template.get("addresses") or []):
        named = f"{where}addresses.{place}"
        if _is_address(given):
            chosen.append((await usable_address(room, caller, given["href"], named, network.path)).path)
        else:
            chosen.append(await address_wish(room, caller, given, named, network))
    paths = [entry for entry in chosen if isinstance(entry, str)]
    if len(set(paths)) != len(paths):
        raise Invalid("names an Address twice", f"{where}addresses")
    return chosen


def _is_address(given: Document) -> bool:
    """Return whether it is a reference to an Address; one to an AddressTemplate is a wish with overrides."""
    if not str(given.get("href", "")).startswith("addresses/"):
        return False
    extra = sorted(given.keys() - {"href"})
    if extra:
        raise Invalid("an Address is given as it is; leave the attribute out", f"addresses.{extra[0]}")
    return True


async def keep_addresses(transaction: Transaction, interface: Resource, chosen: list[Chosen], where: str = "") -> None:
    """Link the addresses to the interface, and reserve those that are not yet; these go again with their Machine.

    Raises Conflict when somebody came first.
    """
    for place, entry in enumerate(chosen):
        named = f"{where}addresses.{place}"
        if isinstance(entry, str):
            address = await transaction.get(entry)
            if address is None:
                raise Conflict(f"{named}: the Address is gone")
        else:
            reserved = await reserved_address(transaction, entry, interface.owner, {})
            address = KeptAddress.changed(reserved, for_machine=True)
        await link(transaction, interface, address, named)

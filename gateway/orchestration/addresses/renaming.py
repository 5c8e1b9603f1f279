"""The names that Addresses have in DNS, while Jobs change them."""

from __future__ import annotations

from gateway.orchestration.networks.address_create import claim_hostname, hostname_scope
from gateway.store.claims import unclaim
from gateway.store.model import Resource
from gateway.store.transaction import Transaction


async def change_hostname(transaction: Transaction, address: Resource, hostname: str | None) -> None:
    """Take another name for an Address as it is now, and give its own back."""
    document = address.document
    scope, before = hostname_scope(document["network"]["href"], int(document["protocol"][-1])), document.get("hostname")
    if hostname is not None:
        await claim_hostname(transaction, scope, hostname, address.path, "hostname")
    if before is not None and before != hostname:
        await unclaim(transaction, scope, before, address.path)

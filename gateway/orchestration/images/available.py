"""Images that are about to be used: looked at once more where the use is written."""

from __future__ import annotations

from gateway.errors import Conflict
from gateway.store.transaction import Transaction


async def demand_still_available(transaction: Transaction, image: str, where: str) -> None:
    """Raise Conflict when the image (its path) cannot be used any more.

    A delete of the image looks for its users in a transaction of its own: one sees the other.
    """
    current = await transaction.get(image)
    if current is None:
        raise Conflict(f"{where}: the image {image} was deleted meanwhile")
    if current.state != "AVAILABLE":
        raise Conflict(f"{where}: the image is {current.state}, not AVAILABLE")

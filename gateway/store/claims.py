"""Values given out once: in a scope, held by a resource, and free again when that is deleted.

The store's one writer makes each of them unique.
"""

from __future__ import annotations

from gateway.store.transaction import Transaction


async def claim(transaction: Transaction, scope: str, value: str, holder: str) -> bool:
    """Give the value to a resource until that is deleted, and return whether the resource has it now."""
    transaction.put("INSERT OR IGNORE INTO claims (scope, value, holder) VALUES (?, ?, ?)", (scope, value, holder))
    return await holder_of(transaction, scope, value) == holder


async def unclaim(transaction: Transaction, scope: str, value: str, holder: str) -> None:
    """Give the value back; one that another resource holds by now stays with that one."""
    transaction.put("DELETE FROM claims WHERE scope = ? AND value = ? AND holder = ?", (scope, value, holder))


async def holder_of(transaction: Transaction, scope: str, value: str) -> str | None:
    """Return the path of the resource that holds the value in the scope; None when the value is free."""
    rows = await transaction.fetch("SELECT holder FROM claims WHERE scope = ? AND value = ?", (scope, value))
    return str(rows[0][0]) if rows else None


async def claimed_between(transaction: Transaction, scope: str, first: str, last: str) -> tuple[str, ...]:
    """Return the taken values from ``first`` to ``last``, both included, in their order as text."""
    sql = "SELECT value FROM claims WHERE scope = ? AND value BETWEEN ? AND ? ORDER BY value"
    return tuple(str(value) for (value,) in await transaction.fetch(sql, (scope, first, last)))


async def highest_claim(transaction: Transaction, scope: str, first: str, last: str) -> str | None:
    """Return the highest taken value from ``first`` to ``last``; None when there is none.

    The cost is the same among few values and among many.
    """
    sql = "SELECT value FROM claims WHERE scope = ? AND value BETWEEN ? AND ? ORDER BY value DESC LIMIT 1"
    rows = await transaction.fetch(sql, (scope, first, last))
    return str(rows[0][0]) if rows else None

"""Values given out once: in a scope, held by a resource, and free again when that is deleted."""

from __future__ import annotations

from typing import Any

from gateway.store.writer import Writer


class Claims:
    """The part of a transaction that gives out values; the store's one writer makes each of them unique."""

    _writer: Writer

    async def claim(self, scope: str, value: str, holder: str) -> bool:
        """Give the value to a resource, until that is deleted. False when another holds it."""
        self._writer.put("INSERT OR IGNORE INTO claims (scope, value, holder) VALUES (?, ?, ?)", (scope, value, holder))
        return await self.holder(scope, value) == holder

    async def unclaim(self, scope: str, value: str, holder: str) -> None:
        """Give it back; one that another holds by now stays theirs."""
        self._writer.put("DELETE FROM claims WHERE scope = ? AND value = ? AND holder = ?", (scope, value, holder))

    async def holder(self, scope: str, value: str) -> str | None:
        rows = await self._rows("SELECT holder FROM claims WHERE scope = ? AND value = ?", scope, value)
        return str(rows[0][0]) if rows else None

    async def claims(self, scope: str, first: str, last: str) -> tuple[str, ...]:
        """The values taken between two, these included, in their order."""
        sql = "SELECT value FROM claims WHERE scope = ? AND value BETWEEN ? AND ? ORDER BY value"
        return tuple(str(value) for (value,) in await self._rows(sql, scope, first, last))

    async def highest_claim(self, scope: str, first: str, last: str) -> str | None:
        """The highest value taken between two, found at the same cost among few and among many."""
        sql = "SELECT value FROM claims WHERE scope = ? AND value BETWEEN ? AND ? ORDER BY value DESC LIMIT 1"
        rows = await self._rows(sql, scope, first, last)
        return str(rows[0][0]) if rows else None

    async def _rows(self, sql: str, *parameters: str) -> list[Any]:
        return await self._writer.fetch(sql, parameters)

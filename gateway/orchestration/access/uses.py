"""When tokens were used last: written now and then, since each use would be a write."""

from __future__ import annotations

from collections.abc import Iterable

from gateway import clock
from gateway.clock import timestamp
from gateway.store.reading import Records

WRITE_EVERY = 120.0
"""Seconds between two writes."""


class TokenUses:
    """The uses of tokens that stand in no Token yet: ``uses`` has the Tokens' paths."""

    def __init__(self, store: Records, uses: set[str]) -> None:
        self._store = store
        self._uses = uses

    async def turn(self) -> None:
        """Write the uses since the last turn."""
        uses = sorted(self._uses)
        self._uses.clear()
        await self.write(uses)

    async def write(self, uses: Iterable[str]) -> None:
        """Write into these Tokens that they were used now; those that are gone are left out."""
        if not uses:
            return
        now = timestamp(clock.now())
        async with self._store.transaction(durable=False) as transaction:
            for path in uses:
                token = await transaction.get(path)
                if token is not None:
                    await transaction.update(token.with_document(lastUse=now))

"""When tokens were used last: written now and then, since each use would be a write."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from gateway.clock import timestamp
from gateway.store.reading import Records

WRITE_EVERY = 120.0
"""Seconds between two writes."""


class TokenUses:
    """The uses of tokens that stand in no Token yet: ``uses`` has the time of the last one by the Token's path."""

    def __init__(self, store: Records, uses: dict[str, datetime]) -> None:
        self._store = store
        self._uses = uses

    async def turn(self) -> None:
        """Write the uses since the last turn."""
        uses = dict(self._uses)
        self._uses.clear()
        await self.write(uses)

    async def write(self, uses: Mapping[str, datetime]) -> None:
        """Write these uses into their Tokens; those that are gone are left out."""
        if not uses:
            return
        async with self._store.transaction(durable=False) as transaction:
            for path, moment in uses.items():
                token = await transaction.get(path)
                if token is not None:
                    await transaction.update(token.with_document(lastUse=timestamp(moment)))

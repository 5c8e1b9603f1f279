"""Refused requests as access events: no change carries them, so they have transactions of their own."""

from __future__ import annotations

import asyncio

import structlog

from drivers.base import Supervision
from gateway.errors import GatewayError
from gateway.orchestration.monitoring.occurrences import Occurrence, Request, accessed, known_path
from gateway.orchestration.monitoring.recorder import tell
from gateway.store.store import Store

log = structlog.get_logger("events")


class Refusals:
    """Requests that wait at the same time share one write; each is answered once its event is on disk."""

    def __init__(self, store: Store, supervision: Supervision | None = None) -> None:
        self._store = store
        self._supervision = supervision or Supervision()
        self._waiting: list[Occurrence] = []
        self._writing: asyncio.Task[None] | None = None

    async def refused(self, request: Request, path: str, reason: str) -> None:
        path = known_path(path)
        resource = await self._store.get(path)
        self._waiting.append(accessed(request, path, resource, "Failure", reason))
        while self._writing is not None:
            await asyncio.wait({self._writing})
            if not self._waiting:
                return
        self._writing = self._supervision.react("refused requests", self._write())
        await asyncio.wait({self._writing})

    async def _write(self) -> None:
        """A store that cannot take it (full disk) does not change the answer."""
        occurrences, self._waiting = self._waiting, []
        try:
            async with self._store.transaction() as transaction:
                await tell(transaction, *occurrences)
        except GatewayError as error:
            log.error("refused requests not kept", count=len(occurrences), reason=error.message)
        finally:
            self._writing = None

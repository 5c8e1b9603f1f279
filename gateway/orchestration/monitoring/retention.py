"""The time that events are kept: each log's persistence, and bounds on the number (DSP0263 5.22.1)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from gateway import clock
from gateway.clock import timestamp
from gateway.errors import GatewayError
from gateway.orchestration.monitoring.occurrences import CHANGES, EVERYTHING
from gateway.store.questions.events import ends_of_logs, positions_before
from gateway.store.store import Store

KEPT = {
    "hourly": timedelta(hours=1),
    "daily": timedelta(days=1),
    "weekly": timedelta(days=7),
    "monthly": timedelta(days=31),
    "yearly": timedelta(days=366),
}
"""The ages that the standard's words for persistence mean here."""
LOOK_EVERY = 60.0
AT_ONCE = 1000
"""Events removed in one transaction, so that others get their turn."""
log = structlog.get_logger("events")


@dataclass(frozen=True, slots=True)
class Retention:
    """The removal of old events.

    ``most`` is the number of events of one log, ``most_overall`` in the log of everything, ``most_changes`` in that of
    changes.
    """

    store: Store
    most: int
    most_overall: int
    most_changes: int

    async def turn(self) -> None:
        """Remove old events; what the store refuses is logged, and tried again the next time."""
        try:
            await self.age()
        except GatewayError as error:
            log.warning("old events could not be removed", reason=error.message)

    async def age(self) -> None:
        """Remove the events that are too old, or too many, by now."""
        await self.expire(clock.ageing())

    async def expire(self, now: datetime) -> None:
        """Remove the events that are too old at this time, or too many."""
        for word, age in KEPT.items():
            for path, position in await self._too_old(word, now - age):
                await self._forget(path, position)
        for path, position in await self._too_many():
            await self._forget(path, position)

    async def _too_old(self, persistence: str, before: datetime) -> list[tuple[str, int]]:
        """Return the logs with events from before, each with the position up to which they go."""
        logs = await positions_before(self.store, persistence, timestamp(before))
        return [(path, position + 1) for path, position in logs]

    async def _too_many(self) -> list[tuple[str, int]]:
        logs = await ends_of_logs(self.store)
        bounds = [(path, head + 1 - self._most(path), oldest) for path, head, oldest in logs]
        return [(path, first) for path, first, oldest in bounds if oldest < first]

    def _most(self, path: str) -> int:
        return {EVERYTHING: self.most_overall, CHANGES: self.most_changes}.get(path, self.most)

    async def _forget(self, path: str, position: int) -> None:
        gone = AT_ONCE
        while gone == AT_ONCE:
            async with self.store.transaction() as transaction:
                gone = await transaction.forget_events(path, position, AT_ONCE)

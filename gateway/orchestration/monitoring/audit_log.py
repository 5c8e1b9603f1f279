"""The audit log beside its writing: its oldest entries are removed, and the journal gets each one where it is to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from gateway import clock
from gateway.clock import timestamp
from gateway.errors import GatewayError
from gateway.store.audit import AuditEntry
from gateway.store.store import Store

LOOK_EVERY = 60.0
log = structlog.get_logger("audit")


def write_to_journal(entries: list[AuditEntry]) -> None:
    """Write a line for each of the entries that a commit has added."""
    for entry in entries:
        log.info("audit", **entry.document())


@dataclass(frozen=True, slots=True)
class AuditRetention:
    """The removal of entries that are older than ``kept``, or more than ``most`` of users and ``most_of_strangers``."""

    store: Store
    kept: timedelta
    most: int
    most_of_strangers: int

    async def turn(self) -> None:
        """Remove old entries; what the store refuses is logged, and tried again the next time."""
        try:
            await self.expire(clock.ageing())
        except GatewayError as error:
            log.warning("old entries of the audit log could not be removed", reason=error.message)

    async def expire(self, now: datetime) -> None:
        """Remove the entries that are too old at this time, or too many."""
        before = timestamp(now - self.kept)
        for stranger, most in ((False, self.most), (True, self.most_of_strangers)):
            while await self._removed_many(before, most, stranger=stranger):
                pass

    async def _removed_many(self, before: str, most: int, *, stranger: bool) -> bool:
        async with self.store.transaction() as transaction:
            return await transaction.forget_audit(stranger=stranger, before=before, most=most)

"""Answers to requests with an Idempotency-Key, kept so that a retry gets the same one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gateway import clock
from gateway.clock import timestamp
from gateway.store.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to an earlier request. ``same`` tells whether that request was the one that is asked about."""

    resource: str
    job: str
    existing: bool
    """Whether the resource was there before, so that the request has made nothing."""
    same: bool = True


async def remember(transaction: Transaction, space: str, key: str, fingerprint: str, answered: Answered) -> None:
    """Keep the answer to a request of this fingerprint, of which nothing can be learnt without the store's key."""
    transaction.put(
        "INSERT OR REPLACE INTO answered (owner, key, fingerprint, resource, job, existing, created) "
        "VALUES (?, ?, digested(?), ?, ?, ?, ?)",
        (space, key, fingerprint, answered.resource, answered.job, answered.existing, timestamp(clock.now())),
    )


async def recall(transaction: Transaction, space: str, key: str, fingerprint: str) -> Answered | None:
    """Return the answer that is kept for a key, which is unique within a space; None when there is none."""
    rows = await transaction.fetch(
        "SELECT resource, job, existing, matches(fingerprint, ?) FROM answered WHERE owner = ? AND key = ?",
        (fingerprint, space, key),
    )
    if not rows:
        return None
    resource, job, existing, same = rows[0]
    return Answered(resource, job, bool(existing), bool(same))


async def forget_answered(transaction: Transaction, before: datetime) -> None:
    """Remove the answers from before a time."""
    transaction.put("DELETE FROM answered WHERE created < ?", (timestamp(before),))

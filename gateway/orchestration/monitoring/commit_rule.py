"""Commit rule of Meters: they come and go with their resources, whichever service makes or removes these."""

from __future__ import annotations

from gateway.orchestration.monitoring.aspects import METERED
from gateway.orchestration.monitoring.facts import Monitored
from gateway.orchestration.monitoring.meters import new_meter
from gateway.store.model import Resource
from gateway.store.transaction import Transaction


async def keep_meters(transaction: Transaction) -> None:
    """Make the Meters of new resources, and delete those of deleted ones; the store calls this at a transaction's end.

    A new resource gets the Meters which its template asked for (``Monitored.meters``).
    """
    for path, after in list(transaction.changes.items()):
        before = transaction.before[path]
        if before is None and after is not None and Monitored.of(after).meters:
            await _make(transaction, after)
        elif before is not None and after is None and before.kind in METERED:
            for meter in await transaction.find("Meter", "targetResource", path):
                await transaction.delete(meter.path)


async def _make(transaction: Transaction, target: Resource) -> None:
    for document in Monitored.of(target).meters:
        await transaction.insert(new_meter(target, target.owner or "", document))
    await transaction.update(Monitored.changed(target, meters=()))

"""Jobs inside Jobs (DSP0263 5.20: parentJob, nestedJobs): each names only such as there are."""

from __future__ import annotations

from gateway.store.model import Resource
from gateway.store.transaction import Transaction


async def nest(transaction: Transaction, parent: str, job: str) -> None:
    """Write a new Job into the ``nestedJobs`` of the Job that it is a part of."""
    outer = await transaction.get(parent)
    if outer is not None:
        nested = [*outer.document.get("nestedJobs", []), {"href": job}]
        await transaction.update(outer.with_document(nestedJobs=nested))


async def unnest(transaction: Transaction) -> None:
    """Take deleted Jobs out of the Jobs that name them; the store calls it at the end of each transaction."""
    for path, after in list(transaction.changes.items()):
        before = transaction.before[path]
        if before is not None and before.kind == "Job" and after is None:
            await _part(transaction, before)


async def _part(transaction: Transaction, gone: Resource) -> None:
    parent = await transaction.get(gone.document.get("parentJob", {}).get("href", ""))
    if parent is not None:
        kept = [entry for entry in parent.document.get("nestedJobs", []) if entry["href"] != gone.path]
        await transaction.update(parent.with_document(nestedJobs=kept or None))
    for entry in gone.document.get("nestedJobs") or []:
        nested = await transaction.get(entry["href"])
        if nested is not None:
            await transaction.update(nested.with_document(parentJob=None))

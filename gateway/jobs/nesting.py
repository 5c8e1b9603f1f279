"""Jobs inside Jobs (DSP0263 5.20: parentJob, nestedJobs): each names only such as there are."""

from __future__ import annotations

from gateway.store.model import Resource
from gateway.store.transaction import Transaction


async def nest(transaction: Transaction, parent: str, job: str) -> None:
    """Name a new Job in the one that it is a part of."""
    found = await transaction.get(parent)
    if found is not None:
        nested = [*found.document.get("nestedJobs", []), {"href": job}]
        await transaction.update(found.with_document(nestedJobs=nested))


async def unnest(transaction: Transaction) -> None:
    """Called by the store at the end of each transaction: a Job that was deleted is named by no other."""
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

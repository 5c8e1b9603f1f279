"""Stopping the job that holds a resource, because something stronger was asked."""

from __future__ import annotations

from gateway.errors import Conflict, NotFound
from gateway.jobs.records import ended
from gateway.jobs.runner import JobRunner
from gateway.store.model import Resource

PATIENCE = 30.0


async def interrupt(runner: JobRunner, resource: Resource, reason: str) -> None:
    """Stop the job and wait until it has undone its work. Conflict when it does not end in time."""
    job = resource.internal.get("job")
    if job is None:
        return
    try:
        await runner.stop(job, reason)
    except (Conflict, NotFound):
        return
    if not ended(await runner.wait(job, PATIENCE)):
        raise Conflict(f"{job} is still being stopped; try again later")

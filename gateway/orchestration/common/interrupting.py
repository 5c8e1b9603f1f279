"""Stopping the job that holds a resource, because something stronger was asked."""

from __future__ import annotations

from gateway.errors import Conflict, NotFound
from gateway.jobs.records import ended
from gateway.jobs.runner import JobRunner
from gateway.store.model import Resource
from gateway.store.questions.jobs import removals_below
from gateway.store.reading import Reading

PATIENCE = 30.0


async def interrupt(runner: JobRunner, resource: Resource, reason: str) -> None:
    """Stop the job and wait until it has undone its work. Conflict when it does not end in time."""
    job = resource.held_by
    if job is None:
        return
    try:
        await runner.stop(job, reason)
    except (Conflict, NotFound):
        return
    if not ended(await runner.wait(job, PATIENCE)):
        raise Conflict(f"{job} is still being stopped; try again later")


async def interrupt_removals(store: Reading, runner: JobRunner, machine: Resource, reason: str) -> None:
    """Stop the jobs that take devices out of the Machine: its guest may never let go.

    Nobody waits for them here: what was asked of the Machine follows them by the lock on it.
    """
    for job in await removals_below(store, machine.path):
        try:
            await runner.stop(job, reason)
        except (Conflict, NotFound):
            # It has ended by itself.
            continue

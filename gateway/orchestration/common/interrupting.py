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
    """Stop the Job that holds a resource, and wait until the Job has undone its work.

    Raises Conflict when the Job does not end within PATIENCE seconds.
    """
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
    """Stop the Jobs that take devices out of the Machine, whose guest may never let go of them.

    Nobody waits for these Jobs here: the Job that follows on the Machine waits for the lock on it.
    """
    for job in await removals_below(store, machine.path):
        try:
            await runner.stop(job, reason)
        except (Conflict, NotFound):
            # It has ended by itself.
            continue

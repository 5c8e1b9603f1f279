"""The Jobs inside a System's Job: asking the families, following their Jobs, stopping them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from gateway.errors import Conflict, GatewayError, NotFound, PartFailed
from gateway.jobs.execution import Failure
from gateway.jobs.plan import StepContext
from gateway.jobs.records import ended
from gateway.orchestration.common.hosts import failure
from gateway.orchestration.common.resource_service import ResourceService
from gateway.orchestration.common.room import Room
from gateway.store.model import Resource

LOOK_EVERY = 0.5
"""Seconds between two looks at how far the nested Jobs are."""
ONE_WAIT = 60.0
Work = Coroutine[Any, Any, None]


def service_of(room: Room, kind: str) -> ResourceService:
    """Return the service of a kind, for a Job that asks for a part."""
    service = room.services[kind]
    assert isinstance(service, ResourceService)
    return service


async def end_of(room: Room, job: str) -> Resource | None:
    """Return the Job once it has ended; None for one that was removed since."""
    try:
        while not ended(current := await room.runner.wait(job, ONE_WAIT)):
            continue
    except NotFound:
        return None
    return current


async def demand_success(room: Room, job: str, label: str = "") -> None:
    """Wait for a nested Job. Raises PartFailed, with the label and its reason, when it did not succeed."""
    end = await end_of(room, job)
    if end is None or end.state == "SUCCESS":
        return
    error = part_failed(end)
    raise PartFailed(f"{label}: {error.message}", error.return_code) if label else error


def part_failed(job: Resource) -> PartFailed:
    """Return what a nested Job that did not succeed makes of the whole."""
    words = job.document.get("statusMessage") or f"its Job is {job.state}"
    return PartFailed(words, job.document.get("returnCode", GatewayError.return_code))


async def nested_jobs(room: Room, parent: str) -> list[Resource]:
    """Return the Jobs inside a Job, in the order in which they were asked for."""
    job = await room.store.get(parent)
    listed = job.document.get("nestedJobs", []) if job is not None else []
    jobs = [await room.store.get(entry["href"]) for entry in listed]
    return [nested for nested in jobs if nested is not None]


def shares_done(room: Room, jobs: dict[str, str]) -> float:
    """Return how much of the nested Jobs is done, in Jobs. ``jobs`` are paths, of those that have begun."""
    begun = [room.store.peek(job) for job in jobs.values()]
    return sum(float(job.document.get("progress", 0)) for job in begun if job is not None) / 100


async def stop_nested(room: Room, parent: str) -> None:
    """Stop the nested Jobs at work, and wait until they have undone what they did. Deletes go on to their end."""
    running = [job for job in await nested_jobs(room, parent) if not ended(job)]
    for job in running:
        if job.document["action"] == "delete":
            continue
        try:
            await room.runner.stop(job.path, "stopped with the Job of its System")
        except (Conflict, NotFound):
            continue  # It has ended by itself.
    await wait_for_nested(room, running)


async def wait_for_nested(room: Room, jobs: list[Resource]) -> None:
    """Wait until all these Jobs have ended."""
    await asyncio.gather(*(end_of(room, job.path) for job in jobs))


async def together(context: StepContext, works: list[Work], progress: Callable[[], None]) -> None:
    """Do all works at once. The first that fails, or the wish to stop this Job, ends the others and is raised."""
    tasks = {asyncio.ensure_future(work) for work in works}
    pending = tasks
    try:
        while pending:
            done, pending = await asyncio.wait(pending, timeout=LOOK_EVERY, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            progress()
            context.check()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Failures:
    """All that went wrong with some of the parts, while the others went on."""

    def __init__(self) -> None:
        self._failures: list[tuple[str, Failure]] = []

    def add(self, label: str, error: GatewayError) -> None:
        """Note what went wrong with the part that words for people call so."""
        self._failures.append((label, failure(error)))

    def demand_none(self, whole: int) -> None:
        """Raise PartFailed when there are any. ``whole`` is the number of all parts."""
        if not self._failures:
            return
        named = "; ".join(f"{label}: {reason.message}" for label, reason in self._failures[:5])
        more = "; ..." if len(self._failures) > 5 else ""
        code = self._failures[0][1].code
        raise PartFailed(f"{len(self._failures)} of {whole} components failed: {named}{more}", code)

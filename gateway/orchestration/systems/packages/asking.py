"""What the steps of package Jobs ask the families on behalf of who asked for the whole, and how it is taken back."""

from __future__ import annotations

from dataclasses import replace

from gateway.cimi.registry import type_at
from gateway.errors import GatewayError, NotFound, PartFailed
from gateway.jobs.plan import StepContext
from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.resource_service import Room
from gateway.orchestration.systems.nested import end_of, nested_jobs, part_failed, service_of, stop_nested
from gateway.store.model import Document

KEY = "\0package"
"""Begins the keys by which creates are remembered: no client can send such an Idempotency-Key."""


def asker(caller: Caller) -> Document:
    """Who asks, as a plan keeps it."""
    return {
        "user": caller.user,
        "role": caller.role.value,
        "request_id": caller.request_id,
        "address": caller.address,
    }


def once(caller: Caller, job: str, what: str) -> Caller:
    """The same caller, whose create of this is done once in this Job, however often it is asked for."""
    return replace(caller, idempotency_key=f"{KEY} {job} {what}")


async def succeeded(room: Room, job: str, label: str) -> None:
    """Wait for a nested Job. Raises PartFailed, with the label and its reason, when it did not succeed."""
    found = await end_of(room, job)
    if found is not None and found.state != "SUCCESS":
        error = part_failed(found)
        raise PartFailed(f"{label}: {error.message}", error.return_code)


async def take_back(room: Room, context: StepContext, caller: Caller, kinds: frozenset[str]) -> None:
    """Stop what still makes such resources for this Job, and delete those that were made, the last ones first.

    Raises the first failure, after all others were tried.
    """
    await stop_nested(room, context.job)
    failures: list[GatewayError] = []
    jobs = [job for job in await nested_jobs(room, context.job) if job.document.get("action") == "add"]
    for job in reversed(jobs):
        for entry in job.document.get("affectedResources", []):
            described = type_at(entry["href"])
            if described is not None and described.kind in kinds:
                try:
                    await _delete(room, replace(caller, parent_job=None), described.kind, entry["href"])
                except GatewayError as error:
                    failures.append(error)
    if failures:
        raise failures[0]


async def _delete(room: Room, caller: Caller, kind: str, path: str) -> None:
    try:
        outcome = await service_of(room, kind).delete(caller, path, None)
    except NotFound:
        return
    await succeeded(room, outcome.job, f"{kind} {path}")

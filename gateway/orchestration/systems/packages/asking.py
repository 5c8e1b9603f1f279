"""The requests of package Jobs to the families, on behalf of who asked for the whole, and how they are taken back."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gateway.cimi.registry import type_at
from gateway.errors import GatewayError, NotFound
from gateway.jobs.plan import StepContext
from gateway.orchestration.common.contract import Caller, Outcome
from gateway.orchestration.common.first_answers import made_before
from gateway.orchestration.common.room import Room
from gateway.orchestration.systems.nested import demand_success, nested_jobs, service_of, stop_nested
from gateway.store.answered import Answered, recall, remember
from gateway.store.transaction import Transaction

KEY = "\0package"
"""Begins the keys by which such creates are remembered: no client can send such an Idempotency-Key."""


@dataclass(frozen=True, slots=True)
class PartOnce:
    """The create of one part of what a Job on a package makes (``Caller.once``): ``what`` tells it from the others.

    The create is remembered beside the answers to clients, and goes with its Job as they do.
    """

    key_space: str
    job: str
    what: str

    @property
    def _key(self) -> str:
        return f"{KEY} {self.job} {self.what}"

    async def recall(self, transaction: Transaction) -> Outcome | None:
        """Return the part that was made before, with its Job; None when none was. Raises Conflict when it is gone."""
        # The key alone says which part it is: what the request looked like need not be compared.
        answered = await recall(transaction, self.key_space, self._key, self._key)
        return await made_before(transaction, answered) if answered is not None else None

    async def remember(self, transaction: Transaction, path: str, job: str) -> None:
        """Write that the part is made: this resource, by this Job."""
        await remember(transaction, self.key_space, self._key, self._key, Answered(path, job, existing=False))


def once(caller: Caller, job: str, what: str) -> Caller:
    """Return the caller whose create of this is done once in this Job, however often it is asked for."""
    return replace(caller, once=PartOnce(caller.key_space, job, what))


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
    await demand_success(room, outcome.job, f"{kind} {path}")

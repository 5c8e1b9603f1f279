"""Requests that are answered once: a retry with the same Idempotency-Key gets the first answer, a failure too.

``answer_once`` is the only way in which anything is made for a client: the key is looked at before anything is checked,
since what the request needs may be busy or gone by now, and once more in the transaction that writes, since of two
at once one comes first. It is also looked at when the checks refuse: the first of the two may be what they ran into.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gateway.errors import Conflict, GatewayError
from gateway.orchestration.common.contract import Caller, Outcome
from gateway.store.answered import Answered, recall, remember
from gateway.store.model import Document, Resource
from gateway.store.reading import Records
from gateway.store.transaction import Transaction

Write = Callable[[Transaction], Awaitable[Outcome]]
"""The second half of a request: it writes what has been checked, and its Job."""
Prepare = Callable[[], Awaitable[Write]]
"""The first half: it checks everything, raises what the request deserves, and changes nothing."""


@dataclass(frozen=True, slots=True)
class Request:
    """The values that have to be the same for a request to be a retry of another.

    ``target`` is the path that was posted to. The answer to an ``action`` is its Job, that to a create what it made.
    """

    kind: str
    target: str
    document: Document
    action: str | None = None

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the request's values in hexadecimal digits, by which the store knows a retry."""
        values: Document = {"kind": self.kind, "document": self.document}
        if "/" in self.target:
            values["target"] = self.target
        if self.action is not None:
            values["action"] = self.action
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


async def answer_once(store: Records, caller: Caller, request: Request, prepare: Prepare) -> Outcome:
    """Return the first answer to this request when there was one, else make it: prepare, write, and remember.

    Raises Conflict when the key stands for another request, or for something that is gone: nothing is made twice.
    """
    first = await _first_answer_so_far(store, caller, request)
    if first is not None:
        return first
    try:
        write = await prepare()
    except GatewayError:
        first = await _first_answer_so_far(store, caller, request)
        if first is None:
            raise
        return first
    async with store.transaction() as transaction:
        first = await first_answer(transaction, caller, request)
        if first is not None:
            return first
        outcome = await write(transaction)
        await _remember(transaction, caller, request, outcome)
    return outcome


async def first_answer(transaction: Transaction, caller: Caller, request: Request) -> Outcome | None:
    """Return the answer that this request was given before, None when there was none.

    Raises Conflict as ``answer_once`` does.
    """
    if caller.once is not None:
        return await caller.once.recall(transaction)
    if caller.idempotency_key is None:
        return None
    answered = await recall(transaction, caller.key_space, caller.idempotency_key, request.fingerprint)
    if answered is None:
        return None
    if not answered.same:
        raise Conflict("this Idempotency-Key was used for another request")
    if request.action is None:
        return await made_before(transaction, answered)
    job = await _job_of(transaction, answered)
    location = answered.resource if answered.resource.startswith(f"{job.path}/") else None
    return Outcome(None, job.path, finished=False, location=location)


async def _first_answer_so_far(store: Records, caller: Caller, request: Request) -> Outcome | None:
    if caller.once is None and caller.idempotency_key is None:
        return None
    async with store.transaction() as transaction:
        return await first_answer(transaction, caller, request)


async def made_before(transaction: Transaction, answered: Answered) -> Outcome:
    """Return the answer to a create that was answered before. Raises Conflict when what it made is gone."""
    job = await _job_of(transaction, answered)
    made = await transaction.get(answered.resource)
    if made is None and job.state == "SUCCESS":
        did = "found" if answered.existing else "made"
        raise Conflict(f"this Idempotency-Key {did} {answered.resource}, which was deleted since; use a new key")
    return Outcome(made, answered.job, finished=False, existing=answered.existing)


async def _job_of(transaction: Transaction, answered: Answered) -> Resource:
    job = await transaction.get(answered.job)
    if job is None:
        raise Conflict(f"this Idempotency-Key was used for {answered.resource}, too long ago to be answered again")
    return job


async def _remember(transaction: Transaction, caller: Caller, request: Request, outcome: Outcome) -> None:
    made = request.target if outcome.resource is None else outcome.resource.path
    path = outcome.location or made
    if caller.once is not None:
        await caller.once.remember(transaction, path, outcome.job)
    elif caller.idempotency_key is not None:
        answered = Answered(path, outcome.job, outcome.existing)
        await remember(transaction, caller.key_space, caller.idempotency_key, request.fingerprint, answered)

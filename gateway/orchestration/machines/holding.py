"""Taking a Machine for a job: while one holds it, only that job writes its state."""

from __future__ import annotations

from gateway.errors import Conflict, NotFound
from gateway.jobs.plan import Plan
from gateway.jobs.runner import JobRunner
from gateway.orchestration.machines.states import TRANSIENT
from gateway.store.model import Resource
from gateway.store.transaction import Transaction


async def hold(
    transaction: Transaction, runner: JobRunner, machine: Resource, verb: str, plan: Plan
) -> tuple[Resource, str]:
    """The Machine in the verb's transient state, and its Job. Of two requests at once, one gets a Conflict."""
    current = await transaction.get(machine.path)
    if current is None:
        raise NotFound(f"{machine.path} is gone")
    if current.internal.get("job") is not None or current.state != machine.state:
        raise Conflict(f"the Machine is {current.state}: another request came first")
    job = await runner.submit(transaction, plan)
    taken = current.with_document(state=TRANSIENT[verb]).with_internal(job=job, state_before=current.state)
    return await transaction.update(taken), job

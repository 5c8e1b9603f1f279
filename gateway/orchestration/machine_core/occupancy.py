"""The hold of a Job on a Machine: while one Job holds it, only that Job writes the Machine's state.

A running Machine, which no Job holds, has one of its disks copied at a time.
"""

from __future__ import annotations

from gateway.errors import Conflict, NotFound
from gateway.jobs.plan import Plan
from gateway.jobs.runner import JobRunner
from gateway.orchestration.machine_core.facts import KeptMachine
from gateway.orchestration.machine_core.states import TRANSIENT
from gateway.store.model import Resource
from gateway.store.questions.resources import image_of_running_copy
from gateway.store.reading import Reading
from gateway.store.transaction import Transaction


async def hold(
    transaction: Transaction, runner: JobRunner, machine: Resource, verb: str, plan: Plan
) -> tuple[Resource, str]:
    """Submit the plan, and give the Machine to its Job; return the Machine in the verb's transient state, and the Job.

    Raises Conflict for the second of two requests at once.
    """
    current = await _free(transaction, machine)
    job = await runner.submit(transaction, plan)
    return await _taken(transaction, current, verb, job), job


async def take(transaction: Transaction, machine: Resource, verb: str, job: str) -> Resource:
    """Give the Machine to a Job that this transaction has submitted already, and that holds more than one resource.

    Return the Machine in the verb's transient state. Raises Conflict as ``hold`` does.
    """
    return await _taken(transaction, await _free(transaction, machine), verb, job)


async def _free(transaction: Transaction, machine: Resource) -> Resource:
    current = await transaction.get(machine.path)
    if current is None:
        raise NotFound(f"{machine.path} is gone")
    if current.held_by is not None or current.state != machine.state:
        raise Conflict(f"the Machine is {current.state}: another request came first")
    return current


async def _taken(transaction: Transaction, current: Resource, verb: str, job: str) -> Resource:
    taken = current.with_document(state=TRANSIENT[verb]).held(job)
    return await transaction.update(KeptMachine.changed(taken, state_before=current.state))


async def refuse_while_copied(store: Reading, machine: str) -> None:
    """Raise Conflict when an image is being made of a disk of a Machine (path) while it runs."""
    image = await image_of_running_copy(store, machine)
    if image is not None:
        raise Conflict(f"a disk of {machine} is being copied into {image}; wait for it, or delete that image")

"""The last step of every Machine job: leave the Machine as the hypervisor says it is."""

from __future__ import annotations

from typing import Any

from drivers.base import Driver, DriverError, DriverNotFound
from gateway.jobs.plan import StepContext
from gateway.orchestration.attachments.connections import release_all
from gateway.orchestration.common.secrets import without_seed_secrets
from gateway.orchestration.common.steps import DriverStep
from gateway.orchestration.interfaces.entries import free_ports
from gateway.orchestration.machine_core.chain import members
from gateway.orchestration.machine_core.plans import uuid_of
from gateway.orchestration.machine_core.states import REACHED
from gateway.orchestration.machine_core.truth import true_state
from gateway.orchestration.networks.assignment import forget_addresses
from gateway.store.model import Resource
from gateway.store.transaction import Transaction


class SettleMachine(DriverStep):
    """A failed create and a done delete remove the record; everything else ends in the true state.

    A create that could not be undone leaves the record, so that what is left can be seen, and deleted.
    """

    name = "settle machine"

    async def do(self, context: StepContext, machine: Resource, driver: Driver, arguments: dict[str, Any]) -> None:
        succeeded = arguments["succeeded"]
        gone = arguments["action"] == ("delete" if succeeded else "add") and not arguments.get("left")
        reached = REACHED.get(arguments["action"]) if succeeded else None
        state = "ERROR" if gone else await true_state(self.room, machine, driver, reached)
        never_made = state == "ERROR" and arguments["action"] == "add" and await _absent(machine, driver)
        async with self.room.store.transaction() as transaction:
            current = await transaction.get(machine.path)
            if current is None:
                return
            if gone:
                await _remove(transaction, current)
                return
            absent = never_made or (state == "ERROR" and current.internal.get("gone"))
            settled = current.with_document(state=state).released().with_internal(gone=absent or None)
            await transaction.update(without_seed_secrets(settled) if arguments["action"] == "add" else settled)


async def _remove(transaction: Transaction, machine: Resource) -> None:
    """The record, with all that goes with it."""
    await release_all(transaction, machine)
    for image in await members(transaction, machine.path):
        await transaction.delete(image.path)
    for interface in await transaction.children(machine.path, "MachineNetworkInterface"):
        await forget_addresses(transaction, interface)
        await free_ports(transaction, interface.path)
    await transaction.delete(machine.path)


async def _absent(machine: Resource, driver: Driver) -> bool:
    """Whether there is no domain: of a create that failed it is nowhere else either."""
    try:
        await driver.domain(uuid_of(machine))
    except DriverNotFound:
        return True
    except DriverError:
        return False
    return False

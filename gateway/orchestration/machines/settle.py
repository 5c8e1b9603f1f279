"""The last step of every Machine job: leave the Machine as the hypervisor says it is."""

from __future__ import annotations

from dataclasses import dataclass

from drivers.base import Driver, DriverError, DriverNotFound
from gateway.jobs.plan import Ended
from gateway.orchestration.attachments.connections import release_all
from gateway.orchestration.common.step import At, ResourceStep
from gateway.orchestration.interfaces.entries import free_ports
from gateway.orchestration.machine_core.chain import members
from gateway.orchestration.machine_core.facts import KeptMachine
from gateway.orchestration.machine_core.names import machine_uuid
from gateway.orchestration.machine_core.states import REACHED
from gateway.orchestration.machine_core.truth import true_state
from gateway.orchestration.machines.template_secrets import without_seed_secrets
from gateway.orchestration.networks.assignment import forget_addresses
from gateway.store.model import Resource
from gateway.store.transaction import Transaction


@dataclass(frozen=True)
class SettleMachine(ResourceStep):
    """The step that leaves the Machine's record in the domain's true state.

    The record goes after a failed create and a done delete. After a create that could not be undone the record stays,
    so that what is left can be seen, and deleted.
    """

    name = "settle machine"
    action: str

    async def settle(self, at: At, ended: Ended) -> None:
        """Write the domain's true state into the Machine's record and free it, or delete the record."""
        machine, made = at.resource, self.action == "add"
        gone = self.action == ("delete" if ended.succeeded else "add") and not ended.left
        reached = REACHED.get(self.action) if ended.succeeded else None
        state = "ERROR" if gone else await true_state(at.room, machine, at.driver, reached)
        never_made = state == "ERROR" and made and await _absent(machine, at.driver)
        async with at.room.store.transaction() as transaction:
            current = await transaction.get(machine.path)
            if current is None:
                return
            if gone:
                await _remove(transaction, current)
                return
            absent = never_made or (state == "ERROR" and KeptMachine.of(current).gone)
            settled = KeptMachine.changed(current.with_document(state=state).released(), gone=absent)
            await transaction.update(without_seed_secrets(settled) if made else settled)


async def _remove(transaction: Transaction, machine: Resource) -> None:
    """Delete the record, with all that goes with it."""
    await release_all(transaction, machine)
    for image in await members(transaction, machine.path):
        await transaction.delete(image.path)
    for interface in await transaction.children(machine.path, "MachineNetworkInterface"):
        await forget_addresses(transaction, interface)
        await free_ports(transaction, interface.path)
    await transaction.delete(machine.path)


async def _absent(machine: Resource, driver: Driver) -> bool:
    """Return whether there is no domain; after a create that failed it is nowhere else either."""
    try:
        await driver.domains.read(machine_uuid(machine))
    except DriverNotFound:
        return True
    except DriverError:
        return False
    return False

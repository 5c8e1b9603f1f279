"""The steps that make and remove a Machine's domain, and that settle a Machine. Each may be run again after a crash."""

from __future__ import annotations

from dataclasses import dataclass

from drivers.base import DiskSpec, DomainSpec, Driver, DriverError, DriverNotFound
from gateway.jobs.plan import Ended
from gateway.orchestration.attachments.connections import release_all
from gateway.orchestration.common.room import Room
from gateway.orchestration.common.step import At, ResourceStep
from gateway.orchestration.interfaces.entries import free_ports, give_back_addresses, interface_spec
from gateway.orchestration.machine_core.chain import members
from gateway.orchestration.machine_core.facts import KeptMachine
from gateway.orchestration.machine_core.names import machine_uuid, seed_volume, volume_of
from gateway.orchestration.machine_core.removal import remove_domains
from gateway.orchestration.machine_core.states import REACHED
from gateway.orchestration.machine_core.whereabouts import true_state
from gateway.orchestration.machines.templates import without_seed_secrets
from gateway.orchestration.networks.assignment import forget_addresses
from gateway.store.model import Resource
from gateway.store.transaction import Transaction


@dataclass(frozen=True)
class DefineDomain(ResourceStep):
    """The step that defines a new Machine's domain."""

    name = "define domain"

    async def run(self, at: At) -> None:
        """Define the domain."""
        await at.driver.domains.define(await domain_spec(at.room, at.driver, at.resource))

    async def undo(self, at: At) -> None:
        """Remove the domain, and give back the addresses of its own."""
        await at.driver.domains.undefine(machine_uuid(at.resource))
        await give_back_addresses(at.room, at.driver, at.resource, KeptMachine.of(at.resource).interfaces)


async def domain_spec(room: Room, driver: Driver, machine: Resource) -> DomainSpec:
    """Return the Machine's domain as libvirt is to make it."""
    kept, document = KeptMachine.of(machine), machine.document
    disks = [
        DiskSpec(kept.pool, volume_of(machine, disk), disk.format, disk.target, boot_order=1 if place == 0 else None)
        for place, disk in enumerate(kept.disks)
    ]
    disks = [kept.limits.of_disk(disk) for disk in disks]
    seed = DiskSpec(kept.pool, seed_volume(machine), "raw", "sda", read_only=True, cdrom=True)
    return DomainSpec(
        uuid=machine_uuid(machine),
        machine=machine.path,
        owner=machine.project or "",
        title=machine.name or "",
        description=document.get("description", ""),
        cpus=document["cpu"],
        memory_kib=document["memory"],
        arch=kept.arch,
        disks=(*disks, seed),
        interfaces=tuple([await interface_spec(room, driver, machine, entry) for entry in kept.interfaces]),
        uefi=kept.uefi,
        cpu_shares=kept.limits.cpu_shares,
    )


@dataclass(frozen=True)
class BringToInitialState(ResourceStep):
    """The step that starts a new Machine for the first time, as far as its template asks for that."""

    name = "initial state"

    async def run(self, at: At) -> None:
        """Bring the domain to STARTED, PAUSED or SUSPENDED; leave it off for STOPPED."""
        state, uuid = KeptMachine.of(at.resource).initial_state, machine_uuid(at.resource)
        if state == "STOPPED":
            return
        await at.driver.domains.start(uuid, paused=state == "PAUSED")
        if state == "SUSPENDED":
            await at.driver.domains.save(uuid, at.job.progress)


@dataclass(frozen=True)
class UndefineDomain(ResourceStep):
    """The step that removes a Machine's domain, wherever it is."""

    name = "undefine domain"
    leaves = "the guest"

    async def run(self, at: At) -> None:
        """Remove the domain from every host that has it, and give back the addresses of its own."""
        await remove_domains(at.room, at.resource)
        await give_back_addresses(at.room, at.driver, at.resource, KeptMachine.of(at.resource).interfaces)


@dataclass(frozen=True)
class DefineAgain(ResourceStep):
    """The step that defines a domain that runs without a definition."""

    name = "define domain again"

    async def run(self, at: At) -> None:
        """Define the domain again; a domain that has stopped meanwhile is reported in the Job's log."""
        try:
            await at.driver.domains.make_persistent(machine_uuid(at.resource))
        except DriverNotFound:
            await at.job.log("the domain stopped before it could be defined again", "warning")


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


MACHINE_STEPS: tuple[type[ResourceStep], ...] = (
    DefineDomain,
    BringToInitialState,
    UndefineDomain,
    DefineAgain,
    SettleMachine,
)

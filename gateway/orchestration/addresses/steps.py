"""The steps that tell DHCP and DNS about Addresses. Each may be run again after a crash.

They work on a Network, which has a host, and name the Address in their arguments, since that may be gone already.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from drivers.base import DriverNotFound
from gateway.errors import Conflict
from gateway.jobs.plan import Ended
from gateway.orchestration.addresses.renaming import change_hostname
from gateway.orchestration.common.step import At, ResourceStep
from gateway.orchestration.interfaces.address_steps import IN_THE_GUEST
from gateway.orchestration.interfaces.entries import entry_of, interface_spec, open_spec
from gateway.orchestration.machine_core.names import machine_uuid
from gateway.orchestration.networks.assignment import bring_address, machine_of, return_address, unlink
from gateway.orchestration.networks.facts import KeptAddress
from gateway.orchestration.networks.reach import bring_filter
from gateway.store.model import Resource
from gateway.store.transaction import Transaction

BY_DHCP = "the guest takes the address with its next DHCP request"


async def hold_interface(at: At, interface: str) -> None:
    """Hold the interface to its reserved addresses from its guest's next boot; one that has none is free again.

    Until then a guest that runs may go on with what it has: it asks for another address in its own time.
    """
    machine = await at.room.store.get(machine_of(interface))
    if machine is None:
        return
    try:
        entry = entry_of(machine, interface)
        spec = await interface_spec(at.room, at.driver, machine, entry)
        now = open_spec(entry, at.room.hypervisors[at.driver.name])
        await at.driver.devices.update_interface(machine_uuid(machine), spec, now)
    except (Conflict, DriverNotFound):
        # The interface or its domain is gone: nothing is left to be held.
        return


@dataclass(frozen=True)
class AddressStep(ResourceStep):
    """A step on an Address of the Network that is its resource."""

    address: str
    """Path of the Address."""
    ip: str
    """IP of the Address when the step was planned: the one to forget when the Address is gone."""

    async def bring(self, at: At) -> None:
        """Make DHCP and DNS say of the Address what the store says."""
        await bring_address(at.room, at.driver, self.resource, self.address, self.ip)


@dataclass(frozen=True)
class NamedAddressStep(AddressStep, ABC):
    """The step that tells DNS of a change that the store has already; a failure takes the change back there first."""

    async def run(self, at: At) -> None:
        """Bring the Address to DHCP and DNS."""
        await self.bring(at)

    async def undo(self, at: At) -> None:
        """Take the change back in the store, and then in DHCP and DNS."""
        async with at.room.store.transaction() as transaction:
            address = await transaction.get(self.address)
            if address is not None:
                await self.take_back(transaction, address)
        await self.bring(at)

    @abstractmethod
    async def take_back(self, transaction: Transaction, address: Resource) -> None:
        """Write the Address as it was before the Job."""


@dataclass(frozen=True)
class ReserveAddress(NamedAddressStep):
    """The step that tells DNS or DHCP of a new Address that has a name, or is in the host's own network."""

    name = "reserve address"

    async def take_back(self, transaction: Transaction, address: Resource) -> None:
        """Mark the Address as leaving: nothing was there before."""
        await transaction.update(KeptAddress.changed(address, leaving=True))


@dataclass(frozen=True)
class RenameAddress(NamedAddressStep):
    """The step that gives an Address another name, or none."""

    name = "rename address"
    before: str | None
    """Name to go back to; None where there was none."""

    async def take_back(self, transaction: Transaction, address: Resource) -> None:
        """Write the former name."""
        await change_hostname(transaction, address, self.before)
        await transaction.update(address.with_document(hostname=self.before))


@dataclass(frozen=True)
class ReleaseAddress(AddressStep):
    """The step that takes an Address from its interface, and out of DHCP and DNS."""

    name = "release address"
    leaves = ""

    async def run(self, at: At) -> None:
        """Take the Address from DHCP and DNS, and hold its interface to what is left."""
        await self.bring(at)
        address = await at.room.store.get(self.address)
        if address is not None and "resource" in address.document:
            await hold_interface(at, address.document["resource"]["href"])


@dataclass(frozen=True)
class InterfaceAddressStep(AddressStep):
    """A step on an Address of an interface."""

    interface: str
    """Path of the interface."""

    async def unlink(self, at: At) -> None:
        """Take the Address from its interface, in the store and then on the host."""
        async with at.room.store.transaction() as transaction:
            await unlink(transaction, self.address, self.interface)
        await return_address(at.room, at.driver, self.resource, self.address, self.ip)
        await hold_interface(at, self.interface)


@dataclass(frozen=True)
class AssignAddress(InterfaceAddressStep):
    """The step that lets DHCP give an interface the Address that the store has linked to it."""

    name = "assign address"

    async def run(self, at: At) -> None:
        """Bring the Address to DHCP, the filter and the interface, and say how the guest gets it."""
        await self.bring(at)
        await bring_filter(at.room, at.driver, self.resource)
        await hold_interface(at, self.interface)
        at.job.say(IN_THE_GUEST if ":" in self.ip else BY_DHCP)

    async def undo(self, at: At) -> None:
        """Take the Address from its interface."""
        await self.unlink(at)


@dataclass(frozen=True)
class WithdrawAddress(InterfaceAddressStep):
    """The step that takes an Address from its interface."""

    name = "withdraw address"

    async def run(self, at: At) -> None:
        """Take the Address from its interface."""
        await self.unlink(at)


@dataclass(frozen=True)
class SettleAddress(AddressStep):
    """The step that removes an Address's record after an undone create and a done delete."""

    name = "settle address"
    action: str

    async def settle(self, at: At, ended: Ended) -> None:
        """Remove the record of an Address that is gone, or let it be used again."""
        async with at.room.store.transaction() as transaction:
            address = await transaction.get(self.address)
            if address is None:
                return
            if self.action == ("delete" if ended.succeeded else "add") and not ended.left:
                user = address.document.get("resource")
                if user is not None:
                    await unlink(transaction, address.path, user["href"])
                await transaction.delete(address.path)
            elif KeptAddress.of(address).leaving:
                await transaction.update(KeptAddress.changed(address, leaving=False))


ADDRESS_STEPS: tuple[type[ResourceStep], ...] = (
    ReserveAddress,
    ReleaseAddress,
    RenameAddress,
    AssignAddress,
    WithdrawAddress,
    SettleAddress,
)

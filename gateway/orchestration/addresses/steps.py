"""The steps that tell DHCP and DNS about Addresses. Each may be run again after a crash.

They work on a Network, which has a host, and name the Address in their arguments, since that may be gone already.
"""

from __future__ import annotations

from typing import Any

from drivers.base import Driver, DriverNotFound
from gateway.errors import Conflict
from gateway.jobs.plan import StepContext
from gateway.orchestration.common.steps import DriverStep
from gateway.orchestration.interfaces.entries import entry_of
from gateway.orchestration.interfaces.spec import interface_spec, open_spec
from gateway.orchestration.machine_core.plans import uuid_of
from gateway.orchestration.networks import assignment
from gateway.orchestration.networks.address_create import change_hostname
from gateway.orchestration.networks.reach import bring_filter
from gateway.store.model import Resource
from gateway.store.transaction import Transaction

Arguments = dict[str, Any]
BY_DHCP = "the guest takes the address with its next DHCP request"
IN_THE_GUEST = "the address has to be set in the guest: by itself it takes one only when its Machine is made with it"


class AddressStep(DriverStep):
    async def bring(self, driver: Driver, arguments: Arguments) -> None:
        await assignment.bring_address(self.room, driver, arguments["resource"], arguments["address"], arguments["ip"])

    async def hold(self, driver: Driver, interface: str) -> None:
        """Hold the interface to its reserved addresses from its guest's next boot; one that has none is free again.

        Until then a guest that runs may go on with what it has: it asks for another address in its own time.
        """
        machine = await self.room.store.get(assignment.machine_of(interface))
        if machine is None:
            return
        try:
            entry = entry_of(machine, interface)
            spec = await interface_spec(self.room, driver, machine, entry)
            now = open_spec(entry, self.room.hypervisors[driver.name])
            await driver.update_interface(uuid_of(machine), spec, now)
        except (Conflict, DriverNotFound):
            # The interface or its domain is gone: nothing is left to be held.
            return

    async def unlink(self, driver: Driver, arguments: Arguments) -> None:
        """Take the Address from its interface, in the store and then on the host."""
        async with self.room.store.transaction() as transaction:
            await assignment.unlink(transaction, arguments["address"], arguments["interface"])
        place = (arguments["resource"], arguments["address"], arguments["ip"])
        await assignment.return_address(self.room, driver, *place)
        await self.hold(driver, arguments["interface"])


class NamedAddress(AddressStep):
    """A change of what DNS says of an Address: the store has it already, and a failure takes it back there first."""

    async def do(self, context: StepContext, network: Resource, driver: Driver, arguments: Arguments) -> None:
        await self.bring(driver, arguments)

    async def revert(self, context: StepContext, network: Resource, driver: Driver, arguments: Arguments) -> None:
        async with self.room.store.transaction() as transaction:
            address = await transaction.get(arguments["address"])
            if address is not None:
                await self.take_back(transaction, address, arguments)
        await self.bring(driver, arguments)

    async def take_back(self, transaction: Transaction, address: Resource, arguments: Arguments) -> None:
        """Write the Address as it was before the Job."""
        raise NotImplementedError


class ReserveAddress(NamedAddress):
    """A new Address with a name: DNS comes to know it."""

    name = "reserve address"

    async def take_back(self, transaction: Transaction, address: Resource, arguments: Arguments) -> None:
        await transaction.update(address.with_internal(going=True))


class RenameAddress(NamedAddress):
    """Another name, or none; ``before`` is the one to go back to."""

    name = "rename address"

    async def take_back(self, transaction: Transaction, address: Resource, arguments: Arguments) -> None:
        await change_hostname(transaction, address, arguments["before"])
        await transaction.update(address.with_document(hostname=arguments["before"]))


class ReleaseAddress(AddressStep):
    name = "release address"
    leaves = ""

    async def do(self, context: StepContext, network: Resource, driver: Driver, arguments: Arguments) -> None:
        await self.bring(driver, arguments)
        address = await self.room.store.get(arguments["address"])
        if address is not None and "resource" in address.document:
            await self.hold(driver, address.document["resource"]["href"])


class AssignAddress(AddressStep):
    """The store has linked it to an interface; DHCP comes to give it to that interface."""

    name = "assign address"

    async def do(self, context: StepContext, network: Resource, driver: Driver, arguments: Arguments) -> None:
        await self.bring(driver, arguments)
        await bring_filter(self.room, driver, network.path)
        await self.hold(driver, arguments["interface"])
        context.say(IN_THE_GUEST if ":" in arguments["ip"] else BY_DHCP)

    async def revert(self, context: StepContext, network: Resource, driver: Driver, arguments: Arguments) -> None:
        await self.unlink(driver, arguments)


class WithdrawAddress(AddressStep):
    name = "withdraw address"

    async def do(self, context: StepContext, network: Resource, driver: Driver, arguments: Arguments) -> None:
        await self.unlink(driver, arguments)


class SettleAddress(DriverStep):
    """A failed create and a done delete remove the record."""

    name = "settle address"

    async def do(self, context: StepContext, network: Resource, driver: Driver, arguments: Arguments) -> None:
        async with self.room.store.transaction() as transaction:
            address = await transaction.get(arguments["address"])
            if address is None:
                return
            if arguments["action"] == ("delete" if arguments["succeeded"] else "add"):
                user = address.document.get("resource")
                if user is not None:
                    await assignment.unlink(transaction, address.path, user["href"])
                await transaction.delete(address.path)
            elif address.internal.get("going"):
                await transaction.update(address.with_internal(going=None))


class MachineAddresses(DriverStep):
    """On the reserved Addresses of a Machine, or of the one interface that the arguments name."""

    async def reserved(self, machine: Resource, arguments: Arguments) -> list[Resource]:
        found = await assignment.used_addresses(self.room.store, machine.path)
        only = arguments.get("interface")
        return [
            address
            for address in found
            if assignment.is_reserved(address) and only in (None, address.document["resource"]["href"])
        ]

    async def withdraw(self, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        await assignment.withdraw(self.room, driver, await self.reserved(machine, arguments))


class AssignAddresses(MachineAddresses):
    """Before its guest asks for them, and before its interfaces refer to filters that ask for them."""

    name = "assign addresses"

    async def do(self, context: StepContext, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        found = await self.reserved(machine, arguments)
        for address in found:
            await assignment.bring_address(self.room, driver, *assignment.coordinates(address))
            await context.log(f"{address.document['ip']} is for {address.internal.get('mac')}")
        for network in sorted({address.document["network"]["href"] for address in found}):
            await bring_filter(self.room, driver, network)
        plugged = arguments.get("interface") is not None
        if plugged and any(":" in address.document["ip"] for address in found):
            context.say(IN_THE_GUEST)

    async def revert(self, context: StepContext, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        await self.withdraw(machine, driver, arguments)


class WithdrawAddresses(MachineAddresses):
    name = "withdraw addresses"
    leaves = ""

    async def do(self, context: StepContext, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        await self.withdraw(machine, driver, arguments)


ADDRESS_STEPS: tuple[type[DriverStep], ...] = (
    ReserveAddress,
    ReleaseAddress,
    RenameAddress,
    AssignAddress,
    WithdrawAddress,
    SettleAddress,
    AssignAddresses,
    WithdrawAddresses,
)

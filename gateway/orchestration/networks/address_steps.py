"""The steps that tell DHCP and DNS about Addresses. Each may be run again after a crash.

They work on a Network, which has a host, and name the Address in their arguments, since that may be gone already.
"""

from __future__ import annotations

from typing import Any

from drivers.base import Driver
from gateway.jobs.plan import StepContext
from gateway.orchestration.networks import assignment
from gateway.orchestration.networks.address_create import change_hostname
from gateway.orchestration.steps import DriverStep
from gateway.store.model import Resource

Arguments = dict[str, Any]


class AddressStep(DriverStep):
    async def bring(self, driver: Driver, arguments: Arguments) -> None:
        await assignment.bring_address(
            self.room, driver, arguments["resource"], arguments["address"], arguments["ip"]
        )


class ReserveAddress(AddressStep):
    """A new Address with a name: DNS comes to know it."""

    name = "reserve address"

    async def do(self, context: StepContext, network: Resource, driver: Driver, arguments: Arguments) -> None:
        await self.bring(driver, arguments)

    async def revert(self, context: StepContext, network: Resource, driver: Driver, arguments: Arguments) -> None:
        async with self.room.store.transaction() as transaction:
            address = await transaction.get(arguments["address"])
            if address is not None:
                await transaction.update(address.with_internal(going=True))
        await self.bring(driver, arguments)


class ReleaseAddress(AddressStep):
    name = "release address"

    async def do(self, context: StepContext, network: Resource, driver: Driver, arguments: Arguments) -> None:
        await self.bring(driver, arguments)


class RenameAddress(AddressStep):
    """Another name, or none; ``before`` is the one to go back to."""

    name = "rename address"

    async def do(self, context: StepContext, network: Resource, driver: Driver, arguments: Arguments) -> None:
        await self.bring(driver, arguments)

    async def revert(self, context: StepContext, network: Resource, driver: Driver, arguments: Arguments) -> None:
        async with self.room.store.transaction() as transaction:
            address = await transaction.get(arguments["address"])
            if address is not None:
                await change_hostname(transaction, address, arguments["before"])
                await transaction.update(address.with_document(hostname=arguments["before"]))
        await self.bring(driver, arguments)


class AssignAddress(AddressStep):
    """The store has linked it to an interface; DHCP comes to give it to that interface."""

    name = "assign address"

    async def do(self, context: StepContext, network: Resource, driver: Driver, arguments: Arguments) -> None:
        await self.bring(driver, arguments)
        context.say("the guest takes the address with its next DHCP request")

    async def revert(self, context: StepContext, network: Resource, driver: Driver, arguments: Arguments) -> None:
        async with self.room.store.transaction() as transaction:
            await assignment.unlink(transaction, arguments["address"], arguments["interface"])
        await self.bring(driver, arguments)


class WithdrawAddress(AddressStep):
    name = "withdraw address"

    async def do(self, context: StepContext, network: Resource, driver: Driver, arguments: Arguments) -> None:
        async with self.room.store.transaction() as transaction:
            await assignment.unlink(transaction, arguments["address"], arguments["interface"])
        await self.bring(driver, arguments)


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
    """Before its guest asks for them."""

    name = "assign addresses"

    async def do(self, context: StepContext, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        for address in await self.reserved(machine, arguments):
            await assignment.bring_address(self.room, driver, *assignment.coordinates(address))
            await context.log(f"{address.document['ip']} is for {address.internal.get('mac')}")

    async def revert(self, context: StepContext, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        await self.withdraw(machine, driver, arguments)


class WithdrawAddresses(MachineAddresses):
    name = "withdraw addresses"

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

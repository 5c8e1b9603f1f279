"""The steps that tell DHCP and DNS about the Addresses of a Machine. Each may be run again after a crash."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.orchestration.common.step import At, ResourceStep
from gateway.orchestration.networks.assignment import (
    bring_address,
    coordinates,
    is_reserved,
    used_addresses,
    withdraw,
)
from gateway.orchestration.networks.facts import KeptAddress
from gateway.orchestration.networks.reach import bring_filter
from gateway.store.model import Resource

IN_THE_GUEST = "the address has to be set in the guest: by itself it takes one only when its Machine is made with it"


@dataclass(frozen=True)
class MachineAddressStep(ResourceStep):
    """A step on the reserved Addresses of a Machine, or of one of its interfaces alone."""

    interface: str | None = None
    """Path of the interface; None for all of the Machine."""

    async def reserved(self, at: At) -> list[Resource]:
        """Return the reserved Addresses that the step is about."""
        return [
            address
            for address in await used_addresses(at.room.store, at.resource.path)
            if is_reserved(address) and self.interface in (None, address.document["resource"]["href"])
        ]


@dataclass(frozen=True)
class AssignAddresses(MachineAddressStep):
    """The step that tells DHCP and DNS of Addresses before the guest asks, and makes the filters that need them."""

    name = "assign addresses"

    async def run(self, at: At) -> None:
        """Reserve each Address for its interface on the host, then bring the filters of their networks."""
        addresses = await self.reserved(at)
        for address in addresses:
            await bring_address(at.room, at.driver, *coordinates(address))
            await at.job.log(f"{address.document['ip']} is for {KeptAddress.of(address).mac}")
        for network in sorted({address.document["network"]["href"] for address in addresses}):
            await bring_filter(at.room, at.driver, network)
        plugged = self.interface is not None
        if plugged and any(":" in address.document["ip"] for address in addresses):
            at.job.say(IN_THE_GUEST)

    async def undo(self, at: At) -> None:
        """Take the Addresses from the interfaces; those that were made for the Machine alone are deleted."""
        await withdraw(at.room, at.driver, await self.reserved(at))


@dataclass(frozen=True)
class WithdrawAddresses(MachineAddressStep):
    """The step that takes the Addresses from the Machine's interfaces."""

    name = "withdraw addresses"
    leaves = ""

    async def run(self, at: At) -> None:
        """Take the Addresses from the interfaces; those that were made for the Machine alone are deleted."""
        await withdraw(at.room, at.driver, await self.reserved(at))


ADDRESS_STEPS: tuple[type[ResourceStep], ...] = (AssignAddresses, WithdrawAddresses)

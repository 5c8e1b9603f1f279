"""The steps that let Networks reach one another, and keep them apart again. Each may be run again after a crash."""

from __future__ import annotations

from typing import Any

from drivers.base import Driver
from gateway.jobs.plan import StepContext
from gateway.orchestration.common.steps import DriverStep
from gateway.orchestration.networks import membership
from gateway.orchestration.networks.reach import bring_filter, members
from gateway.store.model import Resource

Arguments = dict[str, Any]


class FilterStep(DriverStep):
    async def filter(self, driver: Driver, *networks: Resource) -> None:
        """Bring the filters of these Networks to what they now reach; guests that run follow at once."""
        for network in networks:
            await bring_filter(self.room, driver, network.path)

    async def take_out(self, driver: Driver, network: str, group: str) -> None:
        """Out of the group in the store first: so the filters are right whenever they are made."""
        async with self.room.store.transaction() as transaction:
            await membership.leave(transaction, network, group)
        outside = await self.room.store.get(network)
        outsiders = [outside] if outside is not None else []
        await self.filter(driver, *outsiders, *await members(self.room.store, group))


class JoinGroup(FilterStep):
    """The Network is in the group already, as the store tells; now its members' guests come to know."""

    name = "join group"

    async def do(self, context: StepContext, network: Resource, driver: Driver, arguments: Arguments) -> None:
        await self.filter(driver, network, *await members(self.room.store, arguments["group"]))

    async def revert(self, context: StepContext, network: Resource, driver: Driver, arguments: Arguments) -> None:
        await self.take_out(driver, network.path, arguments["group"])


class LeaveGroup(FilterStep):
    """Out of the group that is named, or of the one in which the Network is."""

    name = "leave group"
    leaves = ""

    async def do(self, context: StepContext, network: Resource, driver: Driver, arguments: Arguments) -> None:
        group = arguments.get("group") or (network.document.get("forwardingGroup") or {}).get("href")
        if group is not None:
            await self.take_out(driver, network.path, group)


class FormGroup(FilterStep):
    """A new group with its first members."""

    name = "form group"

    async def do(self, context: StepContext, group: Resource, driver: Driver, arguments: Arguments) -> None:
        await self.filter(driver, *await members(self.room.store, group.path))

    async def revert(self, context: StepContext, group: Resource, driver: Driver, arguments: Arguments) -> None:
        for network in arguments["networks"]:
            await self.take_out(driver, network, group.path)


class DissolveGroup(FilterStep):
    name = "dissolve group"
    leaves = ""

    async def do(self, context: StepContext, group: Resource, driver: Driver, arguments: Arguments) -> None:
        for network in arguments["networks"]:
            await self.take_out(driver, network, group.path)


class SettleGroup(DriverStep):
    """A failed create and a done delete remove the record."""

    name = "settle group"

    async def do(self, context: StepContext, group: Resource, driver: Driver, arguments: Arguments) -> None:
        async with self.room.store.transaction() as transaction:
            current = await transaction.get(group.path)
            if current is None:
                return
            if arguments["action"] == ("delete" if arguments["succeeded"] else "add"):
                await transaction.delete(group.path)
            elif current.internal.get("dissolving"):
                await transaction.update(current.with_internal(dissolving=None))


FORWARDING_STEPS: tuple[type[DriverStep], ...] = (
    JoinGroup,
    LeaveGroup,
    FormGroup,
    DissolveGroup,
    SettleGroup,
)

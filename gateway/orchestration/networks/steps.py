"""The steps that define, start, stop and remove networks. Each may be run again after a crash."""

from __future__ import annotations

from typing import Any

from drivers.base import Driver, DriverError, DriverNotFound
from gateway.jobs.plan import StepContext
from gateway.orchestration.common.names import name_of, uuid_of
from gateway.orchestration.common.steps import DriverStep
from gateway.orchestration.networks.assignment import reservations_of
from gateway.orchestration.networks.reach import bring_filter
from gateway.orchestration.networks.spec import network_spec
from gateway.orchestration.networks.states import network_state
from gateway.orchestration.networks.trouble import as_it_is
from gateway.store.model import Resource

Arguments = dict[str, Any]


class FilterNetwork(DriverStep):
    """The packet filter which the interfaces on the network refer to."""

    name = "filter network"

    async def do(self, context: StepContext, network: Resource, driver: Driver, arguments: Arguments) -> None:
        await bring_filter(self.room, driver, network.path)

    async def revert(self, context: StepContext, network: Resource, driver: Driver, arguments: Arguments) -> None:
        await driver.delete_reach(uuid_of(network))


class DefineNetwork(DriverStep):
    name = "define network"

    async def do(self, context: StepContext, network: Resource, driver: Driver, arguments: Arguments) -> None:
        reservations = await reservations_of(self.room.store, network.path)
        await driver.define_network(network_spec(network, self.room.hypervisors[driver.name], reservations))

    async def revert(self, context: StepContext, network: Resource, driver: Driver, arguments: Arguments) -> None:
        await driver.delete_network(name_of(network))


class RedefineNetwork(DefineNetwork):
    """After an edit: what runs keeps its old ways until it is started anew."""

    name = "redefine network"

    async def do(self, context: StepContext, network: Resource, driver: Driver, arguments: Arguments) -> None:
        await super().do(context, network, driver, arguments)
        if arguments["later"] and (await driver.network(name_of(network))).active:
            context.say(f"{arguments['later']} takes effect when the Network is stopped and started")

    async def revert(self, context: StepContext, network: Resource, driver: Driver, arguments: Arguments) -> None:
        """The definition follows from what is kept; there is no older one to go back to."""


class StartNetwork(DriverStep):
    name = "start network"

    async def do(self, context: StepContext, network: Resource, driver: Driver, arguments: Arguments) -> None:
        await driver.start_network(name_of(network))

    async def revert(self, context: StepContext, network: Resource, driver: Driver, arguments: Arguments) -> None:
        try:
            await driver.stop_network(name_of(network))
        except DriverNotFound:
            return


class ReconnectInterfaces(DriverStep):
    """Guests that ran while the network was stopped are put back on it."""

    name = "reconnect interfaces"

    async def do(self, context: StepContext, network: Resource, driver: Driver, arguments: Arguments) -> None:
        for lost in (await driver.reconnect_interfaces((name_of(network),))).values():
            await context.log(f"interfaces are back on the network: {', '.join(lost)}")


class StopNetwork(DriverStep):
    name = "stop network"

    async def do(self, context: StepContext, network: Resource, driver: Driver, arguments: Arguments) -> None:
        await driver.stop_network(name_of(network))


class DeleteNetwork(DriverStep):
    name = "delete network"
    leaves = "the network"

    async def do(self, context: StepContext, network: Resource, driver: Driver, arguments: Arguments) -> None:
        await driver.delete_network(name_of(network))


class DeleteFilter(DriverStep):
    name = "delete filter"
    leaves = ""

    async def do(self, context: StepContext, network: Resource, driver: Driver, arguments: Arguments) -> None:
        await driver.delete_reach(uuid_of(network))


class SettleNetwork(DriverStep):
    """A failed create and a done delete remove the record; everything else ends in the true state."""

    name = "settle network"

    async def do(self, context: StepContext, network: Resource, driver: Driver, arguments: Arguments) -> None:
        succeeded = arguments["succeeded"]
        gone = arguments["action"] == ("delete" if succeeded else "add")
        state = "ERROR" if gone else await self._state(network, driver)
        async with self.room.store.transaction() as transaction:
            current = await transaction.get(network.path)
            if current is None:
                return
            if gone:
                for address in await transaction.find("Address", "network", network.path):
                    await transaction.delete(address.path)
                await transaction.delete(network.path)
                return
            await transaction.update(as_it_is(current, state).released())

    async def _state(self, network: Resource, driver: Driver) -> str:
        try:
            return network_state(await driver.network(name_of(network)))
        except DriverNotFound:
            return "ERROR"
        except DriverError:
            # The hypervisor is away: the comparison after the reconnect will tell.
            return str(network.internal.get("state_before") or "ERROR")


NETWORK_STEPS: tuple[type[DriverStep], ...] = (
    FilterNetwork,
    DefineNetwork,
    RedefineNetwork,
    StartNetwork,
    ReconnectInterfaces,
    StopNetwork,
    DeleteNetwork,
    DeleteFilter,
    SettleNetwork,
)

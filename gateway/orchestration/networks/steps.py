"""The steps that define, start, stop and remove networks. Each may be run again after a crash."""

from __future__ import annotations

from dataclasses import dataclass

from drivers.base import Driver, DriverError, DriverNotFound
from gateway.jobs.plan import Ended
from gateway.orchestration.common.names import name_of, uuid_of
from gateway.orchestration.common.step import At, ResourceStep
from gateway.orchestration.networks.assignment import reservations_of
from gateway.orchestration.networks.facts import KeptNetwork
from gateway.orchestration.networks.reach import bring_filter
from gateway.orchestration.networks.spec import network_spec
from gateway.orchestration.networks.states import network_state
from gateway.orchestration.networks.trouble import as_it_is
from gateway.store.model import Resource


@dataclass(frozen=True)
class FilterNetwork(ResourceStep):
    """The step that defines the packet filter that the interfaces on the network refer to."""

    name = "filter network"

    async def run(self, at: At) -> None:
        """Bring the filter to what the Network reaches."""
        await bring_filter(at.room, at.driver, at.resource.path)

    async def undo(self, at: At) -> None:
        """Remove the filter."""
        await at.driver.filters.delete(uuid_of(at.resource))


async def _define(at: At) -> None:
    reservations = await reservations_of(at.room.store, at.resource.path)
    settings = at.room.hypervisors[at.driver.name]
    await at.driver.networks.define(network_spec(at.resource, settings, reservations))


@dataclass(frozen=True)
class DefineNetwork(ResourceStep):
    """The step that defines a new network."""

    name = "define network"

    async def run(self, at: At) -> None:
        """Define the network."""
        await _define(at)

    async def undo(self, at: At) -> None:
        """Remove the network."""
        await at.driver.networks.delete(name_of(at.resource))


@dataclass(frozen=True)
class RedefineNetwork(ResourceStep):
    """The step that defines a network after an edit; one that runs keeps its old ways until it is started anew.

    There is no undo: the definition follows from what is kept, and there is no older one to go back to.
    """

    name = "redefine network"
    later: str
    """Names of the edited attributes that need a new start; empty for none."""

    async def run(self, at: At) -> None:
        """Define the network anew, and say what takes effect later."""
        await _define(at)
        if self.later and (await at.driver.networks.read(name_of(at.resource))).active:
            at.job.say(f"{self.later} takes effect when the Network is stopped and started")


@dataclass(frozen=True)
class StartNetwork(ResourceStep):
    """The step that starts a network."""

    name = "start network"

    async def run(self, at: At) -> None:
        """Start the network."""
        await at.driver.networks.start(name_of(at.resource))

    async def undo(self, at: At) -> None:
        """Stop the network, if there is one."""
        try:
            await at.driver.networks.stop(name_of(at.resource))
        except DriverNotFound:
            return


@dataclass(frozen=True)
class ReconnectInterfaces(ResourceStep):
    """The step that connects guests again to a network that was stopped while they ran."""

    name = "reconnect interfaces"

    async def run(self, at: At) -> None:
        """Connect the interfaces of guests that run with the network, and log which."""
        for macs in (await at.driver.networks.reconnect_interfaces((name_of(at.resource),))).values():
            await at.job.log(f"interfaces are back on the network: {', '.join(macs)}")


@dataclass(frozen=True)
class StopNetwork(ResourceStep):
    """The step that stops a network."""

    name = "stop network"

    async def run(self, at: At) -> None:
        """Stop the network."""
        await at.driver.networks.stop(name_of(at.resource))


@dataclass(frozen=True)
class DeleteNetwork(ResourceStep):
    """The step that removes a network from its host."""

    name = "delete network"
    leaves = "the network"

    async def run(self, at: At) -> None:
        """Remove the network."""
        await at.driver.networks.delete(name_of(at.resource))


@dataclass(frozen=True)
class DeleteFilter(ResourceStep):
    """The step that removes a network's packet filter."""

    name = "delete filter"
    leaves = ""

    async def run(self, at: At) -> None:
        """Remove the filter."""
        await at.driver.filters.delete(uuid_of(at.resource))


@dataclass(frozen=True)
class SettleNetwork(ResourceStep):
    """The step that removes a Network's record after an undone create and a done delete, else writes its true state."""

    name = "settle network"
    action: str

    async def settle(self, at: At, ended: Ended) -> None:
        """Write the true state of the Network, or remove the record of one that is not there."""
        path = at.resource.path
        gone = self.action == ("delete" if ended.succeeded else "add") and not ended.left
        state = "ERROR" if gone else await _true_state(at.resource, at.driver)
        async with at.room.store.transaction() as transaction:
            current = await transaction.get(path)
            if current is None:
                return
            if gone:
                for address in await transaction.find("Address", "network", path):
                    await transaction.delete(address.path)
                await transaction.delete(path)
                return
            await transaction.update(as_it_is(current, state).released())


async def _true_state(network: Resource, driver: Driver) -> str:
    """Return the Network's state by its host, or that from before the action while the host is away."""
    try:
        return network_state(await driver.networks.read(name_of(network)))
    except DriverNotFound:
        return "ERROR"
    except DriverError:
        # The comparison after the reconnect will tell.
        return KeptNetwork.of(network).state_before or "ERROR"


NETWORK_STEPS: tuple[type[ResourceStep], ...] = (
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

"""The steps that plug a Machine's interfaces in and out, and switch them. Each may be run again after a crash."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace

from drivers.base import DriverNotFound
from gateway.jobs.plan import Ended
from gateway.orchestration.common.room import Room
from gateway.orchestration.common.step import At, ResourceStep, unless_stopped
from gateway.orchestration.interfaces.entries import (
    drop_interface,
    entry_of,
    give_back_addresses,
    interface_spec,
    state_of_entry,
    with_entry,
)
from gateway.orchestration.machine_core.names import machine_uuid


@dataclass(frozen=True)
class InterfaceStep(ResourceStep):
    """A step on one interface of the Machine."""

    interface: str
    """Path of the MachineNetworkInterface."""

    async def plug(self, at: At) -> None:
        """Put the interface into the domain."""
        entry = entry_of(at.resource, self.interface)
        spec = await interface_spec(at.room, at.driver, at.resource, entry)
        await at.driver.devices.attach_interface(machine_uuid(at.resource), spec)


@dataclass(frozen=True)
class PlugInterface(InterfaceStep):
    """The step that plugs an interface into the domain."""

    name = "plug interface"

    async def run(self, at: At) -> None:
        """Plug the interface into the domain."""
        await self.plug(at)

    async def undo(self, at: At) -> None:
        """Take the interface out of the domain, if it is there, and give back the addresses of its own."""
        entry = entry_of(at.resource, self.interface)
        with suppress(DriverNotFound):
            await at.driver.devices.detach_interface(
                machine_uuid(at.resource), entry.mac, at.room.policy.detach_deadline
            )
        await give_back_addresses(at.room, at.driver, at.resource, (entry,))


@dataclass(frozen=True)
class UnplugInterface(InterfaceStep):
    """The step that takes an interface out of the domain."""

    name = "unplug interface"

    async def run(self, at: At) -> None:
        """Take the interface out of the domain, and give back the addresses of its own.

        Raises StopRequested when the Job is stopped before the guest lets go.
        """
        entry, seconds = entry_of(at.resource, self.interface), at.room.policy.detach_deadline
        leaving = at.driver.devices.detach_interface(machine_uuid(at.resource), entry.mac, seconds)
        await unless_stopped(at.job, leaving)
        await give_back_addresses(at.room, at.driver, at.resource, (entry,))

    async def undo(self, at: At) -> None:
        """Plug the interface into the domain again."""
        await self.plug(at)


@dataclass(frozen=True)
class SwitchInterface(InterfaceStep):
    """The step that sets a link up or down, as the user wishes and the port allows."""

    name = "switch interface"
    up: bool

    async def run(self, at: At) -> None:
        """Switch the link, and write it into the Machine's entry of the interface."""
        entry = entry_of(at.resource, self.interface)
        entry = replace(entry, up=self.up, link=self.up and await _port_passes(at.room, entry.port))
        spec = await interface_spec(at.room, at.driver, at.resource, entry)
        await at.driver.devices.update_interface(machine_uuid(at.resource), spec)
        async with at.room.store.transaction() as transaction:
            current = await transaction.get(at.resource.path)
            if current is not None:
                await transaction.update(with_entry(current, entry))


async def _port_passes(room: Room, path: str | None) -> bool:
    port = await room.store.get(path) if path else None
    return port is None or port.state == "STARTED"


@dataclass(frozen=True)
class SettleInterface(InterfaceStep):
    """The step that leaves an interface's record as the interface is.

    The record goes after an undone add and a done delete.
    """

    name = "settle interface"
    action: str

    async def settle(self, at: At, ended: Ended) -> None:
        """Delete the interface's record, or write the state that its entry says."""
        gone = self.action == ("delete" if ended.succeeded else "add") and not ended.left
        async with at.room.store.transaction() as transaction:
            current = await transaction.get(at.resource.path)
            interface = await transaction.get(self.interface)
            if current is None or interface is None:
                return
            if gone:
                await drop_interface(transaction, current, interface.path.rpartition("/")[2])
                return
            state = state_of_entry(entry_of(current, interface.path))
            await transaction.update(interface.with_document(state=state))


INTERFACE_STEPS: tuple[type[ResourceStep], ...] = (PlugInterface, UnplugInterface, SwitchInterface, SettleInterface)

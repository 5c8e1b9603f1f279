"""The steps that plug a Machine's interfaces in and out, and switch them. Each may be run again after a crash."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from drivers.base import Driver, DriverNotFound
from gateway.jobs.plan import StepContext
from gateway.orchestration.common.steps import DriverStep, unless_stopped
from gateway.orchestration.interfaces.entries import (
    drop_interface,
    entry_of,
    give_back_addresses,
    shown_state,
    with_entry,
)
from gateway.orchestration.interfaces.spec import interface_spec
from gateway.orchestration.machine_core.plans import uuid_of
from gateway.store.model import Resource

Arguments = dict[str, Any]


class PlugInterface(DriverStep):
    name = "plug interface"

    async def do(self, context: StepContext, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        entry = entry_of(machine, arguments["interface"])
        await driver.attach_interface(uuid_of(machine), await interface_spec(self.room, driver, machine, entry))

    async def revert(self, context: StepContext, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        entry = entry_of(machine, arguments["interface"])
        with suppress(DriverNotFound):
            await driver.detach_interface(uuid_of(machine), entry["mac"], self.room.policy.detach_deadline)
        await give_back_addresses(self.room, driver, machine, (entry,))


class UnplugInterface(DriverStep):
    name = "unplug interface"

    async def do(self, context: StepContext, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        entry, seconds = entry_of(machine, arguments["interface"]), self.room.policy.detach_deadline
        await unless_stopped(context, driver.detach_interface(uuid_of(machine), entry["mac"], seconds))
        await give_back_addresses(self.room, driver, machine, (entry,))

    async def revert(self, context: StepContext, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        entry = entry_of(machine, arguments["interface"])
        await driver.attach_interface(uuid_of(machine), await interface_spec(self.room, driver, machine, entry))


class SwitchInterface(DriverStep):
    """Link up or down, as the user wishes and the port allows."""

    name = "switch interface"

    async def do(self, context: StepContext, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        entry = entry_of(machine, arguments["interface"])
        entry.update(up=arguments["up"], link=arguments["up"] and await self._port_passes(entry.get("port")))
        await driver.update_interface(uuid_of(machine), await interface_spec(self.room, driver, machine, entry))
        async with self.room.store.transaction() as transaction:
            current = await transaction.get(machine.path)
            if current is not None:
                await transaction.update(with_entry(current, entry))

    async def _port_passes(self, path: str | None) -> bool:
        port = await self.room.store.get(path) if path else None
        return port is None or port.state == "STARTED"


class SettleInterface(DriverStep):
    """A failed add and a done delete remove the interface; everything else shows how it is."""

    name = "settle interface"

    async def do(self, context: StepContext, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        gone = arguments["action"] == ("delete" if arguments["succeeded"] else "add")
        async with self.room.store.transaction() as transaction:
            current = await transaction.get(machine.path)
            interface = await transaction.get(arguments["interface"])
            if current is None or interface is None:
                return
            if gone:
                await drop_interface(transaction, current, interface.path.rpartition("/")[2])
                return
            state = shown_state(entry_of(current, interface.path))
            await transaction.update(interface.with_document(state=state))


INTERFACE_STEPS: tuple[type[DriverStep], ...] = (PlugInterface, UnplugInterface, SwitchInterface, SettleInterface)

"""The steps that bring a port's state and speed to the interface which uses it. Each may be run again after a crash."""

from __future__ import annotations

from typing import Any

from drivers.base import Driver, DriverNotFound
from gateway.jobs.plan import StepContext
from gateway.orchestration.common.steps import DriverStep
from gateway.orchestration.interfaces.entries import entry_of, with_entry
from gateway.orchestration.interfaces.spec import interface_spec
from gateway.orchestration.machine_core.plans import uuid_of
from gateway.orchestration.networks.port_service import machines_of
from gateway.store.model import Document, Resource

Arguments = dict[str, Any]


class ApplyPort(DriverStep):
    """Link and speed of the guest's interface; a port that nobody uses only remembers."""

    name = "apply port"

    async def do(self, context: StepContext, port: Resource, driver: Driver, arguments: Arguments) -> None:
        state = arguments.get("state") or port.internal.get("state_before") or port.state
        service = arguments["service"] if "service" in arguments else port.document.get("classOfService")
        for path in machines_of(port):
            machine = await self.room.store.get(path)
            if machine is not None:
                await self._apply(driver, machine, port, {"up": state == "STARTED", "class": service})
        async with self.room.store.transaction() as transaction:
            current = await transaction.get(port.path)
            if current is not None:
                await transaction.update(current.with_document(classOfService=service).with_internal(reached=state))

    async def _apply(self, driver: Driver, machine: Resource, port: Resource, wanted: Document) -> None:
        entry = entry_of(machine, port.document["resource"]["href"])
        entry.update(link=entry["up"] and wanted["up"])
        entry.update({"class": wanted["class"]})
        try:
            await driver.update_interface(uuid_of(machine), await interface_spec(self.room, driver, machine, entry))
        except DriverNotFound:
            # The domain is gone; the comparison says so of the Machine.
            return
        async with self.room.store.transaction() as transaction:
            current = await transaction.get(machine.path)
            if current is not None:
                await transaction.update(with_entry(current, entry))


class SettlePort(DriverStep):
    """The state that was reached, else the one before."""

    name = "settle port"

    async def do(self, context: StepContext, port: Resource, driver: Driver, arguments: Arguments) -> None:
        async with self.room.store.transaction() as transaction:
            current = await transaction.get(port.path)
            if current is None:
                return
            reached = current.internal.get("reached") if arguments["succeeded"] else None
            state = reached or current.internal.get("state_before") or current.state
            settled = current.released().with_internal(reached=None, state_before=None)
            await transaction.update(settled.with_document(state=state))


PORT_STEPS: tuple[type[DriverStep], ...] = (ApplyPort, SettlePort)

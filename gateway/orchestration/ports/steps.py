"""The steps that bring a port's state and speed to the interface which uses it. Each may be run again after a crash."""

from __future__ import annotations

from dataclasses import dataclass, replace

from drivers.base import DriverNotFound
from gateway.jobs.plan import Ended
from gateway.orchestration.common.step import At, ResourceStep
from gateway.orchestration.interfaces.entries import entry_of, interface_spec, with_entry
from gateway.orchestration.machine_core.names import machine_uuid
from gateway.orchestration.networks.assignment import machine_of
from gateway.orchestration.ports.facts import KeptPort
from gateway.store.model import Resource

AS_BEFORE = ""
"""A class of service that no configuration can have: the port keeps the one that it has."""


@dataclass(frozen=True)
class ApplyPort(ResourceStep):
    """The step that sets link and speed of the interface that uses a port, and notes the state that was reached."""

    name = "apply port"
    state: str | None = None
    """State to bring the port to; None for the one that it has."""
    service: str | None = AS_BEFORE
    """Class of service, or None for no limit of speed."""

    async def run(self, at: At) -> None:
        """Bring state and speed to the interface that uses the port, and note the state that was reached."""
        port, kept = at.resource, KeptPort.of(at.resource)
        state = self.state or kept.state_before or port.state
        service = port.document.get("classOfService") if self.service == AS_BEFORE else self.service
        for path in machines_of(port):
            machine = await at.room.store.get(path)
            if machine is not None:
                await _apply(at, machine, up=state == "STARTED", service=service)
        async with at.room.store.transaction() as transaction:
            current = await transaction.get(port.path)
            if current is not None:
                changed = current.with_document(classOfService=service)
                await transaction.update(KeptPort.changed(changed, reached=state))


async def _apply(at: At, machine: Resource, *, up: bool, service: str | None) -> None:
    """Bring the port's link and class of service to the Machine's interface that uses the port."""
    entry = entry_of(machine, at.resource.document["resource"]["href"])
    entry = replace(entry, link=entry.up and up, service=service)
    try:
        spec = await interface_spec(at.room, at.driver, machine, entry)
        await at.driver.devices.update_interface(machine_uuid(machine), spec)
    except DriverNotFound:
        # The domain is gone; the comparison says so of the Machine.
        return
    async with at.room.store.transaction() as transaction:
        current = await transaction.get(machine.path)
        if current is not None:
            await transaction.update(with_entry(current, entry))


def machines_of(port: Resource) -> tuple[str, ...]:
    """Return the path of the Machine whose interface uses the port: one, or none."""
    user = port.document.get("resource")
    return (machine_of(user["href"]),) if user else ()


@dataclass(frozen=True)
class SettlePort(ResourceStep):
    """The step that writes the state that a port has reached, else the one from before."""

    name = "settle port"
    action: str

    async def settle(self, at: At, ended: Ended) -> None:
        """Write the state that was reached, and release the port."""
        async with at.room.store.transaction() as transaction:
            current = await transaction.get(at.resource.path)
            if current is None:
                return
            kept = KeptPort.of(current)
            reached = kept.reached if ended.succeeded else None
            settled = replace(kept, reached=None, state_before=None).on(current.released())
            await transaction.update(settled.with_document(state=reached or kept.state_before or current.state))


PORT_STEPS: tuple[type[ResourceStep], ...] = (ApplyPort, SettlePort)

"""The state of a Machine as its hypervisor tells it."""

from __future__ import annotations

from drivers.base import Driver, DriverError, DriverNotFound
from gateway.orchestration.common.room import Room
from gateway.orchestration.machine_core.facts import KeptMachine
from gateway.orchestration.machine_core.names import machine_uuid
from gateway.orchestration.machine_core.states import state_of
from gateway.orchestration.machine_core.whereabouts import whereabouts
from gateway.store.model import Resource


async def true_state(room: Room, machine: Resource, driver: Driver, reached: str | None = None) -> str:
    """Return the Machine's state as the hypervisor reports it.

    While the hypervisor reports nothing, return the state that the Job ``reached``, else the one before the Job.
    """
    try:
        return state_of(await driver.domains.read(machine_uuid(machine)))
    except DriverNotFound:
        seen = await whereabouts(room, machine)
        if seen.moved_to is not None:
            return state_of(seen.moved_to.facts)
        if seen.gone:
            return "ERROR"
    except DriverError:
        pass
    # A hypervisor is away: the comparison after the reconnect will tell.
    return reached or KeptMachine.of(machine).state_before or "ERROR"

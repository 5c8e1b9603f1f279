"""The steps of a Machine's jobs, in their order."""

from __future__ import annotations

from collections.abc import Callable

from gateway.orchestration.common.resource_service import PlannedStep
from gateway.orchestration.common.step import Step
from gateway.orchestration.disks.steps import BuildSeed, CreateBootDisk, CreateDataDisks, DeleteDisks
from gateway.orchestration.interfaces.address_steps import AssignAddresses, WithdrawAddresses
from gateway.orchestration.machine_core.power_steps import PauseDomain, PowerOff, ShutDown, StartDomain, SuspendDomain
from gateway.orchestration.machines.steps import BringToInitialState, DefineDomain, UndefineDomain
from gateway.orchestration.snapshots.steps import DropSnapshots

CREATE_STEPS = (CreateBootDisk, CreateDataDisks, BuildSeed, DefineDomain, BringToInitialState)
DELETE_STEPS = (PowerOff, DropSnapshots, UndefineDomain, WithdrawAddresses, DeleteDisks)
OFF = frozenset({"STOPPED", "SUSPENDED", "ERROR"})
"""States whose restart has no guest to ask."""


def create_steps(
    machine: str, volumes: tuple[PlannedStep, ...], attachments: tuple[Step, ...], *, addressed: bool
) -> tuple[PlannedStep, ...]:
    """Return the steps of a create.

    ``volumes`` make the Machine's new Volumes, before the domain is defined; ``attachments`` plug Volumes in, before
    the domain starts. When ``addressed`` is set, DHCP gets the Machine's own addresses before the guest asks for one.
    """
    storage = tuple(step(machine) for step in CREATE_STEPS[:3])
    addresses = (AssignAddresses(machine),) if addressed else ()
    return (*storage, *volumes, *addresses, DefineDomain(machine), *attachments, BringToInitialState(machine))


def delete_steps(machine: str) -> tuple[Step, ...]:
    """Return the steps of a delete."""
    return (PowerOff(machine, action="delete"), *(step(machine) for step in DELETE_STEPS[1:]))


def _stop(machine: str, state: str | None, deadline: float | None, *, force: bool) -> tuple[Step, ...]:
    cut = force or state in ("SUSPENDED", "ERROR")
    return (PowerOff(machine),) if cut else (ShutDown(machine, deadline=deadline),)


def _restart(machine: str, state: str | None, deadline: float | None, *, force: bool) -> tuple[Step, ...]:
    off = PowerOff(machine) if force or state in OFF else ShutDown(machine, deadline=deadline)
    return (off, StartDomain(machine))


ActionSteps = Callable[..., tuple[Step, ...]]
ACTIONS: dict[str, ActionSteps] = {
    "start": lambda machine, *_rest, **_force: (StartDomain(machine),),
    "stop": _stop,
    "restart": _restart,
    "pause": lambda machine, *_rest, **_force: (PauseDomain(machine),),
    "suspend": lambda machine, *_rest, **_force: (SuspendDomain(machine),),
}
"""Actions of a Machine that move its domain; the others (capture, snapshot, restore) are of images."""


def action_steps(
    machine: str, verb: str, state: str | None, deadline: float | None, *, force: bool
) -> tuple[Step, ...]:
    """Return the steps of an action on a Machine in a state. ``deadline``: seconds that a guest has to power off."""
    return ACTIONS[verb](machine, state, deadline, force=force)

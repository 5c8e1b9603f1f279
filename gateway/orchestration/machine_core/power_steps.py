"""The steps that start, stop and change a Machine's domain. Each may be run again after a crash."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

from drivers.base import DriverConflict, DriverNotFound, Migration, Power
from gateway.errors import Conflict
from gateway.jobs.plan import StopRequested
from gateway.orchestration.common.step import LOOK_EVERY, At, ResourceStep, unless_stopped
from gateway.orchestration.machine_core.names import machine_uuid
from gateway.orchestration.machine_core.states import TRANSIENT
from gateway.orchestration.machine_core.whereabouts import silent_hosts

PRESS_EVERY = 5.0
"""Seconds between two presses of the power button."""
STOPPED = frozenset({Power.OFF, Power.SAVED, Power.CRASHED})


@dataclass(frozen=True)
class StartDomain(ResourceStep):
    """The step that boots the guest, brings it back from disk, or ends its pause."""

    name = "start domain"
    fresh: bool = False
    """The guest boots, and its suspended memory is dropped."""

    async def run(self, at: At) -> None:
        """Start or resume the domain; a second half of a restart shows STARTING first.

        Raises Conflict when the guest was moved away, and may run on a host that does not answer.
        """
        machine, uuid = at.resource, machine_uuid(at.resource)
        if machine.state == TRANSIENT["stop"]:
            await _show_starting(at)
        facts = await at.driver.domains.read(uuid)
        if facts.power not in STOPPED:
            await at.driver.domains.resume(uuid)
            return
        if facts.migration is Migration.LEFT and (silent := silent_hosts(at.room, machine)):
            raise Conflict(f"the guest was moved away; it may run on {', '.join(silent)}, which does not answer")
        await at.driver.domains.start(uuid, discard_saved=self.fresh)


async def _show_starting(at: At) -> None:
    """Write the state of the second half of a restart (DSP0263 5.14.1)."""
    async with at.room.store.transaction() as transaction:
        current = await transaction.get(at.resource.path)
        if current is not None:
            await transaction.update(current.with_document(state=TRANSIENT["start"]))


@dataclass(frozen=True)
class ShutDown(ResourceStep):
    """The step that presses the power button until the guest is off, and never forces it (DSP0263 5.14.1.2)."""

    name = "shut down"
    deadline: float | None = None
    """Seconds; None for those of the configuration."""

    async def run(self, at: At) -> None:
        """Press the power button every PRESS_EVERY seconds, until the guest is off or the deadline comes.

        Raises Conflict at the deadline, and StopRequested when the Job is stopped.
        """
        uuid = machine_uuid(at.resource)
        seconds = at.room.policy.stop_deadline if self.deadline is None else self.deadline
        until, press_at = time.monotonic() + seconds, 0.0
        while True:
            facts = await at.driver.domains.read(uuid)
            if facts.power is Power.SAVED:
                await at.driver.domains.discard_saved(uuid)
            if facts.power in STOPPED:
                return
            if facts.power in (Power.PAUSED, Power.HELD):
                await at.driver.domains.resume(uuid)
            if time.monotonic() >= until:
                raise Conflict(f"the guest did not power off within {seconds:g} s; stop it with force to cut the power")
            if time.monotonic() >= press_at:
                # A conflict: it has powered off since it was looked at, as the next look shows.
                with suppress(DriverConflict):
                    await at.driver.domains.request_shutdown(uuid)
                press_at = time.monotonic() + PRESS_EVERY
            if await at.job.wait_stop(LOOK_EVERY):
                raise StopRequested


@dataclass(frozen=True)
class PowerOff(ResourceStep):
    """The step that cuts the power without asking the guest, and drops what was suspended."""

    name = "power off"
    leaves = ""
    action: str | None = None
    """``delete`` where the domain may be gone already."""

    def is_removal(self) -> bool:
        """Return whether a delete cuts the power, and not a stop."""
        return self.action == "delete"

    async def run(self, at: At) -> None:
        """Cut the power, and drop what was suspended; a delete goes on where the domain is gone."""
        uuid = machine_uuid(at.resource)
        try:
            await at.driver.domains.power_off(uuid)
            await at.driver.domains.discard_saved(uuid)
        except DriverNotFound:
            if not self.is_removal():
                raise


@dataclass(frozen=True)
class PauseDomain(ResourceStep):
    """The step that halts a guest in memory."""

    name = "pause domain"

    async def run(self, at: At) -> None:
        """Halt the guest."""
        await at.driver.domains.pause(machine_uuid(at.resource))


@dataclass(frozen=True)
class SuspendDomain(ResourceStep):
    """The step that moves a guest's memory to the host's disk."""

    name = "suspend domain"
    weight: ClassVar[int] = 10

    async def run(self, at: At) -> None:
        """Save the guest's memory. Raises StopRequested when the Job is stopped before all is saved."""
        await unless_stopped(at.job, at.driver.domains.save(machine_uuid(at.resource), at.job.progress))


@dataclass(frozen=True)
class ResizeDomain(ResourceStep):
    """The step that sets the number of cpus and the memory: live where possible, else for the next boot."""

    name = "resize domain"
    cpu: int
    memory: int
    """KiB."""

    async def run(self, at: At) -> None:
        """Resize the domain, say in the Job what comes at the next boot, and write the Machine's new sizes."""
        applied = await at.driver.domains.resize(machine_uuid(at.resource), self.cpu, self.memory)
        if applied.message:
            at.job.say(applied.message)
        async with at.room.store.transaction() as transaction:
            current = await transaction.get(at.resource.path)
            if current is not None:
                await transaction.update(current.with_document(cpu=self.cpu, memory=self.memory))

    async def undo(self, at: At) -> None:
        """Restore the sizes from the document: the step may have failed between setting cpus and memory."""
        document = at.resource.document
        await at.driver.domains.resize(machine_uuid(at.resource), document["cpu"], document["memory"])


@dataclass(frozen=True)
class DescribeDomain(ResourceStep):
    """The step that shows the Machine's name and description to those who look with virsh."""

    name = "describe domain"

    async def run(self, at: At) -> None:
        """Write the Machine's name and description into the domain."""
        machine = at.resource
        description = machine.document.get("description", "")
        await at.driver.domains.describe(machine_uuid(machine), machine.name or "", description)


POWER_STEPS: tuple[type[ResourceStep], ...] = (
    StartDomain,
    ShutDown,
    PowerOff,
    PauseDomain,
    SuspendDomain,
    ResizeDomain,
    DescribeDomain,
)

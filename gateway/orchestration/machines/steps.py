"""The steps that define, move and remove a Machine's domain. Each may be run again after a crash."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

from drivers.base import DiskSpec, DomainSpec, Driver, DriverConflict, DriverNotFound, Migration, Power
from gateway.errors import Conflict
from gateway.jobs.plan import StepContext, Superseded
from gateway.orchestration.common.resource_service import Room
from gateway.orchestration.common.steps import LOOK_EVERY, DriverStep, unless_stopped
from gateway.orchestration.interfaces.entries import give_back_addresses
from gateway.orchestration.interfaces.spec import interface_spec
from gateway.orchestration.machine_core.plans import seed_volume, uuid_of, volume_of
from gateway.orchestration.machine_core.removal import remove_domains
from gateway.orchestration.machine_core.states import TRANSIENT
from gateway.orchestration.machine_core.whereabouts import silent_hosts
from gateway.store.model import Resource

PRESS_EVERY = 5.0
STOPPED = frozenset({Power.OFF, Power.SAVED, Power.CRASHED})

Arguments = dict[str, Any]


class DefineDomain(DriverStep):
    name = "define domain"

    async def do(self, context: StepContext, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        await driver.define_domain(await domain_spec(self.room, driver, machine))

    async def revert(self, context: StepContext, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        await driver.undefine_domain(uuid_of(machine))
        await give_back_addresses(self.room, driver, machine, machine.internal.get("interfaces", ()))


async def domain_spec(room: Room, driver: Driver, machine: Resource) -> DomainSpec:
    facts, document = machine.internal, machine.document
    disks = [
        DiskSpec(
            pool=facts["pool"],
            volume=volume_of(machine, disk),
            format=disk["format"],
            target=disk["target"],
            boot_order=1 if place == 0 else None,
        )
        for place, disk in enumerate(facts["disks"])
    ]
    seed = DiskSpec(facts["pool"], seed_volume(machine), "raw", "sda", read_only=True, cdrom=True)
    return DomainSpec(
        uuid=uuid_of(machine),
        machine=machine.path,
        owner=machine.owner or "",
        title=machine.name or "",
        description=document.get("description", ""),
        cpus=document["cpu"],
        memory_kib=document["memory"],
        arch=facts["arch"],
        disks=(*disks, seed),
        interfaces=tuple([await interface_spec(room, driver, machine, entry) for entry in facts["interfaces"]]),
        uefi=facts.get("uefi", False),
    )


class InitialState(DriverStep):
    """Bring the new Machine to the state it was asked for."""

    name = "initial state"

    async def do(self, context: StepContext, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        wanted, uuid = machine.internal["initial_state"], uuid_of(machine)
        if wanted == "STOPPED":
            return
        await driver.start_domain(uuid, paused=wanted == "PAUSED")
        if wanted == "SUSPENDED":
            await driver.save_domain(uuid, context.progress)


class StartDomain(DriverStep):
    """Boot, restore what was suspended, or let a paused guest go on."""

    name = "start domain"

    async def do(self, context: StepContext, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        uuid = uuid_of(machine)
        if machine.state == TRANSIENT["stop"]:
            await self._show(machine, TRANSIENT["start"])
        facts = await driver.domain(uuid)
        if facts.power in STOPPED:
            if facts.migration is Migration.LEFT and (silent := silent_hosts(self.room, machine)):
                raise Conflict(f"the guest was moved away; it may run on {', '.join(silent)}, which does not answer")
            await driver.start_domain(uuid, discard_saved=arguments.get("fresh", False))
        else:
            await driver.resume_domain(uuid)

    async def _show(self, machine: Resource, state: str) -> None:
        """The second half of a restart (DSP0263 5.14.1)."""
        async with self.room.store.transaction() as transaction:
            current = await transaction.get(machine.path)
            if current is not None:
                await transaction.update(current.with_document(state=state))


class ShutDown(DriverStep):
    """Press the power button, again and again until the deadline; never force on our own (DSP0263 5.14.1.2)."""

    name = "shut down"

    async def do(self, context: StepContext, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        uuid, seconds = uuid_of(machine), arguments.get("deadline", self.room.policy.stop_deadline)
        until, press_at = time.monotonic() + seconds, 0.0
        while True:
            facts = await driver.domain(uuid)
            if facts.power is Power.SAVED:
                await driver.discard_saved(uuid)
            if facts.power in STOPPED:
                return
            if facts.power in (Power.PAUSED, Power.HELD):
                await driver.resume_domain(uuid)
            if time.monotonic() >= until:
                raise Conflict(f"the guest did not power off within {seconds:g} s; stop it with force to cut the power")
            if time.monotonic() >= press_at:
                # A conflict: it has powered off since it was looked at, as the next look shows.
                with suppress(DriverConflict):
                    await driver.request_shutdown(uuid)
                press_at = time.monotonic() + PRESS_EVERY
            if await context.wait_stop(LOOK_EVERY):
                raise Superseded


class PowerOff(DriverStep):
    name = "power off"
    leaves = ""

    def is_removal(self, arguments: Arguments) -> bool:
        """Return whether a delete cuts the power, and not a stop."""
        return arguments.get("action") == "delete"

    async def do(self, context: StepContext, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        uuid = uuid_of(machine)
        try:
            await driver.power_off(uuid)
            await driver.discard_saved(uuid)
        except DriverNotFound:
            if arguments.get("action") != "delete":
                raise


class PauseDomain(DriverStep):
    name = "pause domain"

    async def do(self, context: StepContext, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        await driver.pause_domain(uuid_of(machine))


class SuspendDomain(DriverStep):
    name = "suspend domain"

    async def do(self, context: StepContext, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        await unless_stopped(context, driver.save_domain(uuid_of(machine), context.progress))


class UndefineDomain(DriverStep):
    name = "undefine domain"
    leaves = "the guest"

    async def do(self, context: StepContext, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        await remove_domains(self.room, machine)
        await give_back_addresses(self.room, driver, machine, machine.internal.get("interfaces", ()))


class Resize(DriverStep):
    """cpus and memory: live where possible, else at the next boot, and said so."""

    name = "resize domain"

    async def do(self, context: StepContext, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        applied = await driver.resize_domain(uuid_of(machine), arguments["cpu"], arguments["memory"])
        if applied.message:
            context.say(applied.message)
        async with self.room.store.transaction() as transaction:
            current = await transaction.get(machine.path)
            if current is not None:
                sizes = {name: arguments[name] for name in ("cpu", "memory")}
                await transaction.update(current.with_document(**sizes))

    async def revert(self, context: StepContext, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        """Of cpus and memory one may have been set before the other failed; the document still has the old ones."""
        await driver.resize_domain(uuid_of(machine), machine.document["cpu"], machine.document["memory"])


class Describe(DriverStep):
    """Name and description for those who look with virsh."""

    name = "describe domain"

    async def do(self, context: StepContext, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        description = machine.document.get("description", "")
        await driver.describe_domain(uuid_of(machine), machine.name or "", description)


MACHINE_STEPS: tuple[type[DriverStep], ...] = (
    DefineDomain,
    InitialState,
    StartDomain,
    ShutDown,
    PowerOff,
    PauseDomain,
    SuspendDomain,
    UndefineDomain,
    Resize,
    Describe,
)

"""The steps that make an image of a Volume: copy it, and say what is true. Each may be run again after a crash."""

from __future__ import annotations

from typing import Any

from drivers.base import Driver, VolumeFacts
from gateway.jobs.plan import StepContext
from gateway.orchestration.common.steps import DriverStep, unless_stopped
from gateway.orchestration.images.records import settle_copied
from gateway.orchestration.machine_core.plans import uuid_of
from gateway.orchestration.machine_core.states import refuse_other_power
from gateway.orchestration.machine_core.truth import true_state
from gateway.orchestration.volumes.steps import as_found, found_of
from gateway.store.model import Resource

Arguments = dict[str, Any]


class CopyVolume(DriverStep):
    """A flat copy, as of one moment where a guest writes it meanwhile."""

    name = "copy volume"

    async def do(self, context: StepContext, volume: Resource, driver: Driver, arguments: Arguments) -> None:
        image = await self.room.store.get(arguments["image"])
        if image is None:
            return
        for path in arguments["machines"]:
            machine = await self.room.store.get(path)
            if machine is not None:
                refuse_other_power((await driver.domain(uuid_of(machine))).power, arguments["live"])
        made = await unless_stopped(context, self._copied(context, volume, image, driver, arguments))
        async with self.room.store.transaction() as transaction:
            current = await transaction.get(image.path)
            if current is not None:
                known = current.with_internal(virtual_size=made.capacity, file_size=made.physical)
                await transaction.update(known.with_document(size=made.physical or None))

    async def _copied(
        self, context: StepContext, volume: Resource, image: Resource, driver: Driver, arguments: Arguments
    ) -> VolumeFacts:
        here, there = volume.internal, image.internal
        if arguments["live"]:
            uuid, target = _uuid(arguments), arguments["target"]
            return await driver.copy_active_disk(uuid, target, there["pool"], there["volume"], context.progress)
        return await driver.clone_volume(
            there["pool"],
            there["volume"],
            here["volume"],
            there["format"],
            0,
            context.progress,
            base_pool=here["pool"],
            base_format=here["format"],
        )

    async def revert(self, context: StepContext, volume: Resource, driver: Driver, arguments: Arguments) -> None:
        image = await self.room.store.get(arguments["image"])
        if image is None:
            return
        pool, name = image.internal["pool"], image.internal["volume"]
        if arguments["live"]:
            await driver.discard_copy(_uuid(arguments), pool, name)
        else:
            await driver.delete_volume(pool, name)


class SettleCopiedVolume(DriverStep):
    """The image is there or gone; the Volume and the Machines that were held are as the hypervisor says."""

    name = "settle copied volume"

    async def do(self, context: StepContext, volume: Resource, driver: Driver, arguments: Arguments) -> None:
        states = await self._states(driver, arguments)
        facts = None if arguments["succeeded"] else await found_of(volume, driver)
        async with self.room.store.transaction() as transaction:
            image, current = await transaction.get(arguments["image"]), await transaction.get(volume.path)
            if image is not None:
                await settle_copied(transaction, image, arguments)
            if current is not None and current.held_by == context.job:
                free = current.with_document(state="AVAILABLE").released()
                await transaction.update(free if arguments["succeeded"] else as_found(free, facts))
            for path, state in states.items():
                machine = await transaction.get(path)
                if machine is not None and machine.held_by == context.job:
                    await transaction.update(machine.with_document(state=state).released())

    async def _states(self, driver: Driver, arguments: Arguments) -> dict[str, str]:
        held = [] if arguments["live"] else arguments["machines"]
        machines = [await self.room.store.get(path) for path in held]
        there = [machine for machine in machines if machine is not None]
        return {machine.path: await true_state(self.room, machine, driver) for machine in there}


def _uuid(arguments: Arguments) -> str:
    return str(arguments["machines"][0]).rpartition("/")[2]


CAPTURE_VOLUME_STEPS: tuple[type[DriverStep], ...] = (CopyVolume, SettleCopiedVolume)

"""The steps of snapshots: take, go back, drop, and what is true at the end. Each may be run again after a crash."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from drivers.base import Driver, DriverConflict, DriverError, DriverNotFound
from gateway.jobs.plan import StepContext
from gateway.orchestration.common.steps import DriverStep
from gateway.orchestration.machine_core import chain
from gateway.orchestration.machine_core.plans import disk_prefix, uuid_of
from gateway.orchestration.machine_core.truth import true_state
from gateway.orchestration.snapshots import ability
from gateway.store.model import Document, Resource
from gateway.store.transaction import Transaction

Arguments = dict[str, Any]


class TakeSnapshot(DriverStep):
    """What it covers is written down before: by now no other job changes the Machine's devices."""

    name = "take snapshot"

    async def do(self, context: StepContext, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        image = await self.room.store.get(arguments["image"])
        if image is None:
            return
        await self._note(image, ability.covered(await driver.domain(uuid_of(machine))))
        name, memory = chain.id_of(image.path), image.internal["memory"]
        taken = await driver.take_snapshot(uuid_of(machine), name, memory=memory)
        await context.log(f"the Machine goes back to {taken.power.value} with it")
        context.check()

    async def _note(self, image: Resource, covered: Document) -> None:
        async with self.room.store.transaction() as transaction:
            current = await transaction.get(image.path)
            if current is not None:
                await transaction.update(current.with_internal(covered=covered))

    async def revert(self, context: StepContext, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        await driver.delete_snapshot(uuid_of(machine), chain.id_of(arguments["image"]))


class SettleSnapshot(DriverStep):
    """A finished snapshot joins the chain; a failed one leaves no record, unless it could not be undone."""

    name = "settle snapshot"

    async def do(self, context: StepContext, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        state = await true_state(self.room, machine, driver)
        async with self.room.store.transaction() as transaction:
            current, image = await transaction.get(machine.path), await transaction.get(arguments["image"])
            if current is None or image is None or current.internal.get("job") != context.job:
                return
            if arguments.get("left"):
                await chain.enter(transaction, current, image)
                await transaction.update(image.with_document(state="ERROR").with_internal(job=None))
            elif not arguments["succeeded"]:
                await transaction.delete(image.path)
            elif image.state == "CREATING":
                current = await chain.link(transaction, current, image)
            await transaction.update(current.with_document(state=state).with_internal(job=None))


class RevertToSnapshot(DriverStep):
    """Once more looked at what is plugged in: a job before this one may have changed it."""

    name = "revert to snapshot"

    async def do(self, context: StepContext, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        image = await self.room.store.get(arguments["image"])
        facts = await driver.domain(uuid_of(machine))
        changed = image and ability.difference(image.internal["covered"], ability.covered(facts))
        if changed:
            raise DriverConflict(f"{changed}; bring the Machine to what it was first")
        await driver.revert_snapshot(uuid_of(machine), chain.id_of(arguments["image"]))


class SettleRestored(DriverStep):
    """The definition came back with the disks: cpu and memory are what they were."""

    name = "settle restored"

    async def do(self, context: StepContext, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        latest = {"latestSnapshot": chain.reference(arguments["image"])} if arguments["succeeded"] else {}
        state, sizes = await true_state(self.room, machine, driver), await self._sizes(machine, driver)
        async with self.room.store.transaction() as transaction:
            current = await transaction.get(machine.path)
            if current is not None and current.internal.get("job") == context.job:
                shown = current.with_document(state=state, **sizes, **latest)
                await transaction.update(shown.with_internal(job=None))

    async def _sizes(self, machine: Resource, driver: Driver) -> dict[str, int]:
        try:
            facts = await driver.domain(uuid_of(machine))
        except DriverError:
            return {}
        return {"cpu": facts.cpus, "memory": facts.memory_kib}


class DropSnapshots(DriverStep):
    """All of a domain that goes, when they lie in disks too which stay: in Volumes."""

    name = "drop snapshots"
    leaves = ""

    async def do(self, context: StepContext, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        try:
            facts = await driver.domain(uuid_of(machine))
        except DriverNotFound:
            return
        own = disk_prefix(machine)
        if all(Path(disk.source).name.startswith(own) for disk in facts.disks):
            return
        for snapshot in await driver.snapshots(uuid_of(machine)):
            await driver.delete_snapshot(uuid_of(machine), snapshot.name)


class DropSnapshot(DriverStep):
    name = "drop snapshot"

    async def do(self, context: StepContext, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        await driver.delete_snapshot(uuid_of(machine), chain.id_of(arguments["image"]))


class SettleDropped(DriverStep):
    """Records go with what is gone from the hypervisor; what could not be dropped may be tried again."""

    name = "settle dropped"

    async def do(self, context: StepContext, machine: Resource, driver: Driver, arguments: Arguments) -> None:
        left = frozenset() if arguments["succeeded"] else await self._left(machine, driver)
        async with self.room.store.transaction() as transaction:
            current = await transaction.get(machine.path)
            if current is None:
                return
            changed = current
            for path in arguments["images"]:
                changed = await self._one(transaction, changed, path, left)
            if changed is not current:
                await transaction.update(changed)

    async def _left(self, machine: Resource, driver: Driver) -> frozenset[str] | None:
        """Names of the snapshots that are still there; None when nobody can tell."""
        try:
            return frozenset(snapshot.name for snapshot in await driver.snapshots(uuid_of(machine)))
        except DriverNotFound:
            return frozenset()
        except DriverError:
            return None

    async def _one(
        self, transaction: Transaction, machine: Resource, path: str, left: frozenset[str] | None
    ) -> Resource:
        image = await transaction.get(path)
        if image is None:
            return machine
        if left is not None and chain.id_of(path) not in left:
            return await chain.unlink(transaction, machine, image)
        await transaction.update(image.with_document(state="AVAILABLE").with_internal(job=None))
        return machine


CHAIN_STEPS: tuple[type[DriverStep], ...] = (
    TakeSnapshot,
    SettleSnapshot,
    RevertToSnapshot,
    SettleRestored,
    DropSnapshots,
    DropSnapshot,
    SettleDropped,
)

"""The steps of snapshots: take, go back, drop, and what is true at the end. Each may be run again after a crash."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from drivers.base import DriverConflict, DriverError, DriverNotFound
from gateway.jobs.plan import Ended
from gateway.orchestration.common.step import At, ResourceStep
from gateway.orchestration.machine_core import chain
from gateway.orchestration.machine_core.facts import Covered, KeptSnapshot
from gateway.orchestration.machine_core.names import disk_prefix, machine_uuid
from gateway.orchestration.machine_core.whereabouts import true_state
from gateway.orchestration.snapshots import ability
from gateway.store.model import Resource
from gateway.store.transaction import Transaction


@dataclass(frozen=True)
class SnapshotStep(ResourceStep):
    """A step of a Machine on one SNAPSHOT image."""

    image: str
    """Path of the image."""

    @property
    def snapshot(self) -> str:
        """The hypervisor's name of the snapshot."""
        return chain.id_of(self.image)


@dataclass(frozen=True)
class TakeSnapshot(SnapshotStep):
    """The step that takes a new snapshot of the domain.

    The devices that it covers are written down before: no other Job changes devices by now.
    """

    name = "take snapshot"

    async def run(self, at: At) -> None:
        """Write down what the snapshot covers, and take it. Raises StopRequested when the Job was stopped meanwhile."""
        image, uuid = await at.room.store.get(self.image), machine_uuid(at.resource)
        if image is None:
            return
        await self._note(at, ability.covered(await at.driver.domains.read(uuid)))
        taken = await at.driver.snapshots.take(uuid, self.snapshot, memory=KeptSnapshot.of(image).memory)
        await at.job.log(f"the Machine goes back to {taken.power.value} with it")
        at.job.check()

    async def _note(self, at: At, covered: Covered) -> None:
        async with at.room.store.transaction() as transaction:
            current = await transaction.get(self.image)
            if current is not None:
                await transaction.update(KeptSnapshot.changed(current, covered=covered))

    async def undo(self, at: At) -> None:
        """Delete the snapshot."""
        await at.driver.snapshots.delete(machine_uuid(at.resource), self.snapshot)


@dataclass(frozen=True)
class SettleSnapshot(SnapshotStep):
    """The step that settles the records after a snapshot.

    A finished image joins the chain, a failed one goes unless it was not undone.
    """

    name = "settle snapshot"

    async def settle(self, at: At, ended: Ended) -> None:
        """Put the image into the chain or delete it, and free the Machine in its true state."""
        machine = at.resource
        state = await true_state(at.room, machine, at.driver)
        async with at.room.store.transaction() as transaction:
            current, image = await transaction.get(machine.path), await transaction.get(self.image)
            if current is None or image is None or current.held_by != at.job.job:
                return
            if ended.left:
                await chain.enter(transaction, current, image)
                await transaction.update(image.with_document(state="ERROR").released())
            elif not ended.succeeded:
                await transaction.delete(image.path)
            elif image.state == "CREATING":
                current = await chain.link(transaction, current, image)
            await transaction.update(current.with_document(state=state).released())


@dataclass(frozen=True)
class RevertToSnapshot(SnapshotStep):
    """The step that takes the domain back to a snapshot.

    A Job before this one may have changed what is plugged in: it is compared again.
    """

    name = "revert to snapshot"

    async def run(self, at: At) -> None:
        """Revert the domain. Raises DriverConflict when it has other devices than the snapshot covers."""
        image, uuid = await at.room.store.get(self.image), machine_uuid(at.resource)
        facts = await at.driver.domains.read(uuid)
        changed = image and ability.difference(KeptSnapshot.of(image).covered, ability.covered(facts))
        if changed:
            raise DriverConflict(f"{changed}; bring the Machine to what it was first")
        await at.driver.snapshots.revert(uuid, self.snapshot)


@dataclass(frozen=True)
class SettleRestored(SnapshotStep):
    """The step that settles the Machine's record after it went back: cpu and memory are what they were, too."""

    name = "settle restored"

    async def settle(self, at: At, ended: Ended) -> None:
        """Write the domain's true state and sizes, and free the Machine, if this Job holds it."""
        latest = {"latestSnapshot": chain.reference(self.image)} if ended.succeeded else {}
        state, sizes = await true_state(at.room, at.resource, at.driver), await _sizes(at)
        async with at.room.store.transaction() as transaction:
            current = await transaction.get(at.resource.path)
            if current is not None and current.held_by == at.job.job:
                restored = current.with_document(state=state, **sizes, **latest)
                await transaction.update(restored.released())


async def _sizes(at: At) -> dict[str, int]:
    """Return cpu and memory as the domain has them; nothing while the hypervisor is away."""
    try:
        facts = await at.driver.domains.read(machine_uuid(at.resource))
    except DriverError:
        return {}
    return {"cpu": facts.cpus, "memory": facts.memory_kib}


@dataclass(frozen=True)
class DropSnapshots(ResourceStep):
    """The step that deletes all snapshots of a domain that goes, when they lie also in disks that stay: in Volumes."""

    name = "drop snapshots"
    leaves = ""

    async def run(self, at: At) -> None:
        """Delete all snapshots of the domain, unless all its disks go with it."""
        uuid = machine_uuid(at.resource)
        try:
            facts = await at.driver.domains.read(uuid)
        except DriverNotFound:
            return
        own = disk_prefix(at.resource)
        if all(Path(disk.source).name.startswith(own) for disk in facts.disks):
            return
        for snapshot in await at.driver.snapshots.list_all(uuid):
            await at.driver.snapshots.delete(uuid, snapshot.name)


@dataclass(frozen=True)
class DropSnapshot(SnapshotStep):
    """The step that deletes one snapshot."""

    name = "drop snapshot"

    async def run(self, at: At) -> None:
        """Delete the snapshot from the hypervisor."""
        await at.driver.snapshots.delete(machine_uuid(at.resource), self.snapshot)


@dataclass(frozen=True)
class SettleDropped(ResourceStep):
    """The step that deletes the records of deleted snapshots; what could not be dropped may be tried again."""

    name = "settle dropped"
    images: tuple[str, ...]
    """Paths of the SNAPSHOT images."""

    async def settle(self, at: At, ended: Ended) -> None:
        """Delete the records of snapshots that are gone, and free those of the others."""
        left = frozenset[str]() if ended.succeeded else await _left(at)
        async with at.room.store.transaction() as transaction:
            current = await transaction.get(at.resource.path)
            if current is None:
                return
            changed = current
            for path in self.images:
                changed = await _settle_one(transaction, changed, path, left)
            if changed is not current:
                await transaction.update(changed)


async def _left(at: At) -> frozenset[str] | None:
    """Return the names of the snapshots that are still there; None when nobody can tell."""
    try:
        return frozenset(snapshot.name for snapshot in await at.driver.snapshots.list_all(machine_uuid(at.resource)))
    except DriverNotFound:
        return frozenset()
    except DriverError:
        return None


async def _settle_one(transaction: Transaction, machine: Resource, path: str, left: frozenset[str] | None) -> Resource:
    image = await transaction.get(path)
    if image is None:
        return machine
    if left is not None and chain.id_of(path) not in left:
        return await chain.unlink(transaction, machine, image)
    await transaction.update(image.with_document(state="AVAILABLE").released())
    return machine


CHAIN_STEPS: tuple[type[ResourceStep], ...] = (
    TakeSnapshot,
    SettleSnapshot,
    RevertToSnapshot,
    SettleRestored,
    DropSnapshots,
    DropSnapshot,
    SettleDropped,
)

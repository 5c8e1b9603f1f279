"""Taking snapshots and deleting them: every check before the Job (DSP0263 5.14.7.2, 5.14.7.3)."""

from __future__ import annotations

from abc import ABC, abstractmethod

from drivers.base import DomainFacts, Driver, Power
from gateway.errors import Conflict, Forbidden, Invalid, NoSpace, NotFound, NotImplementedHere
from gateway.jobs.plan import Plan
from gateway.orchestration.common.contract import Caller, Outcome
from gateway.orchestration.common.first_answers import Write
from gateway.orchestration.common.hosts import demand_up, translating
from gateway.orchestration.common.interrupting import interrupt
from gateway.orchestration.common.permissions import changeable, demand
from gateway.orchestration.common.references import resolve
from gateway.orchestration.common.resource_service import ResourceService, new_resource
from gateway.orchestration.machine_core import chain
from gateway.orchestration.machine_core.facts import KeptMachine, KeptSnapshot
from gateway.orchestration.machine_core.names import machine_uuid
from gateway.orchestration.machine_core.occupancy import hold, refuse_while_copied
from gateway.orchestration.machine_core.states import demand_legal
from gateway.orchestration.snapshots import ability
from gateway.orchestration.snapshots.origin import LOCATION, Origin
from gateway.orchestration.snapshots.steps import DropSnapshot, SettleDropped, SettleSnapshot, TakeSnapshot
from gateway.store.model import Document, Resource
from gateway.store.transaction import Transaction

DISKS_ONLY = "disksOnly"
"""The property of a create that leaves the memory of a running Machine out."""
KIB = 1024
ACTIVE = (Power.RUNNING, Power.PAUSED)


class MachineRequests(ResourceService):
    """The checks that all requests on a Machine and its images have in common."""

    kind = "MachineImage"

    async def machine(self, caller: Caller, origin: Origin) -> Resource:
        """Return the Machine, when this caller may do this to it now, and its hypervisor is there."""
        demand(caller.role, "Machine", origin.verb)
        demand(caller.role, self.kind, "add")
        machine = await resolve(self.store, caller, origin.machine, ("Machine",), LOCATION)
        if not changeable(caller, machine):
            raise Forbidden(f"this Machine belongs to somebody else; only its owner or an admin may {origin.verb} it")
        demand_legal(machine.state, origin.verb)
        self.must_be_up(machine)
        await refuse_while_copied(self.store, machine.path)
        return machine

    def must_be_up(self, machine: Resource) -> Driver:
        """Return the driver of the Machine's host. Raises Unavailable unless the host is UP."""
        driver = self.room.driver(machine)
        demand_up(driver)
        return driver


class ImageRequests(MachineRequests, ABC):
    """The requests that make an image of a Machine."""

    @abstractmethod
    async def prepare_from(self, caller: Caller, origin: Origin, document: Document) -> Write:
        """Check everything about an image of this Machine, and return what writes it."""


class SnapshotRequests(ImageRequests):
    """The requests that take and delete snapshots of Machines."""

    # Taking one

    async def prepare_from(self, caller: Caller, origin: Origin, document: Document) -> Write:
        """Check everything about a snapshot, and return what writes its image with its Job."""
        machine = await self.machine(caller, origin)
        driver = self.room.driver(machine)
        with translating():
            facts = await driver.domains.read(machine_uuid(machine))
        self._refuse_impossible(machine, driver, facts)
        memory = not _disks_only(document) and facts.power in ACTIVE
        await self._refuse_mixed(machine, driver)
        if memory:
            await self._refuse_without_room(machine, driver)
        image = self._image(machine, origin, document, memory)

        async def write(transaction: Transaction) -> Outcome:
            await self._check_base(transaction, machine, origin, document)
            # Once more: nobody else writes now, so that no copy of the guest's disks begins meanwhile.
            await refuse_while_copied(self.store, machine.path)
            await transaction.insert(image)
            plan = self._taking(caller, machine, image)
            _, job = await hold(transaction, self.room.runner, machine, "snapshot", plan)
            return Outcome(await transaction.update(image.held(job)), job, finished=False)

        return write

    def _refuse_impossible(self, machine: Resource, driver: Driver, facts: DomainFacts) -> None:
        formats = [disk.format for disk in facts.disks if not disk.cdrom]
        reason = ability.obstacle(machine, driver, formats)
        if reason is not None:
            raise NotImplementedHere(f"this Machine can have no snapshots: {reason}")
        if facts.power not in (*ACTIVE, Power.OFF):
            raise Conflict(f"the guest is {facts.power.value}; start or stop the Machine first")

    async def _refuse_mixed(self, machine: Resource, driver: Driver) -> None:
        with translating():
            snapshots = await driver.snapshots.list_all(machine_uuid(machine))
        if not all(snapshot.inside for snapshot in snapshots):
            raise Conflict("the domain has external snapshots, taken outside; merge them first: the kinds do not mix")

    async def _refuse_without_room(self, machine: Resource, driver: Driver) -> None:
        with translating():
            pool = await driver.storage.read_pool(KeptMachine.of(machine).pool)
        needed = machine.document["memory"] * KIB
        if needed > pool.available:
            raise NoSpace(
                f"the pool {pool.name} has {pool.available} bytes free; the guest's memory may need {needed}; "
                f'a snapshot with the property {DISKS_ONLY} = "true" leaves it out'
            )

    async def _check_base(
        self, transaction: Transaction, machine: Resource, origin: Origin, document: Document
    ) -> None:
        """Raise Invalid unless a PARTIAL_SNAPSHOT builds on the latest one, from which the disks differ."""
        current = await transaction.get(machine.path)
        latest = chain.href(current, "latestSnapshot") if current is not None else None
        base = document.get("relatedImage", {}).get("href", latest)
        if origin.type != chain.PARTIAL:
            return
        if latest is None:
            raise Invalid("the Machine has no snapshot yet that this one could build on", "type")
        if base != latest:
            raise Invalid(f"the Machine's disks build on {latest}, its latestSnapshot", "relatedImage")

    def _image(self, machine: Resource, origin: Origin, document: Document, memory: bool) -> Resource:
        image = new_resource(self.kind, machine.project, creating(machine, origin, document))
        return KeptSnapshot(KeptMachine.of(machine).host, machine.path, memory).on(image)

    def _taking(self, caller: Caller, machine: Resource, image: Resource) -> Plan:
        return self.plan(
            caller,
            "snapshot",
            machine.path,
            steps=(TakeSnapshot(machine.path, image.path),),
            locks=(machine.path,),
            affected=(image.path,),
            drop_on_failure=(image.path,),
            settle=SettleSnapshot(machine.path, image.path),
        )

    # Deleting one

    async def delete(self, caller: Caller, path: str, version: int | None) -> Outcome:
        """Begin a Job that deletes the snapshot and the PARTIAL_SNAPSHOTs that build on it.

        The Job of a snapshot that is being taken is stopped first. Raises Conflict while the Machine is captured or
        restored.
        """
        image = await self.to_change(caller, path, "delete", version)
        if image.state == "CREATING":
            await interrupt(self.room.runner, image, f"delete was asked by {caller.user}")
            current = await self.store.get(path)
            if current is None:
                return await self.drop(caller, path)
            # What the stopped Job has made of it is no change of somebody else's.
            image, version = current, None
        machine = await self.store.get(KeptSnapshot.of(image).machine or "")
        if machine is None:
            raise NotFound(f"{path} is gone, with its Machine")
        self.must_be_up(machine)
        async with self.store.transaction() as transaction:
            await self.current(transaction, path, version)
            falling = await self._falling(transaction, machine, image)
            job = await self.room.runner.submit(transaction, self._dropping(caller, machine, image, falling))
            for other in falling:
                taken = await transaction.update(other.with_document(state="DELETING").held(job))
        return Outcome(taken, job, finished=False)

    async def _falling(self, transaction: Transaction, machine: Resource, image: Resource) -> list[Resource]:
        current, holder = await transaction.get(image.path), await transaction.get(machine.path)
        if current is None or holder is None:
            raise NotFound(f"{image.path} is gone")
        if holder.state in ("CAPTURING", "RESTORING"):
            raise Conflict(f"its Machine is {holder.state}; delete the snapshot when that has ended")
        falling = chain.falling_with(current, await chain.members(transaction, machine.path))
        if any(other.state == "DELETING" for other in falling):
            raise Conflict("the snapshot is being deleted already")
        return falling

    def _dropping(self, caller: Caller, machine: Resource, image: Resource, falling: list[Resource]) -> Plan:
        paths = tuple(other.path for other in falling)
        return self.plan(
            caller,
            "delete",
            image.path,
            steps=tuple(DropSnapshot(machine.path, path) for path in paths),
            locks=(machine.path,),
            affected=paths,
            drop_on_success=paths,
            settle=SettleDropped(machine.path, paths),
        )


def creating(machine: Resource, origin: Origin, document: Document) -> Document:
    """Return the new image's attributes; it points at its Machine until it is finished."""
    own: Document = {name: document[name] for name in ("name", "description", "properties") if name in document}
    return {**own, "type": origin.type, "state": "CREATING", LOCATION: machine.path}


def _disks_only(document: Document) -> bool:
    given = document.get("properties", {}).get(DISKS_ONLY, "false")
    if given not in ("true", "false"):
        raise Invalid(f"must be true or false, not {given[:40]!r}", f"properties.{DISKS_ONLY}")
    return bool(given == "true")

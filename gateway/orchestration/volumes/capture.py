"""The making of a VolumeImage of a Volume: every check before the Job (DSP0263 5.16.5).

A Volume that a running guest writes is copied as of one moment, and stays AVAILABLE. Else it is CAPTURING until it is
copied, and the Machines that have it are held, so that nobody starts one meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass

from drivers.base import Driver, PoolFacts
from gateway.errors import Conflict, Forbidden, Invalid, NoSpace, NotFound, NotImplementedHere
from gateway.jobs.plan import Plan
from gateway.orchestration.common.contract import Caller, Outcome
from gateway.orchestration.common.first_answers import Write
from gateway.orchestration.common.hosts import demand_up, translating
from gateway.orchestration.common.permissions import changeable, demand
from gateway.orchestration.common.references import resolve
from gateway.orchestration.common.resource_service import ResourceService, new_resource
from gateway.orchestration.images.facts import KeptImage
from gateway.orchestration.images.records import enter
from gateway.orchestration.images.source import WHERE
from gateway.orchestration.machine_core.occupancy import refuse_while_copied, take
from gateway.orchestration.machine_core.states import demand_legal as demand_machine
from gateway.orchestration.volumes.capture_steps import CopyVolume, SettleCopiedVolume
from gateway.orchestration.volumes.facts import Connection, KeptVolume
from gateway.orchestration.volumes.pools import pool_facts
from gateway.orchestration.volumes.states import demand_legal
from gateway.store.model import Document, Resource
from gateway.store.transaction import Transaction

OWN = ("name", "description", "properties")
RUNS = frozenset({"STARTED", "PAUSED"})
VERB = "snapshot"


@dataclass(frozen=True, slots=True)
class Holder:
    """A Machine that has the Volume."""

    machine: Resource
    target: str
    """libvirt's name of the Volume's device in it."""


@dataclass(frozen=True, slots=True)
class Copying:
    """A copy that is going to be made: ``live`` by the guest's own hypervisor process, else in the pools."""

    volume: Resource
    image: Resource
    holders: tuple[Holder, ...]
    live: bool


class VolumeCaptures(ResourceService):
    """The requests for images of Volumes."""

    kind = "VolumeImage"

    async def prepare_from(self, caller: Caller, path: str, document: Document) -> Write:
        """Check everything about an image of this Volume, and return what writes it."""
        document = {**document, WHERE: path}
        volume = await self._volume(caller, path)
        holders = await self._holders(volume)
        live = self._demand_consistent(volume, holders)
        image = await self._image(volume, document, live)
        if live:
            image = KeptImage.changed(image, captured=holders[0].machine.path)
        copying = Copying(volume, image, holders, live)

        async def write(transaction: Transaction) -> Outcome:
            return await self._submit(transaction, caller, copying, document)

        return write

    async def _submit(self, transaction: Transaction, caller: Caller, copying: Copying, document: Document) -> Outcome:
        volume, image = await self._unchanged(transaction, copying.volume), copying.image
        await transaction.insert(image)
        await enter(transaction, volume, image, {name: document[name] for name in OWN if name in document})
        job = await self.room.runner.submit(transaction, self._plan(caller, copying))
        if not copying.live:
            await transaction.update(volume.with_document(state="CAPTURING").held(job))
        for holder in copying.holders:
            if copying.live:
                await self._still(transaction, holder.machine)
            else:
                await take(transaction, holder.machine, "capture", job)
        return Outcome(await transaction.update(image.held(job)), job, finished=False)

    async def _unchanged(self, transaction: Transaction, volume: Resource) -> Resource:
        current = await transaction.get(volume.path)
        if current is None:
            raise NotFound(f"{volume.path} is gone")
        demand_legal(current, VERB)
        if KeptVolume.of(current).attachments != KeptVolume.of(volume).attachments:
            raise Conflict("the Volume has just been connected or disconnected; try again")
        return current

    async def _still(self, transaction: Transaction, machine: Resource) -> None:
        current = await transaction.get(machine.path)
        if current is None or current.state != machine.state or current.held_by is not None:
            raise Conflict(f"{machine.path} has just changed its state; try again")
        # It reads what is committed, and so does not see the image of this transaction.
        await refuse_while_copied(self.store, machine.path)

    # Checks before

    async def volume_to_change(self, caller: Caller, path: str) -> Resource:
        """Return the Volume that this caller may make images of. Raise what the request deserves."""
        demand(caller.role, "Volume", VERB)
        demand(caller.role, self.kind, "add")
        volume = await resolve(self.store, caller, path, ("Volume",), WHERE)
        if not changeable(caller, volume):
            raise Forbidden("this Volume belongs to somebody else; only its owner or an admin may make images of it")
        return volume

    async def _volume(self, caller: Caller, path: str) -> Resource:
        volume = await self.volume_to_change(caller, path)
        demand_legal(volume, VERB)
        if volume.held_by is not None:
            raise Conflict("another request changes the Volume; try again when its job has ended")
        return volume

    async def _holders(self, volume: Resource) -> tuple[Holder, ...]:
        holders = []
        for path in KeptVolume.of(volume).attachments:
            attachment = await self.store.get(path)
            machine = await self.store.get(str(attachment.parent)) if attachment is not None else None
            if attachment is None or machine is None:
                continue
            if attachment.held_by is not None:
                raise Conflict("the Volume is being connected or disconnected; wait for that job")
            holders.append(Holder(machine, Connection.of(attachment).target))
        return tuple(holders)

    def _demand_consistent(self, volume: Resource, holders: tuple[Holder, ...]) -> bool:
        """Return whether a guest writes the Volume now. Raise Conflict when a copy could not be of one moment."""
        for holder in holders:
            demand_machine(holder.machine.state, "capture")
            if holder.machine.held_by is not None:
                raise Conflict(f"another request changes {holder.machine.path}; try again when its job has ended")
        running = [holder.machine.path for holder in holders if holder.machine.state in RUNS]
        if running and len(holders) > 1:
            raise Conflict(
                f"several Machines have {volume.path}, and what {', '.join(running)} writes meanwhile would be copied "
                "half; stop them first"
            )
        return bool(running)

    async def _image(self, volume: Resource, document: Document, live: bool) -> Resource:
        """Return the new image in the host's own pool, where images are, when that has room."""
        kept, driver = KeptVolume.of(volume), self.room.driver(volume)
        demand_up(driver)
        pool = await pool_facts(driver, self.room.hypervisors[kept.host].pool)
        image_format = "qcow2" if driver.storage.can_overlay(pool) else "raw"
        if live and image_format == "raw":
            raise NotImplementedHere(f"images of running disks need a pool of files; {pool.name} is {pool.kind}")
        await self._demand_room(driver, pool, kept)
        own: Document = {name: document[name] for name in OWN if name in document}
        bootable = document.get("bootable", volume.document.get("bootable", False))
        document = {**own, "state": "CREATING", WHERE: volume.path, "bootable": bootable}
        image = new_resource(self.kind, volume.project, document)
        return KeptImage(
            host=kept.host,
            pool=pool.name,
            volume=f"cimi-image-{image.path.rpartition('/')[2]}.{image_format}",
            format=image_format,
            virtual_size=kept.bytes,
            made_of=volume.path,
        ).on(image)

    async def _demand_room(self, driver: Driver, pool: PoolFacts, kept: KeptVolume) -> None:
        with translating():
            disk = await driver.storage.read_volume(kept.pool, kept.volume)
        needed = disk.allocation if disk.backing is None else disk.capacity
        if needed > pool.available:
            raise NoSpace(f"the pool {pool.name} has {pool.available} bytes free; the image may need {needed}")

    def _plan(self, caller: Caller, copying: Copying) -> Plan:
        volume, image = copying.volume.path, copying.image.path
        machines = tuple(holder.machine.path for holder in copying.holders)
        target = copying.holders[0].target if copying.live else None
        return self.plan(
            caller,
            VERB,
            volume,
            steps=(CopyVolume(volume, image, copying.live, machines, target),),
            locks=(volume, image, *(() if copying.live else machines)),
            affected=(image, volume),
            drop_on_failure=(image,),
            settle=SettleCopiedVolume(volume, image, copying.live, machines, target),
        )


def volume_of(collection: str, document: Document) -> str | None:
    """Return the path of the Volume that a new VolumeImage is to be made of; None for one that comes from elsewhere."""
    owner, _, verb = collection.rpartition("/")
    location = document.get(WHERE)
    if verb not in (VERB, "images"):
        return location if location is not None and location.startswith("volumes/") else None
    if location not in (None, owner):
        raise Invalid("is not the Volume which an image is asked of", WHERE)
    return owner

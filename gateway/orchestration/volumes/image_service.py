"""VolumeImages, and the entries of them in the Volumes that they were made of (DSP0263 5.16.5, 5.16.6)."""

from __future__ import annotations

from gateway.errors import Conflict, Invalid
from gateway.orchestration.common.contract import Caller, Outcome
from gateway.orchestration.common.first_answers import Write
from gateway.orchestration.common.references import resolve
from gateway.orchestration.common.resource_service import ResourceService
from gateway.orchestration.common.room import Room
from gateway.orchestration.images.facts import KeptImage
from gateway.orchestration.images.records import enter, entry_path
from gateway.orchestration.images.service import ImageService
from gateway.orchestration.volumes.capture import OWN, VolumeCaptures, volume_of
from gateway.store.model import Document, Resource
from gateway.store.questions.images import machine_with_disk_on_image, volume_on_image
from gateway.store.transaction import Transaction


class VolumeImageService(ImageService):
    """The VolumeImages: of bytes, and of Volumes."""

    kind = "VolumeImage"

    def __init__(self, room: Room, kind: str | None = None) -> None:
        super().__init__(room, kind)
        self._captures = VolumeCaptures(room)

    async def prepare(self, caller: Caller, collection: str, document: Document) -> Write:
        """Check a create: from a Volume when the document or the URI names one, else from bytes."""
        volume = volume_of(collection, document)
        if volume is None:
            return await super().prepare(caller, collection, document)
        if collection != self.type.segment:
            await self.room.services["Volume"].read(caller, volume)
        return await self._captures.prepare_from(caller, volume, document)

    def given(self, document: Document) -> Document:
        """Return whether Volumes made from the image are bootable: not unless the document says so."""
        return {"bootable": document.get("bootable", False)}

    async def may_go(self, resource: Resource) -> None:
        """Raise Conflict while storage of Volumes or disks of Machines stands on the image."""
        if await volume_on_image(self.store, resource.path) is not None:
            raise Conflict("Volumes are overlays of this image, or are being made from it; delete those Volumes first")
        if await machine_with_disk_on_image(self.store, resource.path) is not None:
            raise Conflict("disks of Machines are overlays of this image; delete those Machines first")


class VolumeVolumeImageService(ResourceService):
    """The ``images`` of Volumes. ``add`` makes one, and is not advertised, as the standard deprecates it."""

    kind = "VolumeVolumeImage"

    def __init__(self, room: Room, kind: str | None = None) -> None:
        super().__init__(room, kind)
        self._captures = VolumeCaptures(room)

    def collection_operations(self, caller: Caller, parent: Resource | None) -> tuple[str, ...]:
        """Return no operation: ``add`` is not advertised."""
        return ()

    async def prepare(self, caller: Caller, collection: str, document: Document) -> Write:
        """Check the making of an image of the Volume, or the return of an entry that was deleted."""
        volume = collection.rpartition("/")[0]
        if "volumeImage" in document:
            return await self._again(caller, volume, document)
        copy = await self._captures.prepare_from(caller, volume, document)

        async def write(transaction: Transaction) -> Outcome:
            copied = await copy(transaction)
            assert copied.resource is not None
            entry = await transaction.get(entry_path(copied.resource))
            return Outcome(entry, copied.job, copied.finished)

        return write

    async def _again(self, caller: Caller, path: str, document: Document) -> Write:
        """Check the return of an entry that was deleted, of an image of this Volume (its path)."""
        where = "volumeImage"
        volume = await self._captures.volume_to_change(caller, path)
        image = await resolve(self.store, caller, document[where]["href"], ("VolumeImage",), where)
        if KeptImage.of(image).made_of != volume.path:
            raise Invalid("was not made of this Volume; leave it out, and an image is made", where)

        async def write(transaction: Transaction) -> Outcome:
            if await transaction.get(image.path) is None or await transaction.get(volume.path) is None:
                raise Conflict("the Volume or the image is gone")
            own = {name: document[name] for name in OWN if name in document}
            entry = await enter(transaction, volume, image, own)
            plan = self.plan(caller, "add", f"{path}/images", affected=(entry.path,))
            return await self.made(transaction, entry, plan)

        return write

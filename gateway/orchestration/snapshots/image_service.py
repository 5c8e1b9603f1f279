"""MachineImages: those of files and URLs, and those that are made of Machines (DSP0263 5.14.7)."""

from __future__ import annotations

from gateway.errors import Conflict
from gateway.orchestration.common.contract import Caller, Outcome
from gateway.orchestration.common.first_answers import Write
from gateway.orchestration.common.room import Room
from gateway.orchestration.images.service import ImageService
from gateway.orchestration.machine_core.chain import KINDS
from gateway.orchestration.snapshots.capture import CaptureRequests
from gateway.orchestration.snapshots.origin import origin_of
from gateway.orchestration.snapshots.requests import ImageRequests, SnapshotRequests
from gateway.store.model import Document, Resource
from gateway.store.questions.resources import machine_on_image


class MachineImageService(ImageService):
    """The service of MachineImages."""

    kind = "MachineImage"

    def __init__(self, room: Room, kind: str | None = None) -> None:
        super().__init__(room, kind)
        self._captures = CaptureRequests(room)
        self._snapshots = SnapshotRequests(room)

    async def prepare(self, caller: Caller, collection: str, document: Document) -> Write:
        """Check a new image, and return what writes it.

        The image is made of a Machine when the document or the URI names one, else of bytes.
        """
        origin = origin_of(collection, document)
        if origin is None:
            return await super().prepare(caller, collection, {**document, "relatedImage": None})
        if collection != self.type.segment:
            await self.room.services["Machine"].read(caller, origin.machine)
        requests: ImageRequests = self._captures if origin.verb == "capture" else self._snapshots
        return await requests.prepare_from(caller, origin, document)

    async def delete(self, caller: Caller, path: str, version: int | None) -> Outcome:
        """Delete the image; a Job drops a snapshot from the hypervisor."""
        image = await self.to_change(caller, path, "delete", version)
        if image.document["type"] in KINDS:
            return await self._snapshots.delete(caller, path, version)
        return await super().delete(caller, path, version)

    def given(self, document: Document) -> Document:
        """Return the type that an image of bytes has."""
        return {"type": "IMAGE"}

    async def may_go(self, resource: Resource) -> None:
        """Raise Conflict while disks of Machines are overlays of the image."""
        if await machine_on_image(self.store, resource.path) is not None:
            raise Conflict("disks of Machines are overlays of this image; delete those Machines first")

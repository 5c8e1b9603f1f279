"""What becomes of the record of an image that was copied from something here, and of what stands for it elsewhere."""

from __future__ import annotations

from dataclasses import replace

from gateway import clock
from gateway.jobs.plan import Ended
from gateway.orchestration.common.resource_service import component
from gateway.store.model import Document, Resource
from gateway.store.transaction import Transaction


async def settle_copied(transaction: Transaction, image: Resource, ended: Ended) -> None:
    """A finished image does not point at its origin any more; a failed one leaves no record if it could be undone."""
    if ended.left:
        await transaction.update(image.with_document(state="ERROR").released().with_internal(captured=None))
    elif not ended.succeeded:
        await remove(transaction, image)
    elif image.state == "CREATING":
        shown = image.with_document(state="AVAILABLE", imageLocation=f"{image.path}/download")
        await transaction.update(shown.released().with_internal(captured=None))


async def remove(transaction: Transaction, image: Resource) -> None:
    """The record goes, and with it what its Volume shows of it."""
    if "made_of" in image.internal:
        await transaction.delete(entry_path(image))
    await transaction.delete(image.path)


def entry_path(image: Resource) -> str:
    """Path of the VolumeVolumeImage of an image that was made of a Volume (DSP0263 5.16.6)."""
    return f"{image.internal['made_of']}/images/{image.path.rpartition('/')[2]}"


async def enter(transaction: Transaction, volume: Resource, image: Resource, own: Document) -> Resource:
    """Put the image into the ``images`` of the Volume that it was made of; ``own`` is what the entry is called."""
    document = {**own, "volumeImage": {"href": image.path}}
    now = clock.now()
    segment = entry_path(image).removeprefix(f"{volume.path}/")
    entry = component(volume, "VolumeVolumeImage", segment, document)
    return await transaction.insert(replace(entry, created=now, updated=now))

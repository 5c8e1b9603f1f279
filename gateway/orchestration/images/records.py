"""The record of an image: whether it is usable, and what becomes of one that was copied from something here.

Such an image has an entry that stands for it in its Volume.
"""

from __future__ import annotations

from dataclasses import replace

from drivers.base import VolumeFacts
from gateway import clock
from gateway.errors import Conflict
from gateway.jobs.plan import Ended
from gateway.orchestration.common.resource_service import component
from gateway.orchestration.images.facts import KeptImage
from gateway.store.model import Document, Resource
from gateway.store.reading import Records
from gateway.store.transaction import Transaction


async def settle_copied(transaction: Transaction, image: Resource, ended: Ended) -> None:
    """Write a finished image without its origin, and remove the record of a failed one that could be undone."""
    if ended.left:
        await transaction.update(KeptImage.changed(image.with_document(state="ERROR").released(), captured=None))
    elif not ended.succeeded:
        await remove(transaction, image)
    elif image.state == "CREATING":
        available = image.with_document(state="AVAILABLE", imageLocation=f"{image.path}/download")
        await transaction.update(KeptImage.changed(available.released(), captured=None))


async def write_sizes(store: Records, path: str, copy: VolumeFacts) -> None:
    """Write the sizes of the copy that an image consists of, unless its record is gone."""
    async with store.transaction() as transaction:
        current = await transaction.get(path)
        if current is not None:
            kept = replace(KeptImage.of(current), virtual_size=copy.capacity, file_size=copy.physical)
            await transaction.update(kept.on(current.with_document(size=copy.physical or None)))


async def remove(transaction: Transaction, image: Resource) -> None:
    """Remove the record of an image, and with it what its Volume shows of the image."""
    if KeptImage.of(image).made_of is not None:
        await transaction.delete(entry_path(image))
    await transaction.delete(image.path)


def entry_path(image: Resource) -> str:
    """Return the path of the VolumeVolumeImage of an image that was made of a Volume (DSP0263 5.16.6)."""
    return f"{KeptImage.of(image).made_of}/images/{image.path.rpartition('/')[2]}"


async def enter(transaction: Transaction, volume: Resource, image: Resource, own: Document) -> Resource:
    """Put the image into the ``images`` of the Volume that it was made of; ``own`` is what the entry is called."""
    document = {**own, "volumeImage": {"href": image.path}}
    now = clock.now()
    segment = entry_path(image).removeprefix(f"{volume.path}/")
    entry = component(volume, "VolumeVolumeImage", segment, document)
    return await transaction.insert(replace(entry, created=now, updated=now))


async def demand_still_available(transaction: Transaction, image: str, where: str) -> None:
    """Raise Conflict when the image (its path) cannot be used any more.

    A delete of the image looks for its users in a transaction of its own: one sees the other.
    """
    current = await transaction.get(image)
    if current is None:
        raise Conflict(f"{where}: the image {image} was deleted meanwhile")
    if current.state != "AVAILABLE":
        raise Conflict(f"{where}: the image is {current.state}, not AVAILABLE")

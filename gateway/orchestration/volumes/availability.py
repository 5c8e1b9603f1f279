"""What becomes of a Volume's record, and of its pool's promise, when its storage is there or goes."""

from __future__ import annotations

from typing import Any

from drivers.base import VolumeFacts
from gateway.orchestration.common.resource_service import Room
from gateway.store.model import Resource


async def made_available(room: Room, volume: Resource, made: VolumeFacts, **facts: Any) -> None:
    """Write the Volume as AVAILABLE, with what its pool gave. ``facts`` are more internal ones."""
    # The pool shows at once what it gave; only what it did not give yet is a promise.
    room.allocated.setdefault(pool_key(volume), {})[made.name] = made.allocation
    async with room.store.transaction() as transaction:
        current = await transaction.get(volume.path)
        if current is not None:
            available = current.with_document(state="AVAILABLE").released()
            await transaction.update(available.with_internal(bytes=made.capacity, path=made.path, **facts))


def gave_back(room: Room, volume: Resource) -> None:
    """Note that the Volume's pool has the room again."""
    room.allocated.get(pool_key(volume), {}).pop(volume.internal["volume"], None)


def pool_key(volume: Resource) -> tuple[str, str]:
    """Return host and pool, as in the room's ``allocated``."""
    return volume.internal["host"], volume.internal["pool"]

"""The changes of a Volume's record, and of its pool's promise, when its storage is there or goes."""

from __future__ import annotations

from dataclasses import replace

from drivers.base import VolumeFacts
from gateway.orchestration.common.room import PoolKey, Room
from gateway.orchestration.volumes.facts import KeptVolume
from gateway.store.model import Resource


async def made_available(room: Room, volume: Resource, made: VolumeFacts) -> None:
    """Write the Volume as AVAILABLE, with what its pool gave, and without what only its making needed."""
    # The pool shows at once what it gave; only what it did not give yet is a promise.
    room.ledger.enter(pool_key(volume), made.name, made.allocation)
    async with room.store.transaction() as transaction:
        current = await transaction.get(volume.path)
        if current is not None:
            kept = replace(KeptVolume.of(current), bytes=made.capacity, path=made.path)
            kept = replace(kept, source=None, way=None, formats=(), source_format="")
            await transaction.update(kept.on(current.with_document(state="AVAILABLE").released()))


def gave_back(room: Room, volume: Resource) -> None:
    """Note that the Volume's pool has the room again."""
    room.ledger.strike(pool_key(volume), KeptVolume.of(volume).volume)


def pool_key(volume: Resource) -> PoolKey:
    """Return the host and the pool of a Volume, as the ledger names a pool."""
    kept = KeptVolume.of(volume)
    return kept.host, kept.pool

"""Room in the staging directory that is promised and not taken yet; how many uploads a user may leave waiting."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from gateway.errors import Conflict, NoSpace
from gateway.orchestration.common.room import Room
from gateway.store.questions.images import staged_sizes, waiting_uploads


async def demand_staging(room: Room, size: int) -> None:
    """Raise NoSpace when so many bytes have no room beside those that are still to come.

    This has to be called inside the transaction that writes the promise: of two at once one sees the other.
    """
    staging = room.images.staging
    promised = await staged_sizes(room.store)
    here = await staging.sizes(list(promised))
    free = await staging.free() - sum(max(0, total - here[path]) for path, total in promised.items())
    free -= sum(staging.coming.values())
    if size > free:
        kept = f", beside the {staging.reserve.size} that are kept for the store" if staging.reserve.size else ""
        raise NoSpace(f"the staging directory has {max(0, free)} bytes free{kept}; {size} are needed")


class Coming:
    """Room in the staging directory for bytes that nothing in the store tells of, promised to nobody else till the end.

    ``promised`` ends it by itself.
    """

    def __init__(self, room: Room, name: str) -> None:
        self._room = room
        self._promises = room.images.staging.coming
        self._name = name
        self._left = 0
        self.come = 0
        """Bytes that are here."""

    async def demand(self, size: int) -> None:
        """Promise room for so many bytes more. Raise NoSpace; of two at once one sees the other, as one writes."""
        async with self._room.store.transaction():
            await demand_staging(self._room, size)
            self._left += size
            self._promises[self._name] = self._left

    def has_room(self, size: int) -> bool:
        """Return whether so many bytes are promised and have not come."""
        return size <= self._left

    def came(self, size: int) -> None:
        """Note that so many bytes have been put down."""
        self.come += size
        self._left = max(0, self._left - size)
        self._promises[self._name] = self._left

    async def counted(self, pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        """Yield pieces to who puts them down, and note that they came."""
        async for piece in pieces:
            yield piece
            self.came(len(piece))

    def end(self) -> None:
        """Give back the room of what has not come."""
        self._promises.pop(self._name, None)


@asynccontextmanager
async def promised(room: Room, name: str, size: int) -> AsyncIterator[Coming]:
    """Promise room for so many bytes while they come. Raise NoSpace."""
    coming = Coming(room, name)
    try:
        await coming.demand(size)
        yield coming
    finally:
        coming.end()


async def demand_few_waiting(room: Room, project: str) -> None:
    """Raise Conflict when this user has left as many uploads waiting as one may.

    This has to be called where ``demand_staging`` is.
    """
    count = await waiting_uploads(room.store, project)
    if count >= room.images.waiting_uploads:
        raise Conflict(
            f"{count} images of yours wait for their bytes already, which is all that a user may have "
            "([images] waiting_uploads); upload them, or delete some"
        )

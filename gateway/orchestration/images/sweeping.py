"""The sweep of the staging directory: what belongs to no image, and uploads that nobody goes on with, is removed."""

from __future__ import annotations

import structlog

from drivers.supervision import Loop
from gateway.errors import GatewayError
from gateway.orchestration.common.room import Room
from gateway.orchestration.images.uploading import waits
from gateway.store.questions.images import with_staged_files

EVERY = 600.0
"""Seconds between two sweeps."""
IMAGES = frozenset({"MachineImage", "VolumeImage"})
"""Kinds that may be uploaded to."""
log = structlog.get_logger("images")


class StagingSweeper:
    """The loop that removes from the staging directory what no image and no upload needs."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._loop: Loop | None = None

    async def start(self) -> None:
        """Sweep once, before any job goes on; then now and again."""
        await self.sweep()
        self._loop = self._room.supervision.keep("staging directory", self._keep, EVERY, first_pause=EVERY)

    async def stop(self) -> None:
        """End the loop."""
        if self._loop is not None:
            await self._loop.stop()

    async def _keep(self) -> None:
        try:
            await self.sweep()
        except (GatewayError, OSError) as error:
            log.warning("the staging directory could not be cleared", reason=str(error))

    async def sweep(self) -> None:
        """Remove what nobody needs, and the images whose upload was given up."""
        tools, store = self._room.images, self._room.store
        names = await tools.staging.names()
        kept = await with_staged_files(store)
        for path in await tools.staging.sweep(names, kept, tools.upload_minutes * 60.0):
            image = await store.get(path)
            if image is not None and image.kind in IMAGES and await self._given_up(path):
                await tools.staging.remove(image)
                log.info("an unfinished upload was given up", image=path)

    async def _given_up(self, path: str) -> bool:
        """Remove the record of an image that still waits for its bytes; return whether it did."""
        async with self._room.store.transaction() as transaction:
            current = await transaction.get(path)
            if current is None or not waits(current):
                return False
            await transaction.delete(path)
        return True

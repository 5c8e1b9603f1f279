"""The file system that a new Volume is to have, by ``format`` of its configuration (DSP0263 5.16.4).

Any word is kept. ``raw`` and ``qcow2`` are no file systems: they say how the Volume is stored. What the host's tools
can make is made on raw bytes in the staging directory and streamed into the pool; a Volume of any other word is
unformatted.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

from drivers.base import Driver, DriverInvalid, DriverUnsupported, VolumeFacts
from drivers.images.sparse_raw import SparseRaw
from gateway.jobs.plan import StepContext
from gateway.orchestration.common.resource_service import Room
from gateway.orchestration.common.steps import DriverStep, unless_stopped
from gateway.orchestration.volumes.availability import gave_back, made_available
from gateway.store.model import Document, Resource

STORED = ("qcow2", "raw")
LONGEST_WORD = 60


def _word(config: Document) -> str:
    return str(config.get("format") or "").strip()


def storage_format(config: Document) -> str | None:
    """Return how the Volume is to be stored, qcow2 or raw; None where the configuration leaves that open."""
    word = _word(config).lower()
    return word if word in STORED else None


def file_system_facts(room: Room, config: Document, *, filled: bool) -> Document:
    """Return what the steps need to know of the wished file system: which is made, or why none is.

    ``filled``: the Volume begins with the content of an image.
    """
    word = _word(config)[:LONGEST_WORD]
    if not word or storage_format(config) is not None:
        return {}
    kinds = room.images.file_systems.kinds
    if filled:
        return {"unformatted": f"the Volume has the content of its image, so the file system {word} is not made"}
    if word.lower() not in kinds:
        known = ", ".join(sorted(kinds))
        return {"unformatted": f"the Volume is unformatted: {word} is no file system that is made here ({known})"}
    return {"file_system": word.lower()}


async def tell_unformatted(context: StepContext, volume: Resource) -> None:
    """Say in the Job's log that the wished file system is not made."""
    if volume.internal.get("unformatted"):
        await context.log(volume.internal["unformatted"])


class FormatVolume(DriverStep):
    """A Volume with an empty file system; then it is AVAILABLE. Done again, it makes both anew."""

    name = "format volume"

    async def do(self, context: StepContext, volume: Resource, driver: Driver, arguments: dict[str, Any]) -> None:
        made = await unless_stopped(context, self._make(context, volume, driver))
        await self.room.images.staging.remove(volume)
        await made_available(self.room, volume, made)

    async def _make(self, context: StepContext, volume: Resource, driver: Driver) -> VolumeFacts:
        tools, facts = self.room.images, volume.internal
        kind, size = facts["file_system"], facts["bytes"]
        await tools.staging.prepare(volume)
        try:
            await tools.staging.beside_the_reserve(tools.file_systems.make(kind, tools.staging.data(volume), size))
        except (DriverInvalid, DriverUnsupported) as error:
            await context.log(f"the Volume is unformatted: {kind} could not be made: {error}", "warning")
            return await driver.create_volume(facts["pool"], facts["volume"], facts["format"], size)
        made = await self._stream(context, volume, driver)
        await context.log(f"made the file system {kind}")
        return made

    async def _stream(self, context: StepContext, volume: Resource, driver: Driver) -> VolumeFacts:
        """Into the pool, without the holes of the file."""
        pool, name, stored = (volume.internal[fact] for fact in ("pool", "volume", "format"))
        source = await asyncio.to_thread(SparseRaw, self.room.images.staging.data(volume))
        try:
            if stored == "raw":
                async with aclosing(source.raw()) as raw:
                    return await driver.upload_volume(pool, name, stored, source.size, raw, context.progress)
            length, image = await source.qcow2()
            async with aclosing(image) as pieces:
                return await driver.upload_volume(pool, name, stored, length, pieces, context.progress)
        finally:
            await asyncio.to_thread(source.close)

    async def revert(self, context: StepContext, volume: Resource, driver: Driver, arguments: dict[str, Any]) -> None:
        await driver.delete_volume(volume.internal["pool"], volume.internal["volume"])
        await self.room.images.staging.remove(volume)
        gave_back(self.room, volume)

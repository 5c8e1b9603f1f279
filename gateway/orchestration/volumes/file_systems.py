"""The file system that a new Volume is to have, by ``format`` of its configuration (DSP0263 5.16.4).

Any word is kept. ``raw`` and ``qcow2`` are no file systems: they say how the Volume is stored. What the host's tools
can make is made on raw bytes in the staging directory and streamed into the pool; a Volume of any other word is
unformatted.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial

from drivers.base import DriverInvalid, DriverUnsupported, VolumeContent, VolumeFacts
from drivers.images.sparse_raw import SparseRaw
from gateway.jobs.plan import StepContext
from gateway.orchestration.common.room import Room
from gateway.orchestration.common.step import At, ResourceStep, unless_stopped
from gateway.orchestration.volumes.availability import gave_back, made_available
from gateway.orchestration.volumes.facts import KeptVolume
from gateway.store.model import Document, Resource

STORED = ("qcow2", "raw")
LONGEST_WORD = 60
"""Characters of a word that are said again."""


def _word(config: Document) -> str:
    return str(config.get("format") or "").strip()


def storage_format(config: Document) -> str | None:
    """Return how the Volume is to be stored, qcow2 or raw; None where the configuration leaves that open."""
    word = _word(config).lower()
    return word if word in STORED else None


def with_file_system(room: Room, config: Document, kept: KeptVolume, *, filled: bool) -> KeptVolume:
    """Return the facts of a new Volume with those of the wished file system: which is made, or why none is.

    ``filled``: the Volume begins with the content of an image.
    """
    word = _word(config)[:LONGEST_WORD]
    if not word or storage_format(config) is not None:
        return kept
    kinds = room.images.file_systems.kinds
    if filled:
        reason = f"the Volume has the content of its image, so the file system {word} is not made"
        return replace(kept, unformatted=reason)
    if word.lower() not in kinds:
        possible = ", ".join(sorted(kinds))
        reason = f"the Volume is unformatted: {word} is no file system that is made here ({possible})"
        return replace(kept, unformatted=reason)
    return replace(kept, file_system=word.lower())


async def tell_unformatted(context: StepContext, volume: Resource) -> None:
    """Say in the Job's log that the wished file system is not made."""
    reason = KeptVolume.of(volume).unformatted
    if reason:
        await context.log(reason)


@dataclass(frozen=True)
class FormatVolume(ResourceStep):
    """The step that makes a Volume with an empty file system; then it is AVAILABLE. Done again, it makes both anew."""

    name = "format volume"

    async def run(self, at: At) -> None:
        """Make the file system, put it into the pool, and make the Volume available."""
        made = await unless_stopped(at.job, self._make(at, KeptVolume.of(at.resource)))
        await at.room.images.staging.remove(at.resource)
        await made_available(at.room, at.resource, made)

    async def undo(self, at: At) -> None:
        """Remove the storage and what was staged for it."""
        kept = KeptVolume.of(at.resource)
        await at.driver.storage.delete_volume(kept.pool, kept.volume)
        await at.room.images.staging.remove(at.resource)
        gave_back(at.room, at.resource)

    async def _make(self, at: At, kept: KeptVolume) -> VolumeFacts:
        tools, kind = at.room.images, kept.file_system or ""
        await tools.staging.prepare(at.resource)
        data = tools.staging.data(at.resource)
        try:
            await tools.staging.beside_the_reserve(tools.file_systems.make(kind, data, kept.bytes))
        except (DriverInvalid, DriverUnsupported) as error:
            await at.job.log(f"the Volume is unformatted: {kind} could not be made: {error}", "warning")
            return await at.driver.storage.create_volume(kept.pool, kept.volume, kept.format, kept.bytes)
        made = await self._stream(at, kept)
        await at.job.log(f"made the file system {kind}")
        return made

    async def _stream(self, at: At, kept: KeptVolume) -> VolumeFacts:
        """Put the staged file into the pool, without its holes."""
        upload = partial(at.driver.storage.upload_volume, kept.pool, kept.volume)
        source = await asyncio.to_thread(SparseRaw, at.room.images.staging.data(at.resource))
        try:
            if kept.format == "raw":
                async with aclosing(source.raw()) as raw:
                    return await upload(VolumeContent(kept.format, source.size, raw), at.job.progress)
            length, image = await source.qcow2()
            async with aclosing(image) as pieces:
                return await upload(VolumeContent(kept.format, length, pieces), at.job.progress)
        finally:
            await asyncio.to_thread(source.close)

"""The steps that bring an image into a pool, and take it out again. Each may be run again after a crash.

They fill a Volume, too, that begins with an image by value: what they know of either stands in its ``Filling``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from drivers.base import DriverError, DriverInvalid, DriverNoSpace, FilePart, ImageFile, RemoteFile, VolumeContent
from gateway.errors import Invalid
from gateway.jobs.plan import Ended
from gateway.orchestration.common.room import ImageTools
from gateway.orchestration.common.step import At, ResourceStep, unless_stopped
from gateway.orchestration.common.tries import Tries
from gateway.orchestration.images.facts import (
    FileSource,
    Filling,
    PackageSource,
    Route,
    Source,
    Stated,
    UploadSource,
    UrlSource,
    kept_format,
)
from gateway.orchestration.images.pieces import Digest, ahead, looked_at, of_file
from gateway.orchestration.images.records import remove
from gateway.orchestration.images.source import WHERE
from gateway.store.durable import readable
from gateway.store.model import Resource
from gateway.store.transaction import Transaction

LOOKING = "looking at the image"
QCOW2 = "qcow2"


def source_pieces(tools: ImageTools, source: FileSource | PackageSource | UrlSource) -> AsyncGenerator[bytes, None]:
    """Return the bytes from where they are, not looked at yet. Raise Conflict for a URL that cannot be read."""
    if not isinstance(source, UrlSource):
        return of_file(source.place())
    url = readable(source.url, "the URL of the image")
    return tools.fetcher.fetch(url, RemoteFile(source.size, source.ranges, source.validator, b"", b""))


def stated(image: Resource, source: Source) -> Stated:
    """Return what the user said of the bytes: of an image, or of one by value inside a Volume."""
    inside = source.stated if isinstance(source, (FileSource, UrlSource)) else Stated()
    size, sha256 = image.document.get("size", inside.size), image.document.get("sha256", inside.sha256)
    return replace(inside, size=size, sha256=sha256)


def source_of(image: Resource) -> Source:
    """Return where the bytes of an image come from that is being made."""
    source = Filling.of(image).source
    assert source is not None
    return source


def _tries(at: At) -> Tries:
    return Tries(at.room.store, at.job.job)


async def _note(at: At, **facts: Any) -> None:
    """Keep facts of the ``Filling`` that were found out, for the steps that follow."""
    async with at.room.store.transaction() as transaction:
        current = await transaction.get(at.resource.path)
        if current is not None:
            await transaction.update(Filling.changed(current, **facts))


@dataclass(frozen=True)
class StageImage(ResourceStep):
    """The step that brings the bytes into the staging directory, compares their sum, and looks at the whole file."""

    name = "stage image"
    weight: ClassVar[int] = 2

    async def run(self, at: At) -> None:
        """Put the bytes down and look at them. Raises Invalid for other bytes than were announced."""
        await unless_stopped(at.job, self._stage(at))

    async def undo(self, at: At) -> None:
        """Remove what was put down."""
        await at.room.images.staging.remove(at.resource)

    async def _stage(self, at: At) -> None:
        image, staging = at.resource, at.room.images.staging
        source = source_of(image)
        if isinstance(source, UploadSource):
            await self._check_sum(at, source)
        elif isinstance(source, PackageSource) and source.offset is None:
            await staging.adopt(image, Path(source.path))
        else:
            await self._put_down(at, source)
        try:
            looked = await _tries(at).of(LOOKING, lambda: at.room.images.reader.inspect(staging.data(image)))
        except DriverInvalid as error:
            raise Invalid(str(error), WHERE) from error
        kept = kept_format(looked.format, Filling.of(image).formats)
        await _note(
            at,
            source_format=looked.format,
            format=kept,
            virtual_size=looked.virtual_size,
            uefi=looked.uefi,
            unpacks=looked.unpacks and kept == QCOW2,
        )

    async def _check_sum(self, at: At, source: UploadSource) -> None:
        """Raise Invalid for another sum than the user gave: uploaded bytes are read again for that alone."""
        expected = at.resource.document.get("sha256")
        if expected is None:
            return
        done = 0
        async with aclosing(ahead(of_file(at.room.images.staging.data(at.resource)))) as pieces:
            async for piece in Digest(expected).watch(pieces):
                done += len(piece)
                at.job.progress(done, source.size)

    async def _put_down(self, at: At, source: FileSource | PackageSource | UrlSource) -> None:
        tools, total = at.room.images, source.size or 0
        said = stated(at.resource, source)
        async with aclosing(ahead(source_pieces(tools, source))) as pieces:
            watched = Digest(said.expected).watch(pieces)
            size = await tools.staging.write(at.resource, watched, lambda done: at.job.progress(done, max(total, done)))
        await at.job.log(f"{size} bytes were put down")
        if said.size is not None and said.size != size:
            raise Invalid(f"the file has {size} bytes, not {said.size}", "size")


@dataclass(frozen=True)
class ConvertImage(ResourceStep):
    """The step that converts formats that guests do not use as they are to raw or qcow2."""

    name = "convert image"

    async def run(self, at: At) -> None:
        """Convert what was put down, unless it stays as it came."""
        await unless_stopped(at.job, self._convert(at))

    async def _convert(self, at: At) -> None:
        image, tools, kept = at.resource, at.room.images, Filling.of(at.resource)
        staging = tools.staging
        done = kept.source_format == kept.format or kept.unpacks
        if done or await asyncio.to_thread(staging.converted(image).exists):
            return
        part, data = staging.part(image), staging.data(image)
        await asyncio.to_thread(part.unlink, missing_ok=True)
        await staging.beside_the_reserve(
            tools.converter.convert(
                ImageFile(data, kept.source_format), ImageFile(part, kept.format), kept.virtual_size, at.job.progress
            )
        )
        made = await _tries(at).of(LOOKING, lambda: tools.reader.inspect(part))
        if made.format != kept.format:
            raise Invalid(f"converting made {made.format} of it instead of {kept.format}", WHERE)
        await _note(at, virtual_size=made.virtual_size, uefi=made.uefi)
        await asyncio.to_thread(part.rename, staging.converted(image))
        await asyncio.to_thread(data.unlink)
        await at.job.log(f"converted from {kept.source_format} to {kept.format}")


@dataclass(frozen=True)
class CopyImage(ResourceStep):
    """The step that writes a volume of the pool: from the staging directory, or straight from where the bytes are."""

    name = "copy image"
    weight: ClassVar[int] = 2

    async def run(self, at: At) -> None:
        """Put the bytes into the pool: staged or straight from their source, as they are or unpacked."""
        await unless_stopped(at.job, self._copy(at, Filling.of(at.resource)))

    async def undo(self, at: At) -> None:
        """Remove the volume."""
        kept = Filling.of(at.resource)
        await at.driver.storage.delete_volume(kept.pool, kept.volume)

    async def _copy(self, at: At, kept: Filling) -> None:
        if kept.unpacks:
            await self._unpacked(at, kept)
        elif kept.way is Route.DIRECT:
            await self._straight(at, kept)
        else:
            await self._staged(at, kept)

    async def _staged(self, at: At, kept: Filling) -> None:
        staging = at.room.images.staging
        converted, data = staging.converted(at.resource), staging.data(at.resource)
        path = converted if await asyncio.to_thread(converted.exists) else data
        size = (await asyncio.to_thread(path.stat)).st_size
        await self._demand_room(at, kept, size)
        async with aclosing(ahead(of_file(path))) as pieces:
            await at.driver.storage.upload_volume(
                kept.pool, kept.volume, VolumeContent(kept.format, size, pieces), at.job.progress
            )

    async def _straight(self, at: At, kept: Filling) -> None:
        tools, source = at.room.images, source_of(at.resource)
        assert not isinstance(source, UploadSource)
        assert source.size is not None
        async with aclosing(ahead(source_pieces(tools, source))) as pieces:
            expected = (kept.format, kept.virtual_size)
            seen = looked_at(pieces, source.size, tools.reader, expected)
            watched = Digest(stated(at.resource, source).expected).watch(seen)
            await at.driver.storage.upload_volume(
                kept.pool, kept.volume, VolumeContent(kept.format, source.size, watched), at.job.progress
            )
        if isinstance(source, UrlSource) and kept.format == QCOW2:
            await self._look_inside(at, kept, source.size)

    async def _unpacked(self, at: At, kept: Filling) -> None:
        """Make a qcow2 image of the bytes on their way, from the staging directory or straight from the package."""
        source, reader = source_of(at.resource), at.room.images.reader
        place: Path | FilePart = at.room.images.staging.data(at.resource)
        parents: list[Path | FilePart] = []
        if isinstance(source, PackageSource):
            parents = [parent.place() for parent in source.parents]
            place = source.place() if kept.way is Route.DIRECT else place
        unpacked = await _tries(at).of(LOOKING, lambda: reader.unpack(place, parents))
        try:
            await self._demand_room(at, kept, unpacked.size)
            async with aclosing(ahead(unpacked.pieces())) as pieces:
                await at.driver.storage.upload_volume(
                    kept.pool, kept.volume, VolumeContent(kept.format, unpacked.size, pieces), at.job.progress
                )
        finally:
            unpacked.close()
        await at.job.log(f"unpacked from {kept.source_format} to {kept.format} on the way")
        await self._look_inside(at, kept, unpacked.size)

    async def _demand_room(self, at: At, kept: Filling, size: int) -> None:
        pool = await at.driver.storage.read_pool(kept.pool)
        if size > pool.available:
            raise DriverNoSpace(f"the pool {pool.name} has {pool.available} bytes free; the image needs {size}")

    async def _look_inside(self, at: At, kept: Filling, size: int) -> None:
        """Note how a qcow2 image boots: that stands anywhere in its bytes, and could not be seen before they came."""

        async def part(offset: int, length: int) -> bytes:
            return b"".join(
                [piece async for piece in at.driver.storage.download_volume(kept.pool, kept.volume, offset, length)]
            )

        looked = await _tries(at).of(LOOKING, lambda: at.room.images.reader.inspect_parts(size, part))
        await _note(at, uefi=looked.uefi)


@dataclass(frozen=True)
class DeleteImage(ResourceStep):
    """The step that deletes an image's volume."""

    name = "delete image"
    leaves = "the volume"

    async def run(self, at: At) -> None:
        """Remove the volume."""
        kept = Filling.of(at.resource)
        await at.driver.storage.delete_volume(kept.pool, kept.volume)


@dataclass(frozen=True)
class SettleImage(ResourceStep):
    """The step that settles an image's record, which a failed import and a done delete remove, and its staged files."""

    name = "settle image"
    action: str

    async def settle(self, at: At, ended: Ended) -> None:
        """Write the state and the size of the image, or remove the record of one that is not there."""
        size = await self._size(at) if ended.succeeded and self.action != "delete" else None
        async with at.room.store.transaction() as transaction:
            current = await transaction.get(at.resource.path)
            if current is not None:
                await self._write(transaction, current, size, ended)
        # Not before it is on disk that no step needs it any more: a power cut may bring the job back to one.
        await at.room.images.staging.remove(at.resource)

    async def _write(self, transaction: Transaction, image: Resource, size: int | None, ended: Ended) -> None:
        if self.action == ("delete" if ended.succeeded else "add") and not ended.left:
            await remove(transaction, image)
            return
        if not ended.succeeded:
            await transaction.update(image.with_document(state="ERROR").released())
            return
        available = image.with_document(state="AVAILABLE", imageLocation=f"{image.path}/download", size=size)
        await transaction.update(Filling.changed(available.released(), source=None))

    async def _size(self, at: At) -> int | None:
        """Return the bytes that a download gives; None where the host does not tell."""
        kept = Filling.of(at.resource)
        try:
            return (await at.driver.storage.read_volume(kept.pool, kept.volume)).physical
        except DriverError:
            return None


IMAGE_STEPS: tuple[type[ResourceStep], ...] = (StageImage, ConvertImage, CopyImage, DeleteImage, SettleImage)


FILLING: dict[Route, tuple[type[ResourceStep], ...]] = {
    Route.DIRECT: (CopyImage,),
    Route.STAGED: (StageImage, ConvertImage, CopyImage),
}


def filling_steps(path: str, way: Route | None) -> tuple[ResourceStep, ...]:
    """Return the steps that bring the bytes of an image, or of a Volume that begins with one, into its pool."""
    return tuple(step(path) for step in FILLING[way or Route.STAGED])

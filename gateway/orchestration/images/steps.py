"""The steps that bring an image into a pool, and take it out again. Each may be run again after a crash.

What is known of an image stands in its internal facts: ``source`` (kind, and path or URL), ``source_format``, and
``pool``, ``volume``, ``format``, ``virtual_size`` of what it becomes.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any

from drivers.base import Driver, DriverError, DriverInvalid, DriverNoSpace, ImageFacts, RemoteFile
from gateway.errors import Invalid
from gateway.jobs.plan import StepContext
from gateway.orchestration.common.image_tools import ImageTools
from gateway.orchestration.common.readable import demand_readable
from gateway.orchestration.common.steps import DriverStep, unless_stopped
from gateway.orchestration.common.tries import Tries
from gateway.orchestration.images.pieces import Digest, ahead, looked_at, of_file
from gateway.orchestration.images.records import remove
from gateway.orchestration.images.source import WHERE, place_of
from gateway.store.model import Document, Resource
from gateway.store.transaction import Transaction

Arguments = dict[str, Any]
LOOKING = "looking at the image"


def source_pieces(tools: ImageTools, source: Document) -> AsyncGenerator[bytes, None]:
    """The bytes from where they are, not looked at yet."""
    if source["kind"] in ("file", "package"):
        return of_file(place_of(source))
    demand_readable(source["url"], "the URL of the image")
    remote = RemoteFile(source["size"], source["ranges"], source["validator"], b"", b"")
    return tools.fetcher.fetch(source["url"], remote)


def told(image: Resource, name: str) -> Any:
    """``size`` or ``sha256`` as the user gave it: of an image, or of one by value inside a Volume."""
    return image.document.get(name, image.internal["source"].get("told", {}).get(name))


def kept_format(source_format: str, formats: list[str]) -> str:
    """How the image is kept in a pool that takes these formats: as it came, or else in the last of them."""
    return source_format if source_format in formats else formats[-1]


class ImageStep(DriverStep, ABC):
    """A step that may take long: it ends at once when the job is to stop."""

    async def do(self, context: StepContext, image: Resource, driver: Driver, arguments: Arguments) -> None:
        await unless_stopped(context, self.work(context, image, driver))

    @abstractmethod
    async def work(self, context: StepContext, image: Resource, driver: Driver) -> None:
        """What takes long; it may be broken off at any await."""

    def tries(self, context: StepContext) -> Tries:
        return Tries(self.room.store, context.job)

    async def note(self, image: Resource, **facts: Any) -> None:
        """Keep what was found out, for the steps that follow."""
        async with self.room.store.transaction() as transaction:
            current = await transaction.get(image.path)
            if current is not None:
                await transaction.update(current.with_internal(**facts))


class StageImage(ImageStep):
    """The bytes into the staging directory, their sum compared, and a look at the whole file."""

    name = "stage image"

    async def work(self, context: StepContext, image: Resource, driver: Driver) -> None:
        tools, source = self.room.images, image.internal["source"]
        digest = Digest(told(image, "sha256"))
        if source["kind"] == "upload":
            await self._check(context, image, digest)
        elif source["kind"] == "package" and "offset" not in source:
            await tools.staging.adopt(image, Path(source["path"]))
        else:
            total = source["size"] or 0
            async with aclosing(ahead(source_pieces(tools, source))) as pieces:
                watched = digest.watch(pieces)
                size = await tools.staging.write(image, watched, lambda done: context.progress(done, max(total, done)))
            await context.log(f"{size} bytes were put down")
            self._compare(image, size)
        facts = await self._look(context, tools.staging.data(image))
        kept = kept_format(facts.format, image.internal["formats"])
        uefi = facts.uefi or None
        unpacks = (facts.unpacks and kept == "qcow2") or None
        await self.note(
            image,
            source_format=facts.format,
            format=kept,
            virtual_size=facts.virtual_size,
            uefi=uefi,
            unpacks=unpacks,
        )

    def _compare(self, image: Resource, size: int) -> None:
        expected = told(image, "size")
        if expected is not None and expected != size:
            raise Invalid(f"the file has {size} bytes, not {expected}", "size")

    async def _check(self, context: StepContext, image: Resource, digest: Digest) -> None:
        """Uploaded bytes are there already; only a sum that was given makes reading them worth while."""
        if "sha256" not in image.document:
            return
        total, done = image.internal["source"]["size"], 0
        async with aclosing(ahead(of_file(self.room.images.staging.data(image)))) as pieces:
            async for piece in digest.watch(pieces):
                done += len(piece)
                context.progress(done, total)

    async def _look(self, context: StepContext, path: Path) -> ImageFacts:
        try:
            return await self.tries(context).of(LOOKING, lambda: self.room.images.reader.inspect(path))
        except DriverInvalid as error:
            raise Invalid(str(error), WHERE) from error

    async def revert(self, context: StepContext, image: Resource, driver: Driver, arguments: Arguments) -> None:
        await self.room.images.staging.remove(image)


class ConvertImage(ImageStep):
    """Formats that guests do not use as they are become raw or qcow2; the others stay as they came."""

    name = "convert image"

    async def work(self, context: StepContext, image: Resource, driver: Driver) -> None:
        staging, facts = self.room.images.staging, image.internal
        done = facts["source_format"] == facts["format"] or facts.get("unpacks")
        if done or await asyncio.to_thread(staging.converted(image).exists):
            return
        part, source = staging.part(image), staging.data(image)
        await asyncio.to_thread(part.unlink, missing_ok=True)
        await staging.beside_the_reserve(
            self.room.images.converter.convert(
                source, facts["source_format"], part, facts["format"], facts["virtual_size"], context.progress
            )
        )
        made = await self.tries(context).of(LOOKING, lambda: self.room.images.reader.inspect(part))
        if made.format != facts["format"]:
            raise Invalid(f"converting made {made.format} of it instead of {facts['format']}", WHERE)
        await self.note(image, virtual_size=made.virtual_size, uefi=made.uefi or None)
        await asyncio.to_thread(part.rename, staging.converted(image))
        await asyncio.to_thread(source.unlink)
        await context.log(f"converted from {facts['source_format']} to {facts['format']}")


class CopyImage(ImageStep):
    """The bytes into a volume of the pool: from the staging directory, or straight from where they are."""

    name = "copy image"

    async def work(self, context: StepContext, image: Resource, driver: Driver) -> None:
        staging, facts = self.room.images.staging, image.internal
        if facts.get("unpacks"):
            await self._unpacked(context, image, driver)
            return
        if facts["way"] == "direct":
            await self._straight(context, image, driver)
            return
        converted, data = staging.converted(image), staging.data(image)
        path = converted if await asyncio.to_thread(converted.exists) else data
        size = (await asyncio.to_thread(path.stat)).st_size
        await self._demand_room(facts["pool"], driver, size)
        async with aclosing(ahead(of_file(path))) as pieces:
            await driver.upload_volume(facts["pool"], facts["volume"], facts["format"], size, pieces, context.progress)

    async def _straight(self, context: StepContext, image: Resource, driver: Driver) -> None:
        facts, tools = image.internal, self.room.images
        size = facts["source"]["size"]
        expected = (facts["format"], facts["virtual_size"])
        async with aclosing(ahead(source_pieces(tools, facts["source"]))) as pieces:
            seen = looked_at(pieces, size, tools.reader, expected)
            watched = Digest(told(image, "sha256")).watch(seen)
            await driver.upload_volume(facts["pool"], facts["volume"], facts["format"], size, watched, context.progress)

        if facts["source"]["kind"] == "url" and facts["format"] == "qcow2":
            await self._look_inside(context, image, driver, size)

    async def _unpacked(self, context: StepContext, image: Resource, driver: Driver) -> None:
        """Made into a qcow2 image on its way, from the staging directory."""
        facts, staging = image.internal, self.room.images.staging
        place = place_of(facts["source"]) if facts["way"] == "direct" else staging.data(image)
        parents = [place_of(parent) for parent in facts["source"].get("parents", ())]
        unpacked = await self.tries(context).of(LOOKING, lambda: self.room.images.reader.unpack(place, parents))
        try:
            await self._demand_room(facts["pool"], driver, unpacked.size)
            async with aclosing(ahead(unpacked.pieces())) as pieces:
                await driver.upload_volume(
                    facts["pool"], facts["volume"], facts["format"], unpacked.size, pieces, context.progress
                )
        finally:
            unpacked.close()
        await context.log(f"unpacked from {facts['source_format']} to {facts['format']} on the way")
        await self._look_inside(context, image, driver, unpacked.size)

    async def _demand_room(self, name: str, driver: Driver, size: int) -> None:
        pool = await driver.pool(name)
        if size > pool.available:
            raise DriverNoSpace(f"the pool {pool.name} has {pool.available} bytes free; the image needs {size}")

    async def _look_inside(self, context: StepContext, image: Resource, driver: Driver, size: int) -> None:
        """How a qcow2 image boots stands anywhere in it, and so could not be seen before it was here."""
        pool, volume = image.internal["pool"], image.internal["volume"]

        async def part(offset: int, length: int) -> bytes:
            return b"".join([piece async for piece in driver.download_volume(pool, volume, offset, length)])

        looking = self.room.images.reader.inspect_parts
        found = await self.tries(context).of(LOOKING, lambda: looking(size, part))
        await self.note(image, uefi=found.uefi or None)

    async def revert(self, context: StepContext, image: Resource, driver: Driver, arguments: Arguments) -> None:
        await driver.delete_volume(image.internal["pool"], image.internal["volume"])


class DeleteImage(DriverStep):
    name = "delete image"
    leaves = "the volume"

    async def do(self, context: StepContext, image: Resource, driver: Driver, arguments: Arguments) -> None:
        await driver.delete_volume(image.internal["pool"], image.internal["volume"])


class SettleImage(DriverStep):
    """A failed import and a done delete remove the record. Nothing stays in the staging directory."""

    name = "settle image"

    async def do(self, context: StepContext, image: Resource, driver: Driver, arguments: Arguments) -> None:
        size = await self._size(image, driver) if arguments["succeeded"] and arguments["action"] != "delete" else None
        async with self.room.store.transaction() as transaction:
            current = await transaction.get(image.path)
            if current is not None:
                await self._write(transaction, current, size, arguments)
        # Not before it is on disk that no step needs it any more: a power cut may bring the job back to one.
        await self.room.images.staging.remove(image)

    async def _write(self, transaction: Transaction, image: Resource, size: int | None, arguments: Arguments) -> None:
        succeeded, action = arguments["succeeded"], arguments["action"]
        if action == ("delete" if succeeded else "add") and not arguments.get("left"):
            await remove(transaction, image)
            return
        if not succeeded:
            await transaction.update(image.with_document(state="ERROR").released())
            return
        kept = {"state": "AVAILABLE", "imageLocation": f"{image.path}/download", "size": size}
        await transaction.update(image.with_document(**kept).released().with_internal(source=None))

    async def _size(self, image: Resource, driver: Driver) -> int | None:
        """Bytes that a download gives."""
        try:
            return (await driver.volume(image.internal["pool"], image.internal["volume"])).physical
        except DriverError:
            return None


IMAGE_STEPS: tuple[type[DriverStep], ...] = (StageImage, ConvertImage, CopyImage, DeleteImage, SettleImage)

"""MachineImages: imported from files into the hypervisor's pool (DSP0263 5.14.7)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from drivers.base import Driver, DriverInvalid, ImageReader
from drivers.images.reader import CautiousReader, open_regular
from gateway.errors import Conflict, Invalid, NoSpace, NotFound, NotImplementedHere, Unavailable
from gateway.jobs.plan import Plan, StepCall, StepContext
from gateway.orchestration.driver_errors import translating
from gateway.orchestration.images.source import WHERE, local_file
from gateway.orchestration.interrupting import interrupt
from gateway.orchestration.permissions import Role, demand
from gateway.orchestration.resources import ResourceService, Room, new_resource
from gateway.orchestration.service import Caller, Outcome
from gateway.orchestration.steps import DriverStep
from gateway.store.model import Document, Resource

PIECE = 1024 * 1024


class MachineImageService(ResourceService):
    kind = "MachineImage"
    catalogue = True

    def __init__(self, room: Room, reader: ImageReader | None = None) -> None:
        super().__init__(room)
        self._reader = reader or CautiousReader()

    async def add(self, caller: Caller, collection: str, document: Document) -> Outcome:
        demand(caller.role, self.kind, "add")
        image = await self.make(caller, document)
        async with self.store.transaction() as transaction:
            known = await self.answered(transaction, caller, document)
            if known is not None:
                return known
            await transaction.insert(image)
            plan = self._plan(caller, "add", collection, image, "copy image")
            job = await self.room.runner.submit(transaction, plan)
            image = await transaction.update(image.with_internal(job=job))
            await self.remember(transaction, caller, document, image.path, job)
        self.room.runner.wake()
        return Outcome(image, job, finished=False)

    async def make(self, caller: Caller, document: Document) -> Resource:
        location = document.get("imageLocation")
        if location is None:
            raise Invalid("is missing", WHERE)
        if document.get("type", "IMAGE") != "IMAGE" or ("://" not in location and location.startswith("machines/")):
            raise NotImplementedHere("capture and snapshots are not offered by this gateway yet")
        path = await asyncio.to_thread(local_file, location, self.room.policy.image_directories)
        try:
            facts = await self._reader.inspect(path)
        except DriverInvalid as error:
            raise Invalid(str(error), WHERE) from error
        host, settings = next(iter(self.room.hypervisors.items()))
        driver = self.room.drivers[host]
        if driver.connection != "up":
            raise Unavailable(f"the hypervisor {host} is {driver.connection.value}; try again later")
        with translating():
            pool = await driver.pool(settings.pool)
        if facts.file_size > pool.available:
            raise NoSpace(f"the pool {pool.name} has {pool.available} bytes free; the image needs {facts.file_size}")
        image = new_resource(self.kind, caller.user, {**document, "type": "IMAGE", "state": "CREATING"})
        volume = f"cimi-image-{image.path.rpartition('/')[2]}.{facts.format}"
        return replace(
            image.with_internal(
                host=host,
                pool=settings.pool,
                volume=volume,
                format=facts.format,
                virtual_size=facts.virtual_size,
                file_size=facts.file_size,
                uefi=facts.uefi or None,
                source=str(path),
            ),
            shared=caller.role is Role.ADMIN,
        )

    def _plan(self, caller: Caller, action: str, target: str, image: Resource, step: str) -> Plan:
        arguments = {"resource": image.path}
        return self.plan(
            caller,
            action,
            target,
            steps=(StepCall(step, arguments),),
            locks=(image.path,),
            affected=(image.path,),
            drop_on_success=(image.path,) if action == "delete" else (),
            drop_on_failure=(image.path,) if action == "add" else (),
            settle=StepCall("settle image", {**arguments, "action": action}),
        )

    async def delete(self, caller: Caller, path: str, version: int | None) -> Outcome:
        image = await self.to_change(caller, path, "delete", version)
        if image.state == "DELETING":
            raise Conflict("the image is being deleted already")
        await self.may_go(image)
        if image.state == "CREATING":
            await interrupt(self.room.runner, image, f"delete was asked by {caller.user}")
            found = await self.store.get(path)
            if found is None:
                return await self._gone(caller, path)
            image = found
        async with self.store.transaction() as transaction:
            current = await transaction.get(path)
            if current is None:
                raise NotFound(f"{path} is gone")
            job = await self.room.runner.submit(
                transaction, self._plan(caller, "delete", path, image, "delete image")
            )
            taken = await transaction.update(current.with_document(state="DELETING").with_internal(job=job))
        self.room.runner.wake()
        return Outcome(taken, job, finished=False)

    async def _gone(self, caller: Caller, path: str) -> Outcome:
        async with self.store.transaction() as transaction:
            plan = self.plan(caller, "delete", path, drop_on_success=(path,))
            job = await self.room.runner.completed(transaction, plan)
        return Outcome(None, job, finished=True)

    async def may_go(self, resource: Resource) -> None:
        rows = await self.store.fetch(
            "SELECT path FROM resources WHERE kind = 'Machine' AND json_extract(internal, '$.image') = ? "
            "AND json_extract(internal, '$.overlay') = 1 LIMIT 1",
            (resource.path,),
        )
        if rows:
            raise Conflict("disks of Machines are overlays of this image; delete those Machines first")


class CopyImage(DriverStep):
    """The bytes of the file into a volume of the pool."""

    name = "copy image"

    async def do(self, context: StepContext, image: Resource, driver: Driver, arguments: dict[str, Any]) -> None:
        facts = image.internal
        descriptor = await asyncio.to_thread(open_regular, Path(facts["source"]))
        try:
            if os.fstat(descriptor).st_size != facts["file_size"]:
                raise Invalid("the file has changed since it was looked at", WHERE)
            pieces = _pieces(context, descriptor)
            await driver.upload_volume(
                facts["pool"], facts["volume"], facts["format"], facts["file_size"], pieces, context.progress
            )
        finally:
            os.close(descriptor)

    async def revert(self, context: StepContext, image: Resource, driver: Driver, arguments: dict[str, Any]) -> None:
        await driver.delete_volume(image.internal["pool"], image.internal["volume"])


async def _pieces(context: StepContext, descriptor: int) -> AsyncIterator[bytes]:
    while piece := await asyncio.to_thread(os.read, descriptor, PIECE):
        context.check()
        yield piece


class DeleteImage(DriverStep):
    name = "delete image"

    async def do(self, context: StepContext, image: Resource, driver: Driver, arguments: dict[str, Any]) -> None:
        await driver.delete_volume(image.internal["pool"], image.internal["volume"])


class SettleImage(DriverStep):
    """A failed import and a done delete remove the record."""

    name = "settle image"

    async def do(self, context: StepContext, image: Resource, driver: Driver, arguments: dict[str, Any]) -> None:
        succeeded, action = arguments["succeeded"], arguments["action"]
        async with self.room.store.transaction() as transaction:
            current = await transaction.get(image.path)
            if current is None:
                return
            if action == ("delete" if succeeded else "add") and not arguments.get("left"):
                await transaction.delete(image.path)
                return
            state = "AVAILABLE" if succeeded else "ERROR"
            await transaction.update(current.with_document(state=state).with_internal(job=None))


IMAGE_STEPS: tuple[type[DriverStep], ...] = (CopyImage, DeleteImage, SettleImage)

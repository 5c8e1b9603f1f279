"""The common part of Systems and SystemTemplates as packages: import on their collections, export of each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from gateway.orchestration.common.contract import Caller, Incoming, Outcome
from gateway.orchestration.common.first_answers import Request, Write, answer_once
from gateway.orchestration.common.permissions import demand, granted
from gateway.orchestration.common.resource_service import ResourceService
from gateway.orchestration.systems.packages.exporting import VERB as EXPORT
from gateway.orchestration.systems.packages.exporting import PackageExports, check_format
from gateway.orchestration.systems.packages.importing import VERB as IMPORT
from gateway.orchestration.systems.packages.importing import PackageImports, demand_import
from gateway.orchestration.systems.packages.parts import Described
from gateway.orchestration.systems.packages.uploads import PackageUpload
from gateway.store.model import Resource


@dataclass(frozen=True, slots=True)
class ArrivingPackage:
    """A package that is being received, and the import that it is for."""

    imports: PackageImports
    caller: Caller
    upload: PackageUpload
    properties: dict[str, str]

    async def write(self, piece: bytes) -> None:
        """Put the next bytes down."""
        await self.upload.write(piece)

    async def done(self) -> Outcome:
        """Return the Job that imports the package."""
        return await self.imports.of_upload(self.caller, self.upload, self.properties)


class PackagedService(ResourceService, ABC):
    """A family that packages can be made of, and that can be made of packages."""

    def collection_operations(self, caller: Caller, parent: Resource | None) -> tuple[str, ...]:
        """Return the operations on the collection, with ``import`` where the caller may add."""
        verbs = super().collection_operations(caller, parent)
        return (*verbs, IMPORT) if verbs and granted(caller.role, self.kind, IMPORT) else verbs

    async def act_on_collection(
        self, caller: Caller, collection: str, action: str, document: dict[str, Any]
    ) -> Outcome:
        """Begin an import, or do what the base class does."""
        if action != IMPORT:
            return await super().act_on_collection(caller, collection, action, document)
        return await PackageImports(self.room, self.kind, collection).by_action(caller, document)

    @asynccontextmanager
    async def incoming(
        self, caller: Caller, collection: str, action: str, size: int | None, properties: Mapping[str, str]
    ) -> AsyncIterator[Incoming]:
        """Take a package into the staging directory. Raises Forbidden before the first byte is taken."""
        demand_import(caller, self.kind)
        summed = caller.idempotency_key is not None
        async with PackageUpload(self.room, size, summed=summed) as upload:
            yield ArrivingPackage(PackageImports(self.room, self.kind, collection), caller, upload, dict(properties))

    async def export(self, caller: Caller, path: str, document: dict[str, Any]) -> Outcome:
        """Begin the Job that writes a package of the resource at this path, or give the first answer again."""
        demand(caller.role, self.kind, EXPORT)

        async def prepare() -> Write:
            resource = await self.to_export(caller, path)
            check_format(document)
            described = await self.described(caller, resource)
            return await PackageExports(self.room).prepare(caller, resource, described, document)

        return await answer_once(self.store, caller, Request(self.kind, path, document, EXPORT), prepare)

    async def to_export(self, caller: Caller, path: str) -> Resource:
        """Return the resource, when this caller may export it now. Raises NotFound, Forbidden, Conflict."""
        return await self.read(caller, path)

    @abstractmethod
    async def described(self, caller: Caller, resource: Resource) -> Described:
        """Return what of a resource is to be written."""


__all__ = ["EXPORT", "IMPORT", "PackagedService"]

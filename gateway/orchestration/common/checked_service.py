"""Service of types that are templates or configurations: stored as they are, once they have been checked."""

from __future__ import annotations

from abc import ABC, abstractmethod

from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.resource_service import ResourceService, new_resource
from gateway.store.model import Document, Resource


class CheckedService(ResourceService, ABC):
    """Service of a type whose documents are checked when they are made and when they are edited."""

    catalogue = True

    async def make(self, caller: Caller, document: Document) -> Resource:
        """Return the checked new resource."""
        await self.check(caller, document)
        return new_resource(self.kind, caller.project, document)

    async def change(
        self, caller: Caller, resource: Resource, document: Document, selected: frozenset[str] | None
    ) -> Resource:
        """Return the resource after the edit, checked as a whole."""
        changed = await super().change(caller, resource, document, selected)
        await self.check(caller, changed.document)
        return changed

    @abstractmethod
    async def check(self, caller: Caller, document: Document) -> None:
        """Raise Invalid, naming the attribute, for a document that nothing could be made of."""

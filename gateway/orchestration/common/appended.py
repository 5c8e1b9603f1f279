"""What is only ever appended to another resource, as clients read it: entry by entry, or in pages."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from gateway.errors import NotFound
from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.permissions import demand
from gateway.orchestration.common.resource_service import ResourceService
from gateway.store.model import Resource


class AppendedService(ResourceService):
    """The service of entries that a number names; who sees their owner sees them, and nobody changes them."""

    computed = True
    owner_kind: ClassVar[str]
    segment: ClassVar[str]
    """Part of the path between the owner's and the number."""
    longest: ClassVar[int]
    """Digits of a number."""

    async def read(self, caller: Caller, path: str) -> Resource:
        """Return the entry at the path, whose last part is its number. Raises NotFound."""
        demand(caller.role, self.kind, "read")
        owner_path, _, number = path.rpartition(f"/{self.segment}/")
        owner = await self.store.get(owner_path)
        visible = owner is not None and owner.kind == self.owner_kind and await self.seen(caller, owner)
        is_number = number.isascii() and number.isdecimal() and len(number) <= self.longest
        entry = await self.entry(owner_path, int(number)) if visible and is_number else None
        if entry is None:
            raise NotFound(f"there is no {self.kind} {path[:200]}")
        return entry

    @abstractmethod
    async def entry(self, owner: str, number: int) -> Resource | None:
        """Return the entry of an owner with this number; None when there is none."""

    def operations(self, caller: Caller, resource: Resource) -> tuple[str, ...]:
        """Return nothing: entries are only read."""
        return ()

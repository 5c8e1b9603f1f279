"""Packet filters in memory."""

from __future__ import annotations

from drivers.base import Reach
from drivers.memory.host import MemoryHost


class MemoryFilters(MemoryHost):
    """Implements drivers.base.FilterCalls."""

    async def define_reach(self, reach: Reach) -> bool:
        self.enter("define_reach")
        changed = self.known_filters.get(reach.network) != reach
        self.known_filters[reach.network] = reach
        return changed

    async def delete_reach(self, network: str) -> None:
        self.enter("delete_reach")
        self.known_filters.pop(network, None)

    async def filtered(self) -> tuple[str, ...]:
        self.enter("filtered")
        return tuple(self.known_filters)

"""Networks in memory."""

from __future__ import annotations

from drivers.base import (
    NetworkFacts,
)
from drivers.memory.host import MemoryHost


class MemoryNetworks(MemoryHost):
    """Implements drivers.base.NetworkCalls."""

    async def networks(self) -> tuple[NetworkFacts, ...]:
        return (await self.network("default"),)

    async def network(self, name: str) -> NetworkFacts:
        self.enter("network")
        return NetworkFacts(name, True, "virbr0", "nat")

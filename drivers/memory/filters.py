"""Packet filters in memory."""

from __future__ import annotations

from drivers.base import Reach
from drivers.memory.state import MemoryState


class MemoryFilters:
    """The part ``filters`` of the driver (drivers.base.FilterCalls)."""

    def __init__(self, state: MemoryState) -> None:
        self._state = state

    async def define(self, reach: Reach) -> bool:
        """Keep the reach, and return whether it is another one than before."""
        self._state.enter("filters.define")
        changed = self._state.filters.get(reach.network) != reach
        self._state.filters[reach.network] = reach
        return changed

    async def delete(self, network: str) -> None:
        """Forget the network's reach."""
        self._state.enter("filters.delete")
        self._state.filters.pop(network, None)

    async def list_networks(self) -> tuple[str, ...]:
        """Return the UUIDs of the networks whose reach is kept."""
        self._state.enter("filters.list_networks")
        return tuple(self._state.filters)

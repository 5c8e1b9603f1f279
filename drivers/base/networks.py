"""Virtual networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class NetworkFacts:
    name: str
    active: bool
    bridge: str | None
    forward: str
    """nat, route, open, bridge, or isolated."""
    mtu: int | None = None


class NetworkCalls(Protocol):
    """Virtual networks, by name."""

    async def networks(self) -> tuple[NetworkFacts, ...]: ...

    async def network(self, name: str) -> NetworkFacts: ...

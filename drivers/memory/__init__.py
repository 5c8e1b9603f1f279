"""A hypervisor in memory, for tests that want speed: real state rules, and faults on demand."""

from __future__ import annotations

from drivers.memory.domains import MemoryDomains
from drivers.memory.networks import MemoryNetworks
from drivers.memory.storage import MemoryStorage

__all__ = ["MemoryDriver"]


class MemoryDriver(MemoryDomains, MemoryStorage, MemoryNetworks):
    """Implements drivers.base.Driver."""

"""A hypervisor in memory, for tests that want speed: real state rules, and faults on demand."""

from __future__ import annotations

from drivers.memory.devices import MemoryDevices
from drivers.memory.filters import MemoryFilters
from drivers.memory.networks import MemoryNetworks
from drivers.memory.snapshots import MemorySnapshots

__all__ = ["MemoryDriver"]


class MemoryDriver(MemoryDevices, MemorySnapshots, MemoryNetworks, MemoryFilters):
    """Implements drivers.base.Driver."""

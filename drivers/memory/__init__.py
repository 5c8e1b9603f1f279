"""A hypervisor in memory, for tests that want speed: real state rules, and faults on demand."""

from __future__ import annotations

from drivers.memory.devices import MemoryDevices
from drivers.memory.filters import MemoryFilters
from drivers.memory.networks import MemoryNetworks
from drivers.memory.snapshots import MemorySnapshots
from drivers.memory.statistics import MemoryStatistics
from drivers.memory.usage import Usage

__all__ = ["MemoryDriver", "Usage"]


class MemoryDriver(MemoryDevices, MemorySnapshots, MemoryNetworks, MemoryFilters, MemoryStatistics):
    """Implements drivers.base.Driver."""

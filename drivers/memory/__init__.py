"""A hypervisor in memory, for tests that want speed: real state rules, and faults on demand."""

from drivers.memory.driver import MemoryDriver
from drivers.memory.usage import Usage

__all__ = ["MemoryDriver", "Usage"]

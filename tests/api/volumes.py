"""Volumes in memory: their creates, and what the hypervisor has of them."""

from __future__ import annotations

from typing import Any

from drivers.memory import MemoryDriver

MAPPED = "http://schemas.dmtf.org/cimi/1/mapped"


def by_value(capacity: int = 50_000, **config: Any) -> dict[str, Any]:
    return {"name": "data", "volumeTemplate": {"volumeConfig": {"type": MAPPED, "capacity": capacity, **config}}}


def stored(driver: MemoryDriver, volume: str) -> Any:
    """What the hypervisor has of a Volume."""
    return next((v for (_, name), v in driver.state.volumes.items() if volume.rpartition("/")[2] in name), None)


def targets(driver: MemoryDriver, machine: str) -> list[str]:
    """Where the Machine has disks, as the hypervisor says."""
    return sorted(disk.target for disk in driver.state.domains[machine.rpartition("/")[2]].disks)


def connected(volume: str, location: str | None = None) -> dict[str, Any]:
    return {"volume": {"href": volume}, **({"initialLocation": location} if location else {})}

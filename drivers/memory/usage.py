"""The use that a guest in memory makes of its host, as tests say."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Usage:
    """Counters since the guest was started. ``stuck``: the hypervisor tells nothing but its state."""

    cpu_seconds: float = 0.0
    memory_used_kib: int = 65_536
    read_bytes: int = 0
    written_bytes: int = 0
    received_bytes: int = 0
    sent_bytes: int = 0
    run: int = 1
    stuck: bool = False
    disk: str = "vda"
    """The target which it reads from and writes to."""

"""What the system says of a process: its CPU time, its memory; and how to wait until it has nothing to do."""

from __future__ import annotations

import asyncio
from pathlib import Path

BUSY = 0.2
"""Share of a CPU from which on a process does more than it does for ever."""


def cpu_seconds(pid: int) -> float:
    """CPU time of the process' threads that live, in seconds, by the scheduler's count of nanoseconds."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def resident_megabytes(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1000
    raise SystemExit("no VmRSS")


async def quiet(pid: int, seconds: float = 120.0) -> None:
    """Wait, no longer than this, until the process rests: a gateway first compares all Machines with their host."""
    for _ in range(int(seconds)):
        before = cpu_seconds(pid)
        await asyncio.sleep(1)
        if cpu_seconds(pid) - before < BUSY:
            return

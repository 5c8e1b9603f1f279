"""A gateway over many stored Machines, in a process of its own: `python -m bench.stored DIRECTORY COUNT`.

Each Machine has a Disk and a network interface. What is stored in the directory already is taken as it is.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path

import structlog

from bench.private import equipped, fill, hold, machine, serving
from drivers.memory import MemoryDriver


async def serve(home: Path, count: int) -> None:
    if not (home / "gateway.db").exists():
        await fill(home / "gateway.db", count, machine, equipped)
    driver = MemoryDriver()
    for number in range(count):
        hold(driver, machine(number))
    async with serving(home, driver) as running:
        print(running.settings.server.listen, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2])))

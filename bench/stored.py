"""A gateway over many stored Machines, in a process of its own: `python -m bench.stored DIRECTORY COUNT`.

Each Machine has a Disk and a network interface. What is stored in the directory already is taken as it is; else another
process stores it (`... COUNT fill`), so that its memory is not taken for the gateway's.
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
        filling = await asyncio.create_subprocess_exec(sys.executable, "-m", "bench.stored", home, str(count), "fill")
        assert await filling.wait() == 0
    driver = MemoryDriver()
    for number in range(count):
        hold(driver, machine(number))
    async with serving(home, driver) as running:
        print(running.settings.server.listen, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    home, count = Path(sys.argv[1]), int(sys.argv[2])
    asyncio.run(fill(home / "gateway.db", count, machine, equipped) if "fill" in sys.argv else serve(home, count))

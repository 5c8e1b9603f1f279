"""The longest time that reads of the largest pages keep the event loop, in which nobody else is served.

It is CPU time of the loop's thread within one call of the loop, so that what else the machine does is not counted.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from bench.private import equipped, fill, hold, machine, serving
from bench.report import Row
from demo.basic_auth import basic_auth
from drivers.memory import MemoryDriver

COUNT = 1000
URLS = ("machines", "machines?$expand=disks,networkInterfaces", "machines?$expand=*")


async def measure() -> list[Row]:
    with tempfile.TemporaryDirectory() as home:
        await fill(Path(home) / "gateway.db", COUNT, machine, equipped)
        driver = MemoryDriver()
        for number in range(COUNT):
            hold(driver, machine(number))
        async with serving(Path(home), driver) as running:
            for loop in tuple(running.supervision.loops.values()):
                await loop.stop()  # What they take of the loop is not meant.
            base = f"http://{running.settings.server.listen}/cimi/"
            longest = max([await _longest(base, url, media) for url in URLS for media in ("json", "xml")])
    return [Row(f"longest hold of the loop by a page of {COUNT:,}, all expanded", longest * 1000, 20.0, " ms")]


async def _longest(base: str, url: str, media: str) -> float:
    """Return the seconds of the longest call of the loop while the page is read twice, made anew and from memory."""
    headers = {"Accept": f"application/{media}", "Authorization": basic_auth("admin", "secret")}
    longest = 0.0
    for _ in range(2):
        # A process of its own: the client's calls of the loop are not meant.
        process = await asyncio.create_subprocess_exec("curl", "-sf", "-o", "/dev/null", *_words(headers), base + url)
        with _calls() as calls:
            assert await process.wait() == 0
        longest = max(longest, *calls)
    return longest


def _words(headers: dict[str, str]) -> list[str]:
    return [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]


@contextmanager
def _calls() -> Iterator[list[float]]:
    """Collect the seconds of CPU that each call of the loop takes."""
    calls: list[float] = []
    run = asyncio.Handle._run

    def timed(handle: asyncio.Handle) -> None:
        began = time.thread_time()
        run(handle)
        calls.append(time.thread_time() - began)

    with mock.patch.object(asyncio.Handle, "_run", timed):
        yield calls

"""The median time of a GET, one at a time, from a process of its own; seconds on standard output."""

from __future__ import annotations

import asyncio
import statistics
import sys
import time

import aiohttp

from demo.basic_auth import basic_auth

PAUSE = 0.005


async def latency(url: str, count: int) -> float:
    headers = {"Accept": "application/json", "Authorization": basic_auth("admin", "secret")}
    times = []
    async with aiohttp.ClientSession(headers=headers) as session:
        for _ in range(count):
            began = time.perf_counter()
            async with session.get(url) as answer:
                assert answer.status == 200, answer.status
                await answer.read()
            times.append(time.perf_counter() - began)
            await asyncio.sleep(PAUSE)
    return statistics.median(times)


if __name__ == "__main__":
    print(asyncio.run(latency(sys.argv[1], int(sys.argv[2]))))

"""A bounded number of GETs from a process of its own; requests per second on standard output."""

from __future__ import annotations

import asyncio
import sys
import time

import aiohttp

CONNECTIONS = 8


async def load(url: str, media: str, count: int) -> float:
    headers = {"Accept": f"application/{media}", "Authorization": aiohttp.encode_basic_auth("admin", "secret")}
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    async with aiohttp.ClientSession(headers=headers, connector=connector) as session:

        async def some(number: int) -> None:
            for _ in range(number):
                async with session.get(url) as answer:
                    assert answer.status == 200, answer.status
                    await answer.read()

        await some(20)
        began = time.perf_counter()
        await asyncio.gather(*(some(count // CONNECTIONS) for _ in range(CONNECTIONS)))
        return count / (time.perf_counter() - began)


if __name__ == "__main__":
    print(asyncio.run(load(sys.argv[1], sys.argv[2], int(sys.argv[3]))))

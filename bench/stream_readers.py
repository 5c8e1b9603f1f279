"""Many readers of the live stream, each of which reads as fast as it can, until the process is killed."""

from __future__ import annotations

import asyncio
import sys

import aiohttp

from demo.basic_auth import basic_auth


async def read(session: aiohttp.ClientSession, url: str) -> None:
    async with session.get(url) as answer:
        assert answer.status == 200, answer.status
        async for _ in answer.content.iter_any():
            pass


async def readers(url: str, count: int) -> None:
    headers = {"Accept": "text/event-stream", "Authorization": basic_auth("admin", "secret")}
    timeout = aiohttp.ClientTimeout(total=None)
    connector = aiohttp.TCPConnector(limit=count)
    async with aiohttp.ClientSession(headers=headers, connector=connector, timeout=timeout) as session:
        await asyncio.gather(*(read(session, url) for _ in range(count)))


if __name__ == "__main__":
    asyncio.run(readers(sys.argv[1], int(sys.argv[2])))

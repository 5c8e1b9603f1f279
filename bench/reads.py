"""GET of one Machine against a bare aiohttp handler that returns the same bytes."""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
from pathlib import Path

import aiohttp
from aiohttp import web

from bench.private import free_port, gateway, machine
from bench.report import Row

COUNT = 1600
ROUNDS = 5
BOUNDS = {"json": 0.5, "xml": 0.4}


async def rate(url: str, media: str) -> float:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.load", url, media, str(COUNT), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    return float(output)


async def measure() -> list[Row]:
    rows = []
    with tempfile.TemporaryDirectory() as home:
        async with gateway(Path(home), 10) as running:
            url = f"http://{running.settings.server.listen}/cimi/{machine(1).path}"
            for media, bound in BOUNDS.items():
                body = await _body(url, media)
                async with _bare(body, media) as bare:
                    pairs = [(await rate(url, media), await rate(bare, media)) for _ in range(ROUNDS)]
                ratio = statistics.median(ours / theirs for ours, theirs in pairs)
                rows.append(Row(f"GET of one Machine as {media}, against a bare handler", ratio, bound, least=True))
    return rows


async def _body(url: str, media: str) -> bytes:
    headers = {"Accept": f"application/{media}", "Authorization": aiohttp.encode_basic_auth("admin", "secret")}
    async with aiohttp.ClientSession(headers=headers) as session, session.get(url) as answer:
        return await answer.read()


class _bare:  # noqa: N801 - reads as a function
    def __init__(self, body: bytes, media: str) -> None:
        self._body = body
        self._media = media

    async def __aenter__(self) -> str:
        async def handle(_request: web.Request) -> web.Response:
            return web.Response(body=self._body, content_type=f"application/{self._media}")

        application = web.Application()
        application.router.add_get("/", handle)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        port = free_port()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        return f"http://127.0.0.1:{port}/"

    async def __aexit__(self, *_error: object) -> None:
        await self._runner.cleanup()

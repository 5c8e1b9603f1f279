"""A bare aiohttp application in a process of its own: `python -m bench.bare PORT DIRECTORY`.

Each file in the directory is answered as it is at `/NAME`, as the media type after its last dot; an empty one by 304.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web


def application(directory: Path) -> web.Application:
    made = web.Application()
    for file in sorted(directory.iterdir()):
        made.router.add_get(f"/{file.name}", _handler(file.read_bytes(), file.suffix.removeprefix(".")))
    return made


def _handler(body: bytes, media: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(_request: web.Request) -> web.Response:
        if not body:
            return web.Response(status=304)
        return web.Response(body=body, content_type=f"application/{media}")

    return handle


async def serve(port: int, directory: Path) -> None:
    runner = web.AppRunner(application(directory), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    print("serving", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2])))

"""A web server that misbehaves on request, for the tests of fetching."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class WebServer:
    """Serves ``data`` at any path; the attributes say how badly."""

    data: bytes
    ranges: bool = True
    tag: str | None = '"v1"'
    break_at: int | None = None
    """Break the connection after so many bytes of the file, ``breaks`` times."""
    breaks: int = 10**6
    stall_at: int | None = None
    """Send nothing from there on, until this is None again."""
    stalled: int = 0
    pace: float = 0.0
    """Seconds between two pieces of 64 KiB."""
    claim: int | None = None
    """The length that the server announces, whatever it sends."""
    chunked: bool = False
    redirect: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    others: dict[str, bytes] = field(default_factory=dict)
    """What is at these paths instead, served well."""
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    url: str = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((request.path, request.headers.get("Range")))
        if request.path == "/away" and self.redirect:
            return web.Response(status=302, headers={"Location": self.redirect})
        if request.path in self.others:
            return web.Response(body=self.others[request.path])
        begin, end = self._asked(request)
        response = web.StreamResponse(status=206 if begin is not None else 200, headers=self.headers)
        if self.tag:
            response.headers["ETag"] = self.tag
        size = self.claim or len(self.data)
        if begin is not None:
            response.headers["Content-Range"] = f"bytes {begin}-{end - 1}/{size}"
        if self.chunked:
            response.enable_chunked_encoding()
        else:
            response.content_length = min(end, size) - (begin or 0) if begin is not None else size
        await response.prepare(request)
        await self._send(request, response, begin or 0, end)
        return response

    def _asked(self, request: web.Request) -> tuple[int | None, int]:
        wanted = request.headers.get("Range")
        if not wanted or not self.ranges or request.headers.get("If-Range", self.tag) != self.tag:
            return None, len(self.data)
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        return int(first), min(int(last) + 1, len(self.data)) if last else len(self.data)

    async def _send(self, request: web.Request, response: web.StreamResponse, begin: int, end: int) -> None:
        whole = end - begin > 100_000
        for position in range(begin, end, 65536):
            if whole and self.break_at is not None and position >= self.break_at and self.breaks > 0:
                self.breaks -= 1
                assert request.transport is not None
                request.transport.abort()
                return
            if whole and self.stall_at is not None and position >= self.stall_at:
                await self._stall()
            if whole and self.pace:
                await asyncio.sleep(self.pace)
            await response.write(self.data[position : min(position + 65536, end)])

    async def _stall(self) -> None:
        self.stalled += 1
        while self.stall_at is not None:
            await asyncio.sleep(0.02)


@asynccontextmanager
async def serving(server: WebServer) -> AsyncIterator[WebServer]:
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()


@contextmanager
def running(server: WebServer) -> Iterator[WebServer]:
    """The server on a loop and a thread of its own, for tests that block."""
    loop = asyncio.new_event_loop()
    ready, over = threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with serving(server):
            ready.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield server
    finally:
        server.stall_at = None
        loop.call_soon_threadsafe(over.set)
        thread.join(10)
        loop.close()

"""A server that answers as a test says, and counts who asks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import web

from tests.gateway_process import free_port

Answering = Callable[[web.Request], Awaitable[web.StreamResponse]]
ENTRY = {
    "resourceURI": "http://schemas.dmtf.org/cimi/1/CloudEntryPoint",
    "machines": {"href": "machines"},
}


@dataclass
class Misbehaving:
    """One at ``url``; ``answers`` are what it does by method and path, and what is not in them is 404."""

    answers: dict[str, Answering] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    requests: list[web.Request] = field(default_factory=list)
    port: int = field(default_factory=free_port)
    runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    async def start(self) -> None:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self.answer)
        self.runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", self.port).start()

    async def stop(self) -> None:
        if self.runner is not None:
            await self.runner.cleanup()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        called = f"{request.method} {request.path}"
        self.asked.append(called)
        self.requests.append(request)
        if called in self.answers:
            return await self.answers[called](request)
        if called == "GET /":
            return web.json_response(ENTRY)
        return web.Response(status=404)


async def hang_up(request: web.Request) -> web.StreamResponse:
    """Take the request, and break the connection instead of answering."""
    await request.read()
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


def in_turn(*answers: Answering) -> Answering:
    """Answer each request by the next one, and the last for ever."""
    left = list(answers)

    async def answer(request: web.Request) -> web.StreamResponse:
        one = left.pop(0) if len(left) > 1 else left[0]
        return await one(request)

    return answer


def says(document: object, status: int = 200, **headers: str) -> Answering:
    async def answer(request: web.Request) -> web.StreamResponse:
        await request.read()
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.json_response(document, status=status, headers=sent)

    return answer


def sends(body: bytes, media: str = "application/json", status: int = 200, **headers: str) -> Answering:
    async def answer(request: web.Request) -> web.StreamResponse:
        await request.read()
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(body=body, content_type=media, status=status, headers=sent)

    return answer


def streams(text: str, *, broken: bool = False) -> Answering:
    """A stream that sends a text; one that is not broken goes on for ever."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(text.encode())
        if not broken:
            await asyncio.Event().wait()
        assert request.transport is not None
        request.transport.abort()
        return response

    return answer

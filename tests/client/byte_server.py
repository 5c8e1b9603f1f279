"""A server of images that takes bytes in pieces and gives them, and whose connections break where a test says."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.gateway_process import free_port

NAMESPACE = "http://cimi-gateway.org/ns/1/action"
CHUNK = 1000


@dataclass
class ByteServer:
    """One image, as ``content`` once all its bytes are here.

    ``breaks_up`` and ``breaks_down`` are the positions at which a connection breaks, each once.
    """

    size: int
    received: bytearray = field(default_factory=bytearray)
    content: bytes = b""
    breaks_up: list[int] = field(default_factory=list)
    breaks_down: list[int] = field(default_factory=list)
    loses_last_answer: bool = False
    tag: str = '"1"'
    sha256: str = ""
    asked: list[str] = field(default_factory=list)
    port: int = field(default_factory=free_port)
    runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    async def start(self) -> None:
        application = web.Application(client_max_size=10**9)
        application.router.add_get("/", self.entry)
        application.router.add_get("/image", self.image)
        application.router.add_route("*", "/upload", self.upload)
        application.router.add_get("/download", self.download)
        self.runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", self.port).start()

    async def stop(self) -> None:
        if self.runner is not None:
            await self.runner.cleanup()

    @property
    def document(self) -> dict[str, Any]:
        verb = "download" if self.content else "upload"
        state = "AVAILABLE" if self.content else "CREATING"
        operations = [{"rel": f"{NAMESPACE}/{verb}", "href": verb}]
        known = {"sha256": self.sha256} if self.sha256 else {}
        return {"id": "image", "state": state, "size": self.size, "operations": operations, **known}

    async def entry(self, _request: web.Request) -> web.Response:
        return web.json_response({"baseURI": self.url})

    async def image(self, _request: web.Request) -> web.Response:
        return web.json_response(self.document)

    async def upload(self, request: web.Request) -> web.Response:
        offset = {"Upload-Offset": str(len(self.received))}
        if self.content:
            return web.Response(status=409)
        if request.method != "PUT":
            return web.Response(headers=offset)
        start = int(request.headers["Content-Range"].removeprefix("bytes ").partition("-")[0])
        self.asked.append(request.headers["Content-Range"])
        if start != len(self.received):
            return web.json_response({"statusMessage": "wrong offset"}, status=409, headers=offset)
        async for piece in request.content.iter_chunked(CHUNK):
            self.received += piece
            if self.breaks_up and len(self.received) >= self.breaks_up[0]:
                del self.breaks_up[0]
                return abort(request)
        summed = base64.b64encode(hashlib.sha256(bytes(self.received[start:])).digest()).decode()
        assert request.headers["Content-Digest"] == f"sha-256=:{summed}:"
        if len(self.received) == self.size:
            self.content = bytes(self.received)
            if self.loses_last_answer:
                return abort(request)
        return web.json_response(self.document)

    async def download(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.headers.get("Range", ""))
        begin = 0
        if "Range" in request.headers and request.headers.get("If-Range") == self.tag:
            begin = int(request.headers["Range"].removeprefix("bytes=").partition("-")[0])
        headers = {"ETag": self.tag, "Content-Length": str(len(self.content) - begin)}
        if begin:
            headers["Content-Range"] = f"bytes {begin}-{len(self.content) - 1}/{len(self.content)}"
        response = web.StreamResponse(status=206 if begin else 200, headers=headers)
        await response.prepare(request)
        while begin < len(self.content):
            await response.write(self.content[begin : begin + CHUNK])
            begin += CHUNK
            if self.breaks_down and begin >= self.breaks_down[0]:
                del self.breaks_down[0]
                assert request.transport is not None
                request.transport.close()
                return response
        return response


def abort(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()

"""Bodies: documents, which come within a deadline, and bytes that are none: images, packages and consoles.

Large documents are read beside the event loop. An image is uploaded by one PUT of everything, or by several with
``Content-Range: bytes first-last/total`` in order. Every answer to it says in ``Upload-Offset`` how many bytes are
here; GET and HEAD on its URI ask for that. ``Content-Digest`` (RFC 9530, sha-256) guards a single request.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass
from typing import TypeVar

import structlog
from aiohttp import web

from drivers.base import DriverError
from gateway.cimi.bounds import light
from gateway.cimi.image import BYTES
from gateway.cimi.resource_type import Action
from gateway.errors import RequestTimeout, UnsupportedMediaType
from gateway.http.audit import Audit
from gateway.http.request import JSON, Exchange, body_format, media_type, part_of, range_of
from gateway.orchestration.common.contract import Incoming, Outcome, Readable, Text, Writable
from gateway.orchestration.common.hosts import translated

T = TypeVar("T")
PIECE = 1024 * 1024
log = structlog.get_logger("http")
READERS = ThreadPoolExecutor(2, thread_name_prefix="documents")
"""Threads of their own: nothing else waits behind a large document, and two cannot take more than their share."""


@dataclass(frozen=True, slots=True)
class Bodies:
    """The taker of documents from requests. ``seconds`` is how long a whole document may take to come."""

    seconds: float = 30.0

    async def whole(self, request: web.Request) -> bytes:
        """Return the bytes of the body. Raises RequestTimeout when they do not come in time."""
        try:
            async with asyncio.timeout(self.seconds):
                return await request.read()
        except TimeoutError:
            raise RequestTimeout(f"the document did not come within {self.seconds:g} seconds") from None

    async def document(self, request: web.Request, read: Callable[[bytes, str], T], *, optional: bool = False) -> T:
        """Return what ``read`` makes of the body and its format.

        ``optional``: an empty body needs no Content-Type. Raises what ``read`` does, and UnsupportedMediaType.
        """
        body = await self.whole(request)
        media = JSON if optional and not body.strip() else body_format(request.headers.get("Content-Type"))
        if light(body):
            return read(body, media)
        return await asyncio.get_running_loop().run_in_executor(READERS, read, body, media)


class Transfers:
    """The sender and taker of bytes. ``stall_seconds`` without one of them end a transfer."""

    def __init__(self, audit: Audit, stall_seconds: float) -> None:
        self._audit = audit
        self._stall_seconds = stall_seconds

    # Out

    async def give(self, exchange: Exchange, action: Action, content: Text | Readable) -> web.StreamResponse:
        """Return the answer with the bytes that an action gives; those of a Readable are sent by now."""
        if isinstance(content, Text):
            await self._audit.taken(exchange.context.caller, exchange.path, action.verb)
            return web.Response(body=content.content, content_type=action.gives, charset="utf-8")
        begin, end = 0, content.size
        if content.tag is not None:
            begin, end = range_of(exchange.request, content.size, f'"{content.tag}"')
        response = _head(action, content, begin, end)
        if exchange.request.method == "HEAD":
            return response
        await self._audit.taken(exchange.context.caller, exchange.path, action.verb)
        await self._send(exchange, response, content, begin, end)
        return response

    async def _send(
        self, exchange: Exchange, response: web.StreamResponse, content: Readable, begin: int, end: int
    ) -> None:
        """Send the bytes, and the headers with the first of them.

        A pool that fails at once is still told as an error so; later the line is cut.
        """
        request = exchange.request
        try:
            async with aclosing(content.pieces(begin, end - begin)) as pieces:
                async for piece in pieces:
                    if not response.prepared:
                        await response.prepare(request)
                    await asyncio.wait_for(response.write(piece), self._stall_seconds)
        except (DriverError, OSError, TimeoutError) as error:
            if not response.prepared and isinstance(error, DriverError):
                raise translated(error) from error
            log.warning("download broke off", path=exchange.path, reason=str(error) or type(error).__name__)
            if request.transport is not None:
                request.transport.abort()

    # In

    async def take_part(self, request: web.Request, target: Writable) -> tuple[Outcome | None, int]:
        """Take the bytes of one PUT. Return what began once all are here, and the number of those that are.

        Raises UnsupportedMediaType, Invalid, Conflict and RequestTimeout.
        """
        kind = media_type(request.headers.get("Content-Type"))
        if kind not in (BYTES, ""):
            raise UnsupportedMediaType(f"the bytes of an image are {BYTES}, not {kind[:60]}")
        async with target.receive(part_of(request)) as part:
            async for piece in self._pieces(request):
                await part.write(piece)
            outcome = await part.done()
            return outcome, part.offset

    async def take(self, request: web.Request, entering: AbstractAsyncContextManager[Incoming]) -> Outcome:
        """Take the bytes that are sent instead of an Action document. Return what they begin."""
        async with entering as incoming:
            async for piece in self._pieces(request):
                await incoming.write(piece)
            return await incoming.done()

    async def _pieces(self, request: web.Request) -> AsyncIterator[bytes]:
        """Yield the bytes of a body as they come. Raises RequestTimeout."""
        stall = self._stall_seconds
        try:
            while piece := await asyncio.wait_for(request.content.read(PIECE), stall):
                yield piece
        except TimeoutError:
            raise RequestTimeout(f"nothing came for {stall:g} seconds; what came before is kept") from None
        except (ConnectionError, web.RequestPayloadError):
            raise RequestTimeout("the connection broke; what came before is kept") from None


def _head(action: Action, content: Readable, begin: int, end: int) -> web.StreamResponse:
    """Return the answer before its first byte: 206 for a part, and what a client can tell the version by."""
    partial = (begin, end) != (0, content.size)
    headers = {
        "Content-Type": action.gives,
        "Content-Disposition": f'attachment; filename="{content.name}"',
    }
    if content.tag is not None:
        headers.update({"Accept-Ranges": "bytes", "ETag": f'"{content.tag}"'})
    response = web.StreamResponse(status=206 if partial else 200, headers=headers)
    response.content_length = end - begin
    if partial:
        response.headers["Content-Range"] = f"bytes {begin}-{end - 1}/{content.size}"
    return response

"""Bodies that are documents: as they are, within a deadline, and large ones read beside the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from aiohttp import web

from gateway.cimi.bounds import light
from gateway.errors import RequestTimeout, UnsupportedMediaType
from gateway.http.context import header
from gateway.http.negotiation import JSON, body_format

T = TypeVar("T")
READERS = ThreadPoolExecutor(2, thread_name_prefix="documents")
"""Threads of their own: nothing else waits behind a large document, and two cannot take more than their share."""


def demand_unencoded(request: web.Request) -> None:
    """Refuse a body in any Content-Encoding: a small one may unpack to anything. Raises UnsupportedMediaType."""
    for coding in (header(request, "Content-Encoding") or "").split(","):
        if coding.strip().lower() not in ("", "identity"):
            raise UnsupportedMediaType(
                f"bodies are sent as they are, without a Content-Encoding; {coding.strip()[:60]!r} is one"
            )


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

"""Clients that go away in the middle: of their request, of the wait for its answer, of the answer itself."""

from __future__ import annotations

import structlog
from aiohttp import web

from gateway.errors import RequestTimeout

log = structlog.get_logger("http")
OF_THE_LINE = (ConnectionError, web.RequestPayloadError, RequestTimeout)
"""What handlers raise when the connection breaks under them."""


def hung_up(request: web.Request) -> bool:
    """Return whether nobody is there any more to be answered."""
    return request.transport is None or request.transport.is_closing()


def cut(request: web.Request, error: Exception) -> bool:
    """Return whether a request that raised ``error`` can no longer be answered, and end its connection then.

    That is so when the client is gone, or when a part of an answer is written already: another one behind it would
    look like the rest of it.
    """
    gone = hung_up(request)
    if gone and isinstance(error, OF_THE_LINE):
        log.info("client hung up", method=request.method, path=request.rel_url.raw_path[:200])
        return True
    if gone or not request.writer.output_size:
        return False
    log.error("answer broke off", method=request.method, path=request.rel_url.raw_path[:200], exc_info=error)
    if request.transport is not None:
        request.transport.abort()
    return True

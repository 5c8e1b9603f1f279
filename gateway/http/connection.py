"""A connection that speaks HTTP, with deadlines and a bounded head; one that speaks no HTTP is told so."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial

from aiohttp import StreamReader, web
from aiohttp.streams import EMPTY_PAYLOAD
from aiohttp.web_protocol import RequestHandler

from gateway.cimi.dialects import CIMI_1
from gateway.cimi.documents import write_resource
from gateway.cimi.edge import Edge
from gateway.cimi.registry import type_of
from gateway.errors import Invalid
from gateway.http import errors
from gateway.http.client_certificates import certificate_of
from gateway.http.local_socket import Peer, peer_of
from gateway.http.request import CONTENT_TYPES, JSON
from gateway.http.sparing import SparingLog

LONGEST_LINE = 262_144
"""Bytes of a request line that is still answered with a document (414), and not by the parser."""
LONGEST_FIELD = 16_384
"""Bytes of one header field."""
MOST_FIELDS = 128
LONGEST_HEAD = LONGEST_LINE + MOST_FIELDS * LONGEST_FIELD
"""Bytes of a request line and all its fields. Older aiohttp counts neither these nor the fields, so we do."""
WRITE_SECONDS = 60.0
"""How long a client may take nothing of what is written to it."""
ON_EVERY_ANSWER = {"Server": "cimi-gateway", "X-Content-Type-Options": "nosniff"}
"""Nobody learns versions, and no browser takes a guest's console for a page."""


class _Answered(web.StreamResponse):
    """An answer that was written as a whole, as aiohttp hears of it."""

    @property
    def keep_alive(self) -> bool:
        """Return that the connection goes on."""
        return True


ANSWERED = _Answered()


@dataclass(frozen=True, slots=True)
class Deadlines:
    """The seconds for all headers of a request, for the next request on a connection, and for what is written.

    ``idle`` is for a connection that is kept alive.
    """

    headers: float = 10.0
    idle: float = 75.0
    write: float = WRITE_SECONDS


@dataclass(slots=True)
class Ends:
    """Counts of connections that did not end well, since the start."""

    aborts: int = 0
    """Ended by their client, in the middle of a request or its answer."""
    overdue: int = 0
    """Ended by a deadline."""
    malformed: int = 0
    """Ended after something that is no HTTP."""
    log: SparingLog = field(default_factory=SparingLog)


Quick = Callable[[web.BaseRequest, "Connection"], bytes | None]
"""From a request, before anything else is done with it, to its whole answer; None: it goes the long way."""


def never(_request: web.BaseRequest, _connection: Connection) -> None:
    """Let every request go the long way."""


class Connection(RequestHandler):
    """A connection of aiohttp's with deadlines, which ``look`` holds it to; ``Door`` calls that every now and then."""

    __slots__ = (
        "_began",
        "_body",
        "_busy",
        "_deadlines",
        "_ends",
        "_head",
        "_line",
        "_quick",
        "_stalled",
        "_started",
        "certificate",
        "peer",
        "source",
    )

    def __init__(self, manager: web.Server, deadlines: Deadlines, ends: Ends, quick: Quick) -> None:
        super().__init__(
            manager,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type]
            # Later than ours, which end requests that have begun, too.
            keepalive_timeout=2 * max(deadlines.idle, deadlines.headers),
            max_line_size=LONGEST_LINE,
            max_field_size=LONGEST_FIELD,
            max_headers=MOST_FIELDS,
            auto_decompress=False,
        )
        self._deadlines = deadlines
        self._ends = ends
        self._quick = quick
        self.source = b""
        """Scheme and address, which the meaning of a request's header fields depends on, too."""
        self.certificate: bytes | None = None
        """Certificate of the client in DER, which OpenSSL has verified."""
        self.peer: Peer | None = None
        """Who has connected by a socket of this host."""
        self._line: asyncio.Transport | None = None
        self._began = 0.0
        """Moment at which it was opened, the last answer ended, or the first byte of the next request came."""
        self._started = True
        """Whether a request is expected by the deadline for headers: a new connection has no time to idle."""
        self._head = 0
        """Bytes that came since a request was expected."""
        self._body: StreamReader = EMPTY_PAYLOAD
        """The last request's, which may still come in after the answer to it."""
        self._busy = False
        self._stalled = (0, 0.0)
        """Bytes that wait to be written, and since when there are not fewer."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to count the time."""
        self._began = self._loop.time()
        assert isinstance(transport, asyncio.Transport)
        self._line = transport
        super().connection_made(transport)
        self.peer = peer_of(transport.get_extra_info("socket"))
        scheme = "https" if transport.get_extra_info("sslcontext") is not None else "http"
        self.certificate = certificate_of(transport)
        self.source = f"{scheme} {self._address()} ".encode() + (self.certificate or b"")

    def connection_lost(self, exc: BaseException | None) -> None:
        """Count a client that hung up before it had its answer."""
        if self._busy and not self._force_close:
            self._ends.aborts += 1
        self._line = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Begin the deadline for headers with the first byte of a request, and end one whose head has no end."""
        if not self._busy and not self._started:
            self._started, self._began = True, self._loop.time()
        self._head = self._head + len(data) if self._body.is_eof() else 0
        if self._head > LONGEST_HEAD:
            self._end("too long a head")
            return
        super().data_received(data)

    async def _handle_request(
        self,
        request: web.BaseRequest,
        start_time: float | None,
        request_handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
    ) -> tuple[web.StreamResponse, bool]:
        self._busy, self._body = True, request.content
        try:
            answer = self._quick(request, self)
            if answer is not None and self._line is not None and not self._line.is_closing():
                self._line.write(answer)
                return ANSWERED, False
            if (excess := self._excess(request)) is not None:
                request_handler = partial(self._refuse, excess)
            return await super()._handle_request(request, start_time, request_handler)
        finally:
            self._head = 0
            self._busy, self._started, self._began = False, False, self._loop.time()

    def _excess(self, request: web.BaseRequest) -> str | None:
        """Return what of the head is beyond its limit. Older aiohttp holds only pieces to it."""
        if len(request.raw_headers) > MOST_FIELDS:
            return f"it has more than {MOST_FIELDS} header fields"
        if self._head <= LONGEST_FIELD:
            return None
        if len(request.raw_path) > LONGEST_LINE:
            return f"its request line is longer than {LONGEST_LINE} bytes"
        if any(len(value) > LONGEST_FIELD for _, value in request.raw_headers):
            return f"a header field is longer than {LONGEST_FIELD} bytes"
        return None

    async def _refuse(self, excess: str, request: web.BaseRequest) -> web.StreamResponse:
        return self.handle_error(request, 400, message=excess)

    # Deadlines

    def look(self, now: float) -> None:
        """Close the connection when its time is over: of headers, of idling, of a client that reads nothing."""
        if self._line is None:
            return
        waiting = self._line.get_write_buffer_size()
        before, since = self._stalled
        self._stalled = (waiting, since if waiting >= before > 0 else now)
        if waiting and now - self._stalled[1] > self._deadlines.write:
            self._end("nothing is read")
        elif not self._busy and not self._line.is_closing():
            most = self._deadlines.headers if self._started else self._deadlines.idle
            if now - self._began > most:
                self._end("no request" if self._started else "idle")

    def _end(self, reason: str) -> None:
        assert self._line is not None
        if reason != "idle":
            self._ends.overdue += 1
            self._ends.log.warning("connection overdue", reason=reason, address=self._address())
        line = self._line
        self.force_close()
        if line.get_write_buffer_size():
            line.abort()

    def _address(self) -> str:
        if self.peer is not None:
            return f"uid {self.peer.uid}"
        name = self.transport.get_extra_info("peername") if self.transport is not None else None
        return str(name[0]) if isinstance(name, tuple) else str(name)

    # What is no HTTP

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Return the answer to a request that cannot be read, as a document; the connection ends with it.

        Raises ConnectionError, which aiohttp lets pass in silence, when nobody is there to be answered.
        """
        if isinstance(exc, ConnectionError) or self._line is None:
            raise ConnectionResetError("the client went away")
        if status != 400:
            return super().handle_error(request, status, exc, message)
        self._ends.malformed += 1
        words = " ".join((message or "it cannot be read").split())[:200]
        self._ends.log.warning("malformed request", address=self._address(), reason=words)
        edge = Edge(CIMI_1.root, CIMI_1)
        wrong = errors.document(Invalid(f"malformed HTTP request: {words}"), edge, CIMI_1.root, "read")
        response = web.Response(
            status=400,
            body=write_resource(type_of("Job"), wrong, JSON, edge),
            content_type=CONTENT_TYPES[JSON],
            headers=ON_EVERY_ANSWER,
        )
        response.force_close()
        return response

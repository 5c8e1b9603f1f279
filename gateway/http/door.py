"""The door where connections come in: a listening socket with a limit of connections, each of which has deadlines.

A connection that speaks no HTTP is told so, and how each one ends is counted.
"""

from __future__ import annotations

import asyncio
import resource
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from drivers.supervision import Loop, Supervision
from gateway.cimi.dialects import CIMI_1
from gateway.cimi.documents import write_resource
from gateway.cimi.edge import Edge
from gateway.cimi.registry import type_of
from gateway.errors import Invalid
from gateway.http import errors
from gateway.http.admission import RESERVED, Admission, Limits, Listener
from gateway.http.local_socket import Peer, peer_of
from gateway.http.request import CONTENT_TYPES, JSON
from gateway.http.sparing import SparingLog

BACKLOG = 128
LOOK_SECONDS = 1.0
HEADROOM = 256
"""File descriptors that are kept for everything but connections: the store, the hypervisors, images."""
SHUTDOWN_SECONDS = 5.0
LONGEST_LINE = 262_144
"""Bytes of a request line that is still answered with a document (414), and not by the parser."""
LONGEST_FIELD = 16_384
"""Bytes of one header field."""
MOST_FIELDS = 128
WRITE_SECONDS = 60.0
"""How long a client may take nothing of what is written to it."""
ON_EVERY_ANSWER = {"Server": "cimi-gateway", "X-Content-Type-Options": "nosniff"}
"""Nobody learns versions, and no browser takes a guest's console for a page."""
log = structlog.get_logger("http")


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

    __slots__ = ("_began", "_busy", "_deadlines", "_ends", "_line", "_quick", "_stalled", "_started", "peer", "source")

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
        self.peer: Peer | None = None
        """Who has connected by a socket of this host."""
        self._line: asyncio.Transport | None = None
        self._began = 0.0
        """Moment at which it was opened, the last answer ended, or the first byte of the next request came."""
        self._started = True
        """Whether a request is expected by the deadline for headers: a new connection has no time to idle."""
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
        self.source = f"{scheme} {self._address()}".encode()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Count a client that hung up before it had its answer."""
        if self._busy and not self._force_close:
            self._ends.aborts += 1
        self._line = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Begin the deadline for headers with the first byte of a request."""
        if not self._busy and not self._started:
            self._started, self._began = True, self._loop.time()
        super().data_received(data)

    async def _handle_request(
        self,
        request: web.BaseRequest,
        start_time: float | None,
        request_handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
    ) -> tuple[web.StreamResponse, bool]:
        self._busy = True
        try:
            answer = self._quick(request, self)
            if answer is not None and self._line is not None and not self._line.is_closing():
                self._line.write(answer)
                return ANSWERED, False
            return await super()._handle_request(request, start_time, request_handler)
        finally:
            self._busy, self._started, self._began = False, False, self._loop.time()

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


async def stamp(_request: web.Request, response: web.StreamResponse) -> None:
    """Say on every answer what holds for all."""
    response.headers.update(ON_EVERY_ANSWER)


def possible(limits: Limits) -> Limits:
    """Return the limits that this process has file descriptors for, with a word in the log when they are lower."""
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if descriptors == resource.RLIM_INFINITY or limits.overall <= descriptors - HEADROOM:
        return limits
    overall = max(2 * RESERVED, descriptors - HEADROOM)
    log.warning("fewer connections than configured", connections=overall, file_descriptors=descriptors)
    return Limits(overall, min(limits.of_one, overall))


@dataclass(frozen=True, slots=True)
class DoorSettings:
    """The deadlines of a door's connections, and the keys of its TLS; ``context`` None: there is no TLS."""

    deadlines: Deadlines
    context: ssl.SSLContext | None = None
    name: str = "connections"
    """Name of the loop that looks after the connections."""
    quick: Quick = never


class Door:
    """The listening sockets of one application."""

    def __init__(
        self, application: web.Application, admission: Admission, supervision: Supervision, settings: DoorSettings
    ) -> None:
        application.on_response_prepare.append(stamp)
        self.admission = admission
        self.ends = Ends()
        self._deadlines = settings.deadlines
        self._quick = settings.quick
        self._context = settings.context
        self._runner = web.AppRunner(
            application, access_log=None, handle_signals=False, shutdown_timeout=SHUTDOWN_SECONDS
        )
        self._supervision = supervision
        self._name = settings.name
        self._loop: Loop | None = None
        self._sites: list[_Site] = []

    async def open(self, host: str, port: int) -> None:
        """Listen on every address of ``host``. Raises OSError when one cannot be had."""
        await self._runner.setup()
        loop = asyncio.get_running_loop()
        kinds = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, address in dict.fromkeys(kinds):
            listener = _listener(family, kind, protocol, address)
            listener.guard(self.admission)
            self._sites.append(_Site(self._runner, listener, self._connection, self._context, self._deadlines))
            await self._sites[-1].start()
        self._keep_looking()

    async def take(self, listener: Listener) -> None:
        """Let in who connects to a socket of this host that listens already; the door must be open."""
        listener.guard(self.admission)
        self._sites.append(_Site(self._runner, listener, self._connection, None, self._deadlines))
        await self._sites[-1].start()

    def _keep_looking(self) -> None:
        period = min(LOOK_SECONDS, self._deadlines.headers / 4, self._deadlines.idle / 4)
        self._loop = self._supervision.keep(self._name, self._look, period, first_pause=period)

    async def close(self) -> None:
        """Let nobody in any more; requests that have begun may end for ``SHUTDOWN_SECONDS``."""
        if self._loop is not None:
            await self._loop.stop()
        await self._runner.cleanup()

    def _connection(self) -> Connection:
        server = self._runner.server
        assert server is not None
        return Connection(server, self._deadlines, self.ends, self._quick)

    async def _look(self) -> None:
        """Close connections whose time is over, and take new ones again where none could be taken.

        A surprise with one of them keeps nobody from looking at the others.
        """
        now = asyncio.get_running_loop().time()
        for connection in self._connections():
            with self._supervision.apart(self._name):
                connection.look(now)
        for site in self._sites:
            with self._supervision.apart(self._name):
                await site.go_on()

    def _connections(self) -> list[Connection]:
        server = self._runner.server
        opened = server.connections if server is not None else ()
        return [connection for connection in opened if isinstance(connection, Connection)]


class _Site(web.BaseSite):
    """A site of aiohttp's with connections of the gateway's."""

    def __init__(
        self,
        runner: web.AppRunner,
        listener: Listener,
        connection: Callable[[], Connection],
        context: ssl.SSLContext | None,
        deadlines: Deadlines,
    ) -> None:
        super().__init__(runner, ssl_context=context, backlog=BACKLOG)
        self._listener = listener
        self._connection = connection
        self._deadlines = deadlines
        self._rests = False

    @property
    def name(self) -> str:
        """Return the address that the site listens on."""
        return str(self._listener.getsockname())

    async def start(self) -> None:
        """Begin to accept."""
        await super().start()
        self._listener.rest = self._rest
        await self._accept()

    def _rest(self) -> None:
        """Accept nothing until ``go_on``."""
        asyncio.get_running_loop().remove_reader(self._listener)
        self._rests = True

    async def go_on(self) -> None:
        """Accept again after a rest."""
        if self._rests:
            self._rests = False
            await self._accept()

    async def _accept(self) -> None:
        # A server of asyncio's cannot rest. After a rest the next one takes over its socket, which closes with it.
        self._server = await asyncio.get_running_loop().create_server(
            self._connection,
            sock=self._listener,
            ssl=self._ssl_context,
            backlog=BACKLOG,
            ssl_handshake_timeout=self._deadlines.headers if self._ssl_context else None,
        )


def _listener(family: int, kind: int, protocol: int, address: tuple[object, ...]) -> Listener:
    listener = Listener(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.setblocking(False)
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    return listener

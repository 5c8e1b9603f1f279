"""The door where connections come in: a listening socket with a limit of connections, each of which is looked at."""

from __future__ import annotations

import asyncio
import resource
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from aiohttp import web

from drivers.supervision import Loop, Supervision
from gateway.http.admission import RESERVED, Admission, Limits, Listener
from gateway.http.connection import ON_EVERY_ANSWER, Connection, Deadlines, Ends, Quick, never

BACKLOG = 128
LOOK_SECONDS = 1.0
HEADROOM = 256
"""File descriptors that are kept for everything but connections: the store, the hypervisors, images."""
SHUTDOWN_SECONDS = 5.0
log = structlog.get_logger("http")


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

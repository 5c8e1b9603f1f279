"""The web application: one way in for every request, and the health endpoints."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import structlog
from aiohttp import web

from gateway.cimi.dialects import CIMI_1, Dialect
from gateway.cimi.edge import Edge
from gateway.cimi.registry import CLOUD_ENTRY_POINT, bytes_at, canonical
from gateway.errors import Forbidden, NotAcceptable, NotFound, RequestTimeout, Unauthenticated, Unavailable
from gateway.http import description, errors, event_stream
from gateway.http.audit import Audit
from gateway.http.authentication import Authentication, Given
from gateway.http.connection import Connection
from gateway.http.event_stream import EventStream
from gateway.http.handlers import Handlers
from gateway.http.hosts import HostNames, address_of, base_of, demand_own_origin, proxied_user
from gateway.http.metrics import Metrics
from gateway.http.quick_reads import QuickReads
from gateway.http.readiness import Readiness
from gateway.http.remembered import Memory
from gateway.http.request import (
    GIVEN,
    JSON,
    READS,
    SESSION,
    Context,
    Parameters,
    Wire,
    answer_format,
    demand_short_headers,
    demand_unencoded,
    header,
    idempotency_key,
    parameters,
    request_id,
    version_of,
)
from gateway.http.shares import UserShares
from gateway.orchestration.common.contract import Caller, Role
from gateway.orchestration.monitoring.accesses import METRICS

ENTRY_POINTS = ("", "cloudEntryPoint")
PUBLIC = (*ENTRY_POINTS, description.PATH)
"""What strangers may read where the entry point is public."""
REST = r"{path:[\s\S]*}"
"""Whatever follows in a URL, line ends included."""
# The aiohttp of Debian 13 has no keys of requests: a name serves there.
WIRE = web.RequestKey("wire", Wire) if TYPE_CHECKING or hasattr(web, "RequestKey") else "wire"
"""Key of what a request is answered by, as far as it is known."""
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
OF_THE_LINE = (ConnectionError, web.RequestPayloadError, RequestTimeout)
"""What handlers raise when the connection breaks under them."""
Handle = Callable[[web.Request, Context], Coroutine[Any, Any, web.StreamResponse]]
log = structlog.get_logger("http")


@dataclass(frozen=True, slots=True)
class WireSettings:
    """The configuration of requests."""

    base_url: str = ""
    trusted_proxies: tuple[str, ...] = ()
    max_body: int = 1_048_576
    """Bytes of a document."""
    public_entry_point: bool = False
    proxy_user_header: str = ""
    """Header in which a trusted proxy names the user."""
    names: HostNames = field(default_factory=HostNames)
    origins: tuple[str, ...] = ()
    """Origins whose pages may ask for changes, besides the gateway's own."""


async def _add_own_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Add what every answer of an entry point says of itself, those that are streams too."""
    wire = request.get(WIRE)
    if wire is not None:
        response.headers["CIMI-Specification-Version"] = wire.version
        response.headers["Vary"] = "Accept, Authorization, CIMI-Project"
        response.headers["X-Request-ID"] = wire.request_id


@dataclass(frozen=True, slots=True)
class ServerParts:
    """The parts of the program that requests are answered by."""

    handlers: Handlers
    authentication: Authentication
    readiness: Callable[[], Readiness]
    """Tells whether changes are possible now."""
    stream: EventStream
    audit: Audit
    metrics: Metrics
    memory: Memory
    quick: QuickReads
    shares: UserShares


class Server:
    """The web application. ``draining`` refuses new requests."""

    def __init__(self, parts: ServerParts, settings: WireSettings) -> None:
        self._handlers = parts.handlers
        self._authentication = parts.authentication
        self._settings = settings
        self._readiness = parts.readiness
        self._stream = parts.stream
        self._audit = parts.audit
        self._metrics = parts.metrics
        self._memory = parts.memory
        self._quick = parts.quick
        self._shares = parts.shares
        self.draining = False

    def application(self) -> web.Application:
        """Return the application with all its routes."""
        application = web.Application(client_max_size=self._settings.max_body)
        application.on_response_prepare.append(_add_own_headers)
        application.router.add_get("/health", self._health)
        application.router.add_get("/health/ready", self._health_ready)
        application.router.add_get("/metrics", self._metrics_for_admins)
        application.router.add_get("/", self._to_entry_point)
        application.router.add_route("*", CIMI_1.root.rstrip("/"), self._cimi_1)
        application.router.add_route("*", CIMI_1.root + REST, self._cimi_1)
        application.router.add_route("*", "/" + REST, self._cimi_1_elsewhere)
        return application

    async def _health(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "live"})

    async def _health_ready(self, _request: web.Request) -> web.Response:
        readiness = self._readiness()
        return (readiness.without("the gateway is being stopped") if self.draining else readiness).response()

    async def _metrics_for_admins(self, request: web.Request) -> web.Response:
        """Return the metrics to admins alone: they tell of everybody's guests. [metrics] listen is for scrapers."""
        wire, caller = _first_wire(request, CIMI_1), None
        try:
            caller = await self._caller(request, wire.request_id, METRICS)
            if caller.role is not Role.ADMIN:
                raise Forbidden("metrics tell of everybody's guests; only an admin may read them")
            await self._audit.taken(caller, CLOUD_ENTRY_POINT.segment, METRICS)
            return await self._metrics.respond(request)
        except Exception as error:
            refusal = errors.as_gateway_error(error, wire.request_id)
            await self._audit.refused(request, wire, caller, METRICS, refusal)
            return errors.respond(refusal, request, replace(wire, media=JSON))

    async def _to_entry_point(self, _request: web.Request) -> web.Response:
        raise web.HTTPTemporaryRedirect(CIMI_1.root)

    async def _cimi_1(self, request: web.Request) -> web.StreamResponse:
        path = request.match_info.get("path", "")
        # What no identifier can hold names nothing, and gets neither into a log nor into an Event.
        return await self._serve(request, CIMI_1, None if UNPRINTABLE.search(path) else canonical(path))

    async def _cimi_1_elsewhere(self, request: web.Request) -> web.StreamResponse:
        return await self._serve(request, CIMI_1, None)

    async def _serve(self, request: web.Request, dialect: Dialect, path: str | None) -> web.StreamResponse:
        """Answer a request, and count it; ``path`` is None where the URL is none of the entry point's."""
        if _leads_to(path, event_stream.PATH):
            return await self._answer(request, dialect, path, self._stream.serve)
        began = time.perf_counter()
        response = await self._answer(request, dialect, path, self._handle(path))
        if not hung_up(request):
            self._metrics.answered(request.method, path, response.status, time.perf_counter() - began)
        return response

    def _handle(self, path: str | None) -> Handle:
        if path is None:
            return _nothing
        if _leads_to(path, description.PATH):
            return description.serve
        return lambda request, context: self._handlers.handle(request, context, path)

    async def _answer(
        self, request: web.Request, dialect: Dialect, path: str | None, handle: Handle
    ) -> web.StreamResponse:
        """Return the answer to a request; everything that goes wrong in here becomes a CIMI error document.

        An error is answered with what is known of the request by then, and a stranger gets only a 401.
        """
        wire = request[WIRE] = _first_wire(request, dialect)
        caller: Caller | None = None
        unacceptable: NotAcceptable | None = None
        try:
            demand_short_headers(request)
            wire = replace(wire, edge=self._edge(request, dialect))
            query = parameters(request)
            try:
                wire = replace(wire, media=_media(request, query, path))
            except NotAcceptable as error:
                # A stranger is told nothing but that credentials are needed.
                unacceptable = error
            caller = await self._caller(request, wire.request_id, path)
            context = request[WIRE] = self._context(request, wire, caller, query, unacceptable)
            if self.draining:
                raise Unavailable("the gateway is being stopped; try again later")
            response = await self._handled(request, context, handle)
            if path is not None and response.status in (200, 304):
                self._quick.learn(request, context, path)
        except NotAcceptable as error:
            response = errors.respond(error, request, replace(wire, media=JSON))
        except Exception as error:
            if cut(request, error):
                return web.Response(status=400)
            refusal = errors.as_gateway_error(error, wire.request_id)
            await self._audit.refused(request, wire, caller, path, refusal)
            # The wire's own errors tell more than their translations; others would be logged a second time.
            answered = error if isinstance(error, web.RequestPayloadError) else refusal
            response = errors.respond(answered, request, wire)
        if request.method not in READS and caller is not None and not response.prepared:
            self._log_change(request, caller, path, response.status)
        return response

    async def _handled(self, request: web.Request, context: Context, handle: Handle) -> web.StreamResponse:
        """Return the answer of the handlers, once it is the user's turn. Raises TooManyRequests."""
        user = context.caller.user
        self._shares.demand(user, context.caller.project)
        await self._shares.turn(user)
        return await self._shares.measured(user, handle(request, context))

    def quickly(self, request: web.BaseRequest, connection: Connection) -> bytes | None:
        """Return the whole answer to a read where it is at hand; None where the request goes the long way."""
        return None if self.draining else self._quick.answer(request, connection)

    def _edge(self, request: web.Request, dialect: Dialect) -> Edge:
        settings = self._settings
        return Edge(base_of(request, settings.base_url, settings.trusted_proxies, dialect, settings.names), dialect)

    def _context(
        self,
        request: web.Request,
        wire: Wire,
        caller: Caller,
        query: Parameters,
        unacceptable: NotAcceptable | None,
    ) -> Context:
        """Return what the handlers need to know. Raises what speaks against the request, now that its caller is known.

        Raises Invalid, NotAcceptable, UnsupportedMediaType and Forbidden.
        """
        caller = replace(caller, idempotency_key=idempotency_key(request))
        if not caller.user:
            # A stranger reads the entry point's own document, and nothing that it leads to.
            query = tuple(pair for pair in query if pair[0] != "$expand")
        if unacceptable is not None:
            raise unacceptable
        if caller.reads_only and request.method not in READS:
            raise Forbidden("this token only reads")
        demand_unencoded(request)
        demand_own_origin(request, wire.edge.base, self._settings.names, self._settings.origins)
        version = version_of(request, wire.edge.dialect)
        return Context(wire.request_id, wire.edge, wire.media, version, caller, query, self._memory.commits)

    def _log_change(self, request: web.Request, caller: Caller, path: str | None, status: int) -> None:
        """Tell what a user asked for; what strangers ask for would fill the journal, and is counted in the metrics."""
        log.info(
            "change",
            request=caller.request_id,
            user=caller.user,
            address=caller.address,
            method=request.method,
            path=path,
            status=status,
        )

    async def _caller(self, request: web.Request, identity: str, path: str | None) -> Caller:
        """Return who asks. Raises Unauthenticated or TooManyRequests."""
        trusted = self._settings.trusted_proxies
        proxied = proxied_user(request, self._settings.proxy_user_header, trusted)
        given = request[GIVEN] = Given.of(request, address_of(request, trusted), proxied)
        public = self._settings.public_entry_point and path is not None and path.rstrip("/") in PUBLIC
        if given.is_nobody and public and request.method in READS:
            return Caller("", Role.VIEWER, "", identity)
        try:
            session = request[SESSION] = await self._authentication.authenticate(given)
        except UnicodeEncodeError:
            raise Unauthenticated("the user name or the password is wrong") from None
        return session.caller(identity, given.address)


async def _nothing(_request: web.Request, _context: Context) -> web.StreamResponse:
    """Raise NotFound: the URL is none of the entry point's."""
    raise NotFound("there is nothing at this URL")


def _leads_to(path: str | None, place: str) -> bool:
    return path is not None and path.strip("/") == place


def _first_wire(request: web.Request, dialect: Dialect) -> Wire:
    """Return how to answer a request of which nothing was looked at yet but the format that it accepts."""
    media = JSON
    with suppress(NotAcceptable):
        media = answer_format(header(request, "Accept"), None)
    return Wire(request_id(request), Edge(dialect.root, dialect), media, dialect.version)


def _media(request: web.Request, query: Parameters, path: str | None) -> str:
    """Return the format of the documents of the answer. Raises NotAcceptable."""
    wanted = next((value for name, value in query if name == "$format"), None)
    accepted = None if _leads_to(path, event_stream.PATH) else header(request, "Accept")
    gives: frozenset[str] = frozenset() if path is None else bytes_at(path.rstrip("/"), request.method)
    return answer_format(accepted, wanted, gives)


# Clients that go away in the middle: of their request, of the wait for its answer, of the answer itself


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

"""The web application: one way in for every request, and the health endpoints."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import structlog
from aiohttp import web

from gateway.cimi.aliases import canonical
from gateway.cimi.dialects import CIMI_1, Dialect
from gateway.cimi.edge import Edge
from gateway.cimi.registry import CLOUD_ENTRY_POINT, bytes_at
from gateway.errors import Forbidden, Invalid, NotAcceptable, Unauthenticated, Unavailable
from gateway.http import description, errors, event_stream
from gateway.http.audit import Audit
from gateway.http.authentication import Authentication
from gateway.http.bodies import demand_unencoded
from gateway.http.context import Context, base_of, demand_short_headers, header, parameters, request_id, version_of
from gateway.http.event_stream import EventStream
from gateway.http.handlers import Handlers
from gateway.http.hang_ups import cut, hung_up
from gateway.http.hosts import HostNames
from gateway.http.metrics import Metrics
from gateway.http.negotiation import answer_format
from gateway.http.origins import demand_own_origin
from gateway.http.readiness import Readiness
from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.permissions import Role
from gateway.orchestration.monitoring.accesses import METRICS

ENTRY_POINTS = ("", "cloudEntryPoint")
PUBLIC = (*ENTRY_POINTS, description.PATH)
"""What strangers may read where the entry point is public."""
LONGEST_KEY = 128
REST = r"{path:[\s\S]*}"
"""Whatever follows in a URL, line ends included."""
# The aiohttp of Debian 13 has no keys of requests: a name serves there.
CONTEXT = web.RequestKey("context", Context) if TYPE_CHECKING or hasattr(web, "RequestKey") else "context"
"""Under which a request has its Context."""
ELSEWHERE = "elsewhere/-/-"
"""A path at which there is nothing."""
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
Handle = Callable[[web.Request, Context], Awaitable[web.StreamResponse]]
log = structlog.get_logger("http")


@dataclass(frozen=True, slots=True)
class WireSettings:
    base_url: str = ""
    trusted_proxies: tuple[str, ...] = ()
    max_body: int = 1_048_576
    public_entry_point: bool = False
    names: HostNames = field(default_factory=HostNames)
    origins: tuple[str, ...] = ()
    """Whose pages may ask for changes, besides the gateway's own."""


async def _signed(request: web.Request, response: web.StreamResponse) -> None:
    """What every answer of an entry point says of itself, those that are streams too."""
    context = request.get(CONTEXT)
    if context is not None:
        response.headers["CIMI-Specification-Version"] = context.version
        response.headers["Vary"] = "Accept, Authorization"
        response.headers["X-Request-ID"] = context.request_id


class Server:
    """``readiness`` tells whether changes are possible now; ``draining`` refuses new requests."""

    def __init__(
        self,
        handlers: Handlers,
        authentication: Authentication,
        settings: WireSettings,
        readiness: Callable[[], Readiness],
        stream: EventStream,
        audit: Audit,
        metrics: Metrics,
    ) -> None:
        self._handlers = handlers
        self._authentication = authentication
        self._settings = settings
        self._readiness = readiness
        self._stream = stream
        self._audit = audit
        self._metrics = metrics
        self.draining = False

    def application(self) -> web.Application:
        application = web.Application(client_max_size=self._settings.max_body)
        application.on_response_prepare.append(_signed)
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
        """They tell of everybody's guests, so they are for admins; see [metrics] listen for scrapers."""
        identity = request_id(request)
        context = Context(identity, Edge(CIMI_1.root, CIMI_1), "json", CIMI_1.version)
        try:
            context.caller = await self._caller(request, identity, METRICS)
            if context.caller.role is not Role.ADMIN:
                raise Forbidden("metrics tell of everybody's guests; only an admin may read them")
            await self._audit.taken(context.caller, CLOUD_ENTRY_POINT.segment, METRICS)
            return await self._metrics.respond(request)
        except Exception as error:
            known = errors.as_gateway_error(error, identity)
            await self._audit.refused(request, context, METRICS, known)
            return errors.respond(known, request, context.edge, "json", identity)

    async def _to_entry_point(self, _request: web.Request) -> web.Response:
        raise web.HTTPTemporaryRedirect(CIMI_1.root)

    async def _cimi_1(self, request: web.Request) -> web.StreamResponse:
        path = request.match_info.get("path", "")
        # What no identifier can hold names nothing, and gets neither into a log nor into an Event.
        return await self._serve(request, CIMI_1, ELSEWHERE if UNPRINTABLE.search(path) else canonical(path))

    async def _cimi_1_elsewhere(self, request: web.Request) -> web.StreamResponse:
        return await self._serve(request, CIMI_1, ELSEWHERE)

    async def _serve(self, request: web.Request, dialect: Dialect, path: str) -> web.StreamResponse:
        if path.strip("/") == event_stream.PATH:
            return await self._answer(request, dialect, path, self._stream.serve)
        began = time.perf_counter()
        response = await self._answer(request, dialect, path, self._handle(path))
        if not hung_up(request):
            self._metrics.answered(request.method, path, response.status, time.perf_counter() - began)
        return response

    def _handle(self, path: str) -> Handle:
        if path.strip("/") == description.PATH:
            return description.serve
        return lambda request, context: self._handlers.handle(request, context, path)

    async def _answer(self, request: web.Request, dialect: Dialect, path: str, handle: Handle) -> web.StreamResponse:
        """Everything that goes wrong in here becomes a CIMI error document."""
        identity = request_id(request)
        context = Context(identity, Edge(dialect.root, dialect), "json", dialect.version)
        request[CONTEXT] = context
        with suppress(NotAcceptable):
            context.media = answer_format(header(request, "Accept"), None)
        try:
            demand_short_headers(request)
            settings = self._settings
            base = base_of(request, settings.base_url, settings.trusted_proxies, dialect, settings.names)
            context.edge = Edge(base, dialect)
            await self._prepare(request, context, path)
            response = await handle(request, context)
        except NotAcceptable as error:
            response = errors.respond(error, request, context.edge, "json", identity)
        except Exception as error:
            if cut(request, error):
                return web.Response(status=400)
            known = errors.as_gateway_error(error, identity)
            await self._audit.refused(request, context, path, known)
            # The wire's own errors tell more than their translations; others would be logged a second time.
            shown = error if isinstance(error, web.RequestPayloadError) else known
            response = errors.respond(shown, request, context.edge, context.media, identity)
        if response.prepared:
            return response
        if request.method not in ("GET", "HEAD") and context.caller is not None:
            self._log_change(request, context.caller, path, response.status)
        return response

    def _log_change(self, request: web.Request, caller: Caller, path: str, status: int) -> None:
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

    async def _prepare(self, request: web.Request, context: Context, path: str) -> None:
        """Format, credentials, version, in this order: an error needs a format, and a stranger gets only a 401."""
        context.parameters = parameters(request)
        wanted = next((value for name, value in context.parameters if name == "$format"), None)
        refused: NotAcceptable | None = None
        accepted = None if path.strip("/") == event_stream.PATH else header(request, "Accept")
        try:
            context.media = answer_format(accepted, wanted, bytes_at(path.rstrip("/"), request.method))
        except NotAcceptable as error:
            refused = error
        context.caller = await self._caller(request, context.request_id, path)
        context.caller = replace(context.caller, idempotency_key=_idempotency_key(request))
        if not context.caller.user:
            # A stranger reads the entry point's own document, and nothing that it leads to.
            context.parameters = [pair for pair in context.parameters if pair[0] != "$expand"]
        if refused is not None:
            raise refused
        demand_unencoded(request)
        demand_own_origin(request, context.edge.base, self._settings.names, self._settings.origins)
        context.version = version_of(request, context.edge.dialect)
        if self.draining:
            raise Unavailable("the gateway is being stopped; try again later")

    async def _caller(self, request: web.Request, identity: str, path: str) -> Caller:
        given = request.headers.get("Authorization")
        address = self._audit.address(request)
        public = self._settings.public_entry_point and path.rstrip("/") in PUBLIC
        if given is None and public and request.method in ("GET", "HEAD"):
            return Caller("", Role.VIEWER, identity)
        try:
            user, role = await self._authentication.authenticate(given, address)
        except UnicodeEncodeError:
            raise Unauthenticated("the user name or the password is wrong") from None
        return Caller(user, role, identity, address=address)


def _idempotency_key(request: web.Request) -> str | None:
    """Return the key that the client gave. Raises Invalid when it is none."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and not (key.isascii() and key.isprintable() and 0 < len(key) <= LONGEST_KEY):
        raise Invalid(f"must have 1 to {LONGEST_KEY} printable ASCII characters", "Idempotency-Key")
    return key

"""The web application: one way in for every request, and the health endpoints."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field

import structlog
from aiohttp import web

from gateway.cimi.dialects import CIMI_1, Dialect
from gateway.cimi.edge import Edge
from gateway.errors import Forbidden, GatewayError, Invalid, NotAcceptable, Unauthenticated, Unavailable
from gateway.http import description, errors, event_stream
from gateway.http.authentication import Authentication, claimed_user
from gateway.http.bodies import demand_unencoded
from gateway.http.context import (
    Context,
    address_of,
    base_of,
    demand_short_headers,
    header,
    parameters,
    request_id,
    version_of,
)
from gateway.http.event_stream import EventStream
from gateway.http.handlers import Handlers
from gateway.http.hang_ups import cut, hung_up
from gateway.http.hosts import HostNames
from gateway.http.metrics import Metrics
from gateway.http.negotiation import answer_format
from gateway.http.origins import demand_own_origin
from gateway.orchestration.monitoring.occurrences import Request
from gateway.orchestration.monitoring.refusals import Refusals
from gateway.orchestration.permissions import Role
from gateway.orchestration.service import Caller

ENTRY_POINTS = ("", "cloudEntryPoint")
PUBLIC = (*ENTRY_POINTS, description.PATH)
"""What strangers may read where the entry point is public."""
LONGEST_KEY = 128
REST = r"{path:[\s\S]*}"
"""Whatever follows in a URL, line ends included."""
CONTEXT = web.RequestKey("context", Context)
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
    """``unready`` tells why changes are not possible now, in words; ``draining`` refuses new requests."""

    def __init__(
        self,
        handlers: Handlers,
        authentication: Authentication,
        settings: WireSettings,
        unready: Callable[[], Iterable[str]],
        stream: EventStream,
        refusals: Refusals,
        metrics: Metrics,
    ) -> None:
        self._handlers = handlers
        self._authentication = authentication
        self._settings = settings
        self._unready = unready
        self._stream = stream
        self._refusals = refusals
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
        reasons = list(self._unready())
        if self.draining:
            reasons.append("the gateway is being stopped")
        status = "not ready" if reasons else "ready"
        return web.json_response({"status": status, "reasons": reasons}, status=503 if reasons else 200)

    async def _metrics_for_admins(self, request: web.Request) -> web.Response:
        """They tell of everybody's guests, so they are for admins; see [metrics] listen for scrapers."""
        identity = request_id(request)
        edge = Edge(CIMI_1.root, CIMI_1)
        try:
            _user, role = await self._authentication.authenticate(
                request.headers.get("Authorization"), request.remote or ""
            )
            if role is not Role.ADMIN:
                raise Forbidden("metrics tell of everybody's guests; only an admin may read them")
            return await self._metrics.respond(request)
        except Exception as error:
            return errors.respond(error, request, edge, "json", identity)

    async def _to_entry_point(self, _request: web.Request) -> web.Response:
        raise web.HTTPTemporaryRedirect(CIMI_1.root)

    async def _cimi_1(self, request: web.Request) -> web.StreamResponse:
        path = request.match_info.get("path", "")
        # What no identifier can hold names nothing, and gets neither into a log nor into an Event.
        return await self._serve(request, CIMI_1, ELSEWHERE if UNPRINTABLE.search(path) else path)

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

    async def _answer(
        self, request: web.Request, dialect: Dialect, path: str, handle: Handle
    ) -> web.StreamResponse:
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
            await self._note_refusal(request, context, path, known)
            # The wire's own errors tell more than their translations; others would be logged a second time.
            shown = error if isinstance(error, web.RequestPayloadError) else known
            response = errors.respond(shown, request, context.edge, context.media, identity)
        if response.prepared:
            return response
        if request.method not in ("GET", "HEAD"):
            user = context.caller.user if context.caller else None
            log.info("change", request=identity, user=user, method=request.method, path=path, status=response.status)
        return response

    async def _note_refusal(self, request: web.Request, context: Context, path: str, error: GatewayError) -> None:
        """Refused changes, and readers who may not, where somebody gave a name; 421, 429 and 431 would be a flood."""
        given = request.headers.get("Authorization")
        changing = request.method not in ("GET", "HEAD")
        nameless = context.caller is None and not given
        if nameless or error.status in (421, 429, 431) or not (changing or error.status in (401, 403)):
            return
        user = context.caller.user if context.caller else claimed_user(given)
        address = address_of(request, self._settings.trusted_proxies)
        asked = Request(request.method, user, address, context.request_id)
        await self._refusals.refused(asked, path, f"{error.status} {error.message}")

    async def _prepare(self, request: web.Request, context: Context, path: str) -> None:
        """Format, credentials, version, in this order: an error needs a format, and a stranger gets only a 401."""
        context.parameters = parameters(request)
        wanted = next((value for name, value in context.parameters if name == "$format"), None)
        refused: NotAcceptable | None = None
        accepted = None if path.strip("/") == event_stream.PATH else header(request, "Accept")
        try:
            context.media = answer_format(accepted, wanted)
        except NotAcceptable as error:
            refused = error
        context.caller = await self._caller(request, context.request_id, path)
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
        address = address_of(request, self._settings.trusted_proxies)
        public = self._settings.public_entry_point and path.rstrip("/") in PUBLIC
        if given is None and public and request.method in ("GET", "HEAD"):
            return Caller("", Role.VIEWER, identity)
        try:
            user, role = await self._authentication.authenticate(given, address)
        except UnicodeEncodeError:
            raise Unauthenticated("the user name or the password is wrong") from None
        key = request.headers.get("Idempotency-Key")
        if key is not None and not (key.isascii() and key.isprintable() and 0 < len(key) <= LONGEST_KEY):
            raise Invalid(f"must have 1 to {LONGEST_KEY} printable ASCII characters", "Idempotency-Key")
        return Caller(user, role, identity, key, address)

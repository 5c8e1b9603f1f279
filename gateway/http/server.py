"""The web application: one way in for every request, and the health endpoints."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import structlog
from aiohttp import web

from gateway.cimi.dialects import CIMI_1, Dialect
from gateway.cimi.edge import Edge
from gateway.errors import Invalid, NotAcceptable, Unauthenticated, Unavailable
from gateway.http import errors
from gateway.http.authentication import Authentication
from gateway.http.context import Context, address_of, base_of, header, parameters, request_id, version_of
from gateway.http.handlers import Handlers
from gateway.http.negotiation import answer_format
from gateway.orchestration.permissions import Role
from gateway.orchestration.service import Caller

ENTRY_POINTS = ("", "cloudEntryPoint")
LONGEST_KEY = 128
REST = r"{path:[\s\S]*}"
"""Whatever follows in a URL, line ends included."""
log = structlog.get_logger("http")


@dataclass(frozen=True, slots=True)
class WireSettings:
    base_url: str = ""
    trusted_proxies: tuple[str, ...] = ()
    max_body: int = 1_048_576
    public_entry_point: bool = False


class Server:
    """``ready`` tells whether the hypervisors answer; ``draining`` refuses new requests."""

    def __init__(
        self, handlers: Handlers, authentication: Authentication, settings: WireSettings, ready: Callable[[], bool]
    ) -> None:
        self._handlers = handlers
        self._authentication = authentication
        self._settings = settings
        self._ready = ready
        self.draining = False

    def application(self) -> web.Application:
        application = web.Application(client_max_size=self._settings.max_body)
        application.router.add_get("/health", self._health)
        application.router.add_get("/health/ready", self._health_ready)
        application.router.add_get("/", self._to_entry_point)
        application.router.add_route("*", CIMI_1.root.rstrip("/"), self._cimi_1)
        application.router.add_route("*", CIMI_1.root + REST, self._cimi_1)
        application.router.add_route("*", "/" + REST, self._cimi_1_elsewhere)
        return application

    async def _health(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "live"})

    async def _health_ready(self, _request: web.Request) -> web.Response:
        ready = self._ready() and not self.draining
        return web.json_response({"status": "ready" if ready else "not ready"}, status=200 if ready else 503)

    async def _to_entry_point(self, _request: web.Request) -> web.Response:
        raise web.HTTPTemporaryRedirect(CIMI_1.root)

    async def _cimi_1(self, request: web.Request) -> web.StreamResponse:
        return await self._serve(request, CIMI_1, request.match_info.get("path", ""))

    async def _cimi_1_elsewhere(self, request: web.Request) -> web.StreamResponse:
        return await self._serve(request, CIMI_1, "elsewhere/-/-")

    async def _serve(self, request: web.Request, dialect: Dialect, path: str) -> web.StreamResponse:
        """Everything that goes wrong in here becomes a CIMI error document."""
        identity = request_id(request)
        context = Context(identity, Edge(dialect.root, dialect), "json", dialect.version)
        with suppress(NotAcceptable):
            context.media = answer_format(header(request, "Accept"), None)
        try:
            base = base_of(request, self._settings.base_url, self._settings.trusted_proxies, dialect)
            context.edge = Edge(base, dialect)
            await self._prepare(request, context, path)
            response: web.StreamResponse = await self._handlers.handle(request, context, path)
        except NotAcceptable as error:
            response = errors.respond(error, request, context.edge, "json", identity)
        except Exception as error:
            response = errors.respond(error, request, context.edge, context.media, identity)
        if not response.prepared:
            response.headers["CIMI-Specification-Version"] = context.version
            response.headers["Vary"] = "Accept, Authorization"
            response.headers["X-Request-ID"] = identity
        if request.method not in ("GET", "HEAD"):
            user = context.caller.user if context.caller else None
            log.info("change", request=identity, user=user, method=request.method, path=path, status=response.status)
        return response

    async def _prepare(self, request: web.Request, context: Context, path: str) -> None:
        """Format, credentials, version, in this order: an error needs a format, and a stranger gets only a 401."""
        context.parameters = parameters(request)
        wanted = next((value for name, value in context.parameters if name == "$format"), None)
        refused: NotAcceptable | None = None
        try:
            context.media = answer_format(header(request, "Accept"), wanted)
        except NotAcceptable as error:
            refused = error
        context.caller = await self._caller(request, context.request_id, path)
        if not context.caller.user:
            # A stranger reads the entry point's own document, and nothing that it leads to.
            context.parameters = [pair for pair in context.parameters if pair[0] != "$expand"]
        if refused is not None:
            raise refused
        context.version = version_of(request, context.edge.dialect)
        if self.draining:
            raise Unavailable("the gateway is being stopped; try again later")

    async def _caller(self, request: web.Request, identity: str, path: str) -> Caller:
        given = request.headers.get("Authorization")
        address = address_of(request, self._settings.trusted_proxies)
        public = self._settings.public_entry_point and path.rstrip("/") in ENTRY_POINTS
        if given is None and public and request.method in ("GET", "HEAD"):
            return Caller("", Role.VIEWER, identity)
        try:
            user, role = await self._authentication.authenticate(given, address)
        except UnicodeEncodeError:
            raise Unauthenticated("the user name or the password is wrong") from None
        key = request.headers.get("Idempotency-Key")
        if key is not None and not (key.isascii() and key.isprintable() and 0 < len(key) <= LONGEST_KEY):
            raise Invalid(f"must have 1 to {LONGEST_KEY} printable ASCII characters", "Idempotency-Key")
        return Caller(user, role, identity, key)

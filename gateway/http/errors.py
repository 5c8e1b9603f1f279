"""Exceptions as CIMI error documents: a Job that says what failed (DSP0263 4.1.8). The one place for it."""

from __future__ import annotations

from typing import Any

import structlog
from aiohttp import web

from gateway import clock
from gateway.cimi.documents import write_resource
from gateway.cimi.edge import Edge
from gateway.cimi.registry import canonical, type_at, type_of
from gateway.clock import timestamp
from gateway.errors import (
    GatewayError,
    Invalid,
    MethodNotAllowed,
    NotFound,
    RangeNotSatisfiable,
    RequestTimeout,
    TooLarge,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
)
from gateway.http.authentication import REALM
from gateway.http.request import CONTENT_TYPES, Wire
from gateway.orchestration.images.uploading import WrongOffset

log = structlog.get_logger("http")
WORDS = {404: "there is nothing at this URL", 405: "this URL does not take this method"}
VERBS = {"POST": "add", "PUT": "edit", "DELETE": "delete"}


def document(error: GatewayError, edge: Edge, target: str, verb: str) -> dict[str, Any]:
    """Return the error as a Job that is not a real one: its id is the empty string."""
    return {
        "resourceURI": edge.dialect.type_uri("Job"),
        "id": "",
        "state": "FAILED",
        "targetResource": {"href": target},
        "action": verb,
        "returnCode": error.return_code,
        "progress": 100,
        "statusMessage": error.message,
        "timeOfStatusChange": timestamp(clock.now()),
    }


def _action(request: web.Request, edge: Edge) -> str:
    """Return the action that was tried: by its URI where the URL names one."""
    owner, _, verb = canonical(request.match_info.get("path", "")).rpartition("/")
    declared = type_at(owner) if request.method == "POST" else None
    if declared is not None and declared.action(verb) is not None:
        return edge.dialect.rel(verb)
    return VERBS.get(request.method, "read")


def as_gateway_error(error: Exception, request_id: str) -> GatewayError:
    """Return the error that a person can act on; the log has what is behind one that nobody thought of."""
    if isinstance(error, GatewayError):
        return error
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return TooLarge("the body is too large")
    if isinstance(error, web.RequestPayloadError):
        return Invalid("the body broke off, or is not in the Transfer-Encoding that it claims")
    if isinstance(error, web.HTTPMethodNotAllowed):
        return MethodNotAllowed(WORDS[405], tuple(sorted(error.allowed_methods)))
    if isinstance(error, web.HTTPException):
        return NotFound(WORDS[404]) if error.status == 404 else Invalid(error.reason)
    log.error("request broke", request=request_id, exc_info=error)
    return GatewayError(f"the gateway failed; its log tells more under request {request_id}")


def respond(error: Exception, request: web.Request, wire: Wire) -> web.Response:
    """Return the answer that tells the client of an error, with the headers that belong to it."""
    refusal, edge = as_gateway_error(error, wire.request_id), wire.edge
    target = edge.base.rstrip("/").removesuffix(edge.dialect.root.rstrip("/")) + request.rel_url.raw_path
    body = write_resource(type_of("Job"), document(refusal, edge, target, _action(request, edge)), wire.media, edge)
    headers = {}
    if isinstance(refusal, Unauthenticated):
        headers["WWW-Authenticate"] = REALM
    if isinstance(refusal, MethodNotAllowed):
        headers["Allow"] = ", ".join(refusal.allow)
    if isinstance(refusal, WrongOffset):
        headers["Upload-Offset"] = str(refusal.offset)
    if isinstance(refusal, RangeNotSatisfiable):
        headers["Content-Range"] = f"bytes */{refusal.size}"
    if isinstance(refusal, Unavailable | TooManyRequests):
        headers["Retry-After"] = str(refusal.retry_after)
    response = web.Response(status=refusal.status, body=body, content_type=CONTENT_TYPES[wire.media], headers=headers)
    if isinstance(error, web.RequestPayloadError) or isinstance(refusal, RequestTimeout):
        response.force_close()
    return response

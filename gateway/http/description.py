"""The OpenAPI description of this entry point, at a URI that the Cloud Entry Point names (provider extension)."""

from __future__ import annotations

import asyncio
import hashlib
import json
from functools import cache, lru_cache
from typing import Any

from aiohttp import web

from gateway.cimi import openapi
from gateway.cimi.dialects import Dialect
from gateway.cimi.openapi import READING
from gateway.errors import MethodNotAllowed, status_of
from gateway.http import event_stream
from gateway.http.request import CONTENT_TYPES, JSON, Context, header, names_tag
from gateway.orchestration.common.contract import Role
from gateway.orchestration.common.permissions import demand, granted

PATH = "openapi"
REMEMBERED = 16
"""Names of this host by which the description is kept in bytes; it differs in ``servers`` alone."""

Described = dict[str, Any]


async def serve(request: web.Request, context: Context) -> web.StreamResponse:
    """Return the description, in JSON whatever the client accepts. Raises Forbidden, and MethodNotAllowed."""
    if request.method not in ("GET", "HEAD"):
        raise MethodNotAllowed("the description is read by GET", ("GET", "HEAD"))
    demand(context.caller.role, "CloudEntryPoint", "read")
    body, tag = await asyncio.to_thread(_encoded, context.edge.base, context.edge.dialect)
    sought = header(request, "If-None-Match")
    if sought is not None and names_tag(sought, (tag,), weakly=True):
        return web.Response(status=304, headers={"ETag": tag})
    return web.Response(body=body, content_type=CONTENT_TYPES[JSON], headers={"ETag": tag})


@lru_cache(REMEMBERED)
def _encoded(base: str, dialect: Dialect) -> tuple[bytes, str]:
    server = {"url": base.removesuffix(dialect.root)}
    body = json.dumps({**described(dialect), "servers": [server]}, separators=(",", ":")).encode()
    return body, f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'


@cache
def described(dialect: Dialect) -> Described:
    """Return what the declarations say, and the routes that the wire has besides."""
    whole = openapi.describe(dialect, roles)
    return {**whole, "paths": {**whole["paths"], **_own(dialect)}}


def roles(kind: str, operation: str) -> tuple[str, ...]:
    """Return the roles that are granted an operation on a kind."""
    return tuple(role.value for role in Role if granted(role, kind, operation))


def _own(dialect: Dialect) -> Described:
    """Return the routes of no declared type."""
    readers, everybody = list(roles("Event", "read")), list(roles("CloudEntryPoint", "read"))
    refusals = {
        str(status_of(error.return_code)): {"$ref": f"#/components/responses/{error.__name__}"} for error in READING
    }
    live = _read("readEventStream", "live events and Jobs", "text/event-stream", readers, refusals)
    live["get"]["parameters"] = [
        {"name": name, "in": place, "description": "go on after this one", "schema": {"type": "string"}}
        for name, place in (("Last-Event-ID", "header"), ("lastEventId", "query"))
    ]
    live["get"]["parameters"].append(
        {
            "name": event_stream.JOB_LINES,
            "in": "query",
            "description": "with the lines of Jobs' logs",
            "schema": {"type": "boolean"},
        }
    )
    this = _read("readOpenAPI", "this description", CONTENT_TYPES[JSON], everybody, refusals)
    this["get"]["parameters"] = [{"$ref": "#/components/parameters/If-None-Match"}]
    this["get"]["responses"]["304"] = {"description": "the client has it: If-None-Match names it"}
    health = _read("readHealth", "whether the gateway lives", CONTENT_TYPES[JSON])
    ready = _read("readHealthReady", "whether it can make changes now", CONTENT_TYPES[JSON])
    ready["get"]["responses"]["503"] = {"description": "it cannot, for these reasons"}
    start = {"operationId": "findEntryPoint", "security": [], "responses": {"307": {"description": dialect.root}}}
    return {
        dialect.root + event_stream.PATH: live,
        dialect.root + PATH: this,
        "/": {"get": start},
        "/health": health,
        "/health/ready": ready,
        "/metrics": _read("readMetrics", "figures for Prometheus", "text/plain", [Role.ADMIN.value], refusals),
    }


def _read(
    name: str, meaning: str, media: str, readers: list[str] | None = None, refusals: Described | None = None
) -> Described:
    """Return the operation by which something is read that is no document.

    ``readers`` None: everybody reads it, without credentials.
    """
    answer = {"description": meaning, "content": {media: {}}}
    operation: Described = {"operationId": name, "summary": meaning, "responses": {"200": answer, **(refusals or {})}}
    if readers is None:
        operation["security"] = []
    else:
        operation.update({"x-roles": readers, "description": f"Granted to: {', '.join(readers)}."})
    return {"get": operation}

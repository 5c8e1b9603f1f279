"""Packages on the wire: import by an Action or by the package itself, and the download of what an export wrote."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import structlog
from aiohttp import web

from gateway.cimi.resource_type import Action
from gateway.cimi.system import PACKAGE
from gateway.http.audit import Audit
from gateway.http.context import Context
from gateway.http.image_bytes import body_pieces
from gateway.orchestration.common.contract import Outcome
from gateway.orchestration.jobs.service import JobService
from gateway.orchestration.systems.packages.service import PackagedService
from gateway.orchestration.systems.packages.uploads import PackageUpload

log = structlog.get_logger("http")


def is_package(request: web.Request, action: Action) -> bool:
    """Whether the body is the package itself."""
    return request.headers.get("Content-Type", "").partition(";")[0].strip().lower() in action.sent


async def import_sent(request: web.Request, service: PackagedService, context: Context, collection: str) -> Outcome:
    """Take the package into the staging directory. The query's parameters are the action's properties."""
    caller, tools = context.known_caller, service.room.images
    service.may_import(caller)
    properties = {name: value for name, value in context.parameters if not name.startswith("$")}
    summed = caller.idempotency_key is not None
    async with PackageUpload(service.room, request.content_length, summed=summed) as upload:
        async for piece in body_pieces(request, tools.stall_seconds):
            await upload.write(piece)
        return await service.import_upload(caller, collection, upload, properties)


async def download(
    request: web.Request, service: JobService, context: Context, path: str, audit: Audit
) -> web.StreamResponse:
    """The archive, as a stream."""
    await service.read(context.known_caller, path)
    stored = await service.package(context.known_caller, path)
    name = f"{stored.name}.ova"
    headers = {"Content-Type": PACKAGE, "Content-Disposition": f'attachment; filename="{name}"'}
    response = web.StreamResponse(status=200, headers=headers)
    response.content_length = stored.size
    if request.method == "HEAD":
        return response
    await audit.taken(context.known_caller, path, "package")
    try:
        async with aclosing(stored.pieces()) as pieces:
            async for piece in pieces:
                if not response.prepared:
                    await response.prepare(request)
                await asyncio.wait_for(response.write(piece), service.room.images.stall_seconds)
    except (OSError, TimeoutError) as error:
        log.warning("download broke off", job=path, reason=str(error) or type(error).__name__)
        if request.transport is not None:
            request.transport.abort()
    return response

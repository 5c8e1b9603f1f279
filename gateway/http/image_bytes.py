"""The bytes of images on the wire: upload by PUT, in parts when wanted, and download by GET (provider extensions).

An upload is one PUT of everything, or several with ``Content-Range: bytes first-last/total`` in order. Every answer
to it says in ``Upload-Offset`` how many bytes are here; GET and HEAD on its URI ask for that. ``Content-Digest``
(RFC 9530, sha-256) guards a single request.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace

import structlog
from aiohttp import web

from drivers.base import DriverError
from gateway.cimi.image import BYTES
from gateway.errors import (
    Invalid,
    RangeNotSatisfiable,
    RequestTimeout,
    UnsupportedMediaType,
)
from gateway.http.audit import Audit
from gateway.http.context import Context
from gateway.orchestration.common.contract import Outcome
from gateway.orchestration.common.driver_errors import translated
from gateway.orchestration.images.service import ImageService, StoredBytes
from gateway.orchestration.images.uploading import Part
from gateway.store.model import Resource

CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")
RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
DIGEST = re.compile(r"sha-256=:([A-Za-z0-9+/]{43}=):", re.IGNORECASE)
TAKEN = frozenset({BYTES, ""})
PIECE = 1024 * 1024
log = structlog.get_logger("http")


async def upload(
    request: web.Request, service: ImageService, context: Context, path: str
) -> tuple[Outcome | None, Resource, int]:
    """Take the bytes of one PUT. The job's Outcome once all are here, the image, and the number of its bytes."""
    caller, stall = context.known_caller, service.room.images.stall_seconds
    await service.received(caller, path)
    async with service.receive(caller, path, _part(request)) as receiver:
        async for piece in body_pieces(request, stall):
            await receiver.write(piece)
        await receiver.done()
        outcome = await service.uploaded(caller, path) if receiver.complete else None
        return outcome, receiver.image, receiver.offset


def _part(request: web.Request) -> Part:
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind not in TAKEN:
        raise UnsupportedMediaType(f"the bytes of an image are {BYTES}, not {kind[:60]}")
    part = Part(digest=_digest(request.headers.get("Content-Digest")))
    header = request.headers.get("Content-Range")
    if header is None:
        return part
    found = CONTENT_RANGE.fullmatch(header.strip())
    if found is None or int(found.group(2)) < int(found.group(1)):
        raise Invalid("must be: bytes first-last/total", "Content-Range")
    start, end, total = int(found.group(1)), int(found.group(2)) + 1, found.group(3)
    if request.content_length is not None and request.content_length != end - start:
        raise Invalid(f"says {end - start} bytes, Content-Length {request.content_length}", "Content-Range")
    return replace(part, start=start, end=end, total=None if total == "*" else int(total))


def _digest(header: str | None) -> str | None:
    if header is None:
        return None
    found = DIGEST.search(header)
    if found is None:
        raise Invalid("must be: sha-256=:Base64 of the sum:", "Content-Digest")
    return found.group(1)


async def body_pieces(request: web.Request, stall: float) -> AsyncIterator[bytes]:
    """The bytes of a body as they come. Raises RequestTimeout."""
    try:
        while piece := await asyncio.wait_for(request.content.read(PIECE), stall):
            yield piece
    except TimeoutError:
        raise RequestTimeout(f"nothing came for {stall:g} seconds; what came before is kept") from None
    except (ConnectionError, web.RequestPayloadError):
        raise RequestTimeout("the connection broke; what came before is kept") from None


async def download(
    request: web.Request, service: ImageService, context: Context, path: str, audit: Audit
) -> web.StreamResponse:
    """The stored bytes, or the one part that Range asks for."""
    stored = await service.stored(context.known_caller, path)
    tag = f'"{stored.image.path.rpartition("/")[2]}-{stored.size}"'
    begin, end = _asked(request, stored.size, tag)
    partial = (begin, end) != (0, stored.size)
    response = web.StreamResponse(
        status=206 if partial else 200,
        headers={
            "Content-Type": BYTES,
            "Content-Disposition": f'attachment; filename="{stored.file_name}"',
            "Accept-Ranges": "bytes",
            "ETag": tag,
        },
    )
    response.content_length = end - begin
    if partial:
        response.headers["Content-Range"] = f"bytes {begin}-{end - 1}/{stored.size}"
    if request.method == "HEAD":
        return response
    await audit.taken(context.known_caller, path, "download")
    return await _send(request, response, stored, begin, end, service.room.images.stall_seconds)


def _asked(request: web.Request, size: int, tag: str) -> tuple[int, int]:
    """First byte and the one behind the last. Several ranges, or those of another version, mean everything."""
    found = RANGE.fullmatch(request.headers.get("Range", "").strip())
    if found is None or not any(found.groups()) or request.headers.get("If-Range", tag) != tag:
        return 0, size
    first, last = found.groups()
    begin = int(first) if first else max(0, size - int(last))
    end = min(int(last) + 1, size) if first and last else size
    if not 0 <= begin < end:
        raise RangeNotSatisfiable(f"the image has {size} bytes", size)
    return begin, end


async def _send(
    request: web.Request, response: web.StreamResponse, stored: StoredBytes, begin: int, end: int, stall: float
) -> web.StreamResponse:
    """Headers go with the first bytes: a pool that fails at once is still told as an error, later the line is cut."""
    try:
        async with aclosing(stored.pieces(begin, end - begin)) as pieces:
            async for piece in pieces:
                if not response.prepared:
                    await response.prepare(request)
                await asyncio.wait_for(response.write(piece), stall)
    except (DriverError, OSError, TimeoutError) as error:
        if not response.prepared and isinstance(error, DriverError):
            raise translated(error) from error
        log.warning("download broke off", image=stored.image.path, reason=str(error) or type(error).__name__)
        if request.transport is not None:
            request.transport.abort()
    return response

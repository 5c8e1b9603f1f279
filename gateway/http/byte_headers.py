"""The headers that say which bytes are meant: Range, Content-Range (RFC 9110, 14) and Content-Digest (RFC 9530)."""

from __future__ import annotations

import re
from dataclasses import replace

from aiohttp import web

from gateway.errors import Invalid, RangeNotSatisfiable
from gateway.orchestration.common.contract import Part

CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")
RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
DIGEST = re.compile(r"sha-256=:([A-Za-z0-9+/]{43}=):", re.IGNORECASE)


def part_of(request: web.Request) -> Part:
    """Return which part of the whole a request brings. Raises Invalid for headers that do not say it rightly."""
    part = Part(digest=_digest(request.headers.get("Content-Digest")))
    header = request.headers.get("Content-Range")
    if header is None:
        return part
    match = CONTENT_RANGE.fullmatch(header.strip())
    if match is None or int(match.group(2)) < int(match.group(1)):
        raise Invalid("must be: bytes first-last/total", "Content-Range")
    start, end, total = int(match.group(1)), int(match.group(2)) + 1, match.group(3)
    if request.content_length is not None and request.content_length != end - start:
        raise Invalid(f"says {end - start} bytes, Content-Length {request.content_length}", "Content-Range")
    return replace(part, start=start, end=end, total=None if total == "*" else int(total))


def _digest(header: str | None) -> str | None:
    if header is None:
        return None
    match = DIGEST.search(header)
    if match is None:
        raise Invalid("must be: sha-256=:Base64 of the sum:", "Content-Digest")
    return match.group(1)


def range_of(request: web.Request, size: int, etag: str) -> tuple[int, int]:
    """Return the first byte that a request asks for, and the one behind the last.

    Several ranges, and those of another version than ``etag``, mean everything. Raises RangeNotSatisfiable.
    """
    match = RANGE.fullmatch(request.headers.get("Range", "").strip())
    if match is None or not any(match.groups()) or request.headers.get("If-Range", etag) != etag:
        return 0, size
    first, last = match.groups()
    begin = int(first) if first else max(0, size - int(last))
    end = min(int(last) + 1, size) if first and last else size
    if not 0 <= begin < end:
        raise RangeNotSatisfiable(f"the image has {size} bytes", size)
    return begin, end

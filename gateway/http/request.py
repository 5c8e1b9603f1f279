"""A request: what its query and its headers say, each as the value that it stands for, and how the handlers see it.

``Wire`` is known first, since an error needs it; ``Context`` when it is known who asks; ``Exchange`` when it is known
about what. Headers tell the request's identity, the formats of what comes and what goes, the version of a resource that
is meant, the part of a file, and how long the client waits (RFC 9110; DSP0263 4.1).
"""

from __future__ import annotations

import random
import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from aiohttp import web

from gateway.cimi.dialects import Dialect
from gateway.cimi.edge import Edge
from gateway.cimi.query import QueryOptions, parse_query
from gateway.cimi.resource_type import ResourceType
from gateway.cimi.xml_text import NOT_XML
from gateway.errors import (
    HeadersTooLarge,
    Invalid,
    NotAcceptable,
    RangeNotSatisfiable,
    UnsupportedMediaType,
    UriTooLong,
)
from gateway.http.authentication import Given, Session
from gateway.orchestration.common.contract import Caller, Part
from gateway.orchestration.common.resource_service import ResourceService

READS = ("GET", "HEAD")
# The aiohttp of Debian 13 has no keys of requests: a name serves there.
SESSION = web.RequestKey("session", Session) if TYPE_CHECKING or hasattr(web, "RequestKey") else "session"
"""Key of who makes a request, for what goes on for longer than its answer."""
GIVEN = web.RequestKey("given", Given) if TYPE_CHECKING or hasattr(web, "RequestKey") else "given"
"""Key of what a request says of who makes it."""
LONGEST_URL = 8192
MOST_PARAMETERS = 256
MOST_HEADER_BYTES = 65_536
"""Bytes of all header fields of a request together."""
LONGEST_KEY = 128
JSON, XML = "json", "xml"
MOST_RANGES = 50
"""Media ranges of an Accept header that are looked at."""
CONTENT_TYPES = {JSON: "application/json", XML: "application/xml"}
_OFFERS = (
    (JSON, frozenset({"application/json", "application/*", "*/*"})),
    (XML, frozenset({"application/xml", "text/xml", "application/*", "text/*", "*/*"})),
)
ANY = "*"
"""Whatever the resource is by now."""
MOST_TAGS = 256
CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")
RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
DIGEST = re.compile(r"sha-256=:([A-Za-z0-9+/]{43}=):", re.IGNORECASE)
LONGEST_WAIT = 60.0
"""Seconds that a client may have an answer wait for its Job."""
Parameters = tuple[tuple[str, str], ...]
"""Names and values of a query, in its order."""


@dataclass(frozen=True, slots=True)
class Wire:
    """The form in which a request is answered, by an error too: known before anybody knows who asks."""

    request_id: str
    edge: Edge
    media: str
    """``json`` or ``xml``."""
    version: str
    """Version of the standard that the answer is in."""


@dataclass(frozen=True, slots=True)
class Context(Wire):
    """A request as the handlers see it: from whom, and with which query."""

    caller: Caller
    parameters: Parameters = ()
    since: int = 0
    """The commits that there had been when nothing was read for the request yet."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request for what stands at ``path``, which is of the ``declared`` type and served by ``service``."""

    request: web.Request
    context: Context
    path: str
    declared: ResourceType
    service: ResourceService

    @property
    def options(self) -> QueryOptions:
        """Return the options of the query. Raises Invalid for a bad ``$filter``."""
        parameters = self.context.parameters
        return parse_query(parameters, self.declared, self.context.edge.base) if parameters else QueryOptions()


def parameters(request: web.Request) -> Parameters:
    """Return the query, split at the first '=' only: clients send raw '=' and quotes in filters.

    Raises Invalid for too many parameters and for characters that no document could hold, UriTooLong.
    """
    if len(request.raw_path) > LONGEST_URL:
        raise UriTooLong(f"URLs have at most {LONGEST_URL} characters")
    query = request.rel_url.raw_query_string
    parts = query.split("&") if query else []
    if len(parts) > MOST_PARAMETERS:
        raise Invalid(f"the query has {len(parts)} parameters; at most {MOST_PARAMETERS} are allowed")
    pairs = []
    for part in parts:
        name, _, value = part.partition("=")
        try:
            pairs.append((unquote_plus(name, errors="strict"), unquote_plus(value, errors="strict")))
        except UnicodeDecodeError:
            raise Invalid("the query string is not UTF-8") from None
        if NOT_XML.search(pairs[-1][0]) or NOT_XML.search(pairs[-1][1]):
            raise Invalid("holds a control character, which CIMI strings cannot", _shown(pairs[-1][0]))
    return tuple(pairs)


def _shown(name: str) -> str:
    """Return a parameter's name as a message may quote it."""
    return NOT_XML.sub("?", name)[:60]


# Headers


def header(request: web.Request, name: str) -> str | None:
    """Return a header whose value is a list, also when it was sent in several lines; None when it was not sent."""
    lines = request.headers.getall(name, None)
    return ", ".join(lines) if lines else None


def demand_short_headers(request: web.Request) -> None:
    """Refuse a request whose header fields are too long together. Raises HeadersTooLarge."""
    size = sum(len(name) + len(value) for name, value in request.raw_headers)
    if size > MOST_HEADER_BYTES:
        raise HeadersTooLarge(f"the header fields have {size} bytes; at most {MOST_HEADER_BYTES} are allowed")


def fresh_id() -> str:
    """Return a new X-Request-ID: for logs, and no secret, so that it may cost little."""
    return f"{random.getrandbits(64):016x}"


def request_id(request: web.Request) -> str:
    """Return the client's own X-Request-ID when it is harmless, else a new one."""
    given = request.headers.get("X-Request-ID", "")
    return given if re.fullmatch(r"[A-Za-z0-9._-]{1,64}", given) else fresh_id()


def idempotency_key(request: web.Request) -> str | None:
    """Return the key that the client gave. Raises Invalid when it is none."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and not (key.isascii() and key.isprintable() and 0 < len(key) <= LONGEST_KEY):
        raise Invalid(f"must have 1 to {LONGEST_KEY} printable ASCII characters", "Idempotency-Key")
    return key


def version_of(request: web.Request, dialect: Dialect) -> str:
    """Return the version of the standard to answer in. Raises Invalid when the client takes none spoken here."""
    wanted = header(request, "CIMI-Specification-Version")
    if not wanted:
        return dialect.version
    version = dialect.version_for(wanted)
    if version is None:
        raise Invalid(f"this entry point speaks {', '.join(dialect.versions)}", "CIMI-Specification-Version")
    return version


# Formats


def answer_format(accept: str | None, wanted: str | None, gives: frozenset[str] = frozenset()) -> str:
    """Return the format of the documents of an answer: as ``$format`` says; else the best of Accept, JSON when equal.

    ``gives`` are the media types of bytes that the request may be answered with instead of a document. A client that
    takes them gets them, and errors in JSON; so does one that takes documents only, as clients that send the same
    Accept with every request do. Raises NotAcceptable for one that takes neither, or refuses them by ``q=0``.
    """
    if wanted is not None:
        if wanted.lower() in CONTENT_TYPES:
            return wanted.lower()
        raise NotAcceptable(f"$format: json and xml are known, not {wanted[:40]!r}")
    if accept is None or not accept.strip():
        return JSON
    ranges = [_range(entry) for entry in accept.split(",", MOST_RANGES)[:MOST_RANGES] if entry.strip()]
    ranked = [(_quality(ranges, names), media) for media, names in _OFFERS]
    quality, media = max(ranked, key=lambda entry: entry[0])
    taken = [_quality(ranges, _spellings(given))[0] > 0 for given in gives]
    if not (any(taken) or (quality[0] > 0 and not _refused(ranges, gives))):
        offered = "".join(f"{given}, " for given in sorted(gives))
        raise NotAcceptable(f"{offered}application/json and application/xml can be had, nothing else")
    return media if quality[0] > 0 else JSON


def _spellings(media: str) -> frozenset[str]:
    """Return the media type, and the ranges that it is in."""
    return frozenset({media, f"{media.partition('/')[0]}/*", "*/*"})


def _refused(ranges: list[tuple[str, float]], gives: frozenset[str]) -> bool:
    return any(name in gives and quality <= 0 for name, quality in ranges)


def _range(entry: str) -> tuple[str, float]:
    name, *parameters = [part.strip() for part in entry.split(";")]
    quality = 1.0
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip().lower() == "q":
            try:
                quality = min(1.0, max(0.0, float(value)))
            except ValueError:
                quality = 0.0
    return name.lower(), quality if quality == quality else 0.0


def _quality(ranges: list[tuple[str, float]], names: frozenset[str]) -> tuple[float, int]:
    """Return the quality by the most specific range that matches, and how specific that is."""
    matches = [(2 - name.count("*"), quality) for name, quality in ranges if name in names]
    if not matches:
        return 0.0, 0
    specific, quality = max(matches)
    return quality, 0 if quality <= 0 else specific


def media_type(content_type: str | None) -> str:
    """Return the media type that a Content-Type header names, without parameters; '' when there is none."""
    return (content_type or "").partition(";")[0].strip().lower()


def body_format(content_type: str | None) -> str:
    """Return the format of a document that came. Raises UnsupportedMediaType for all but JSON and XML."""
    name = media_type(content_type)
    if name == "application/json":
        return JSON
    if name in ("application/xml", "text/xml"):
        return XML
    raise UnsupportedMediaType(f"bodies are application/json or application/xml, not {name[:60] or 'without a type'}")


def demand_unencoded(request: web.Request) -> None:
    """Refuse a body in any Content-Encoding: a small one may unpack to anything. Raises UnsupportedMediaType."""
    for coding in (header(request, "Content-Encoding") or "").split(","):
        if coding.strip().lower() not in ("", "identity"):
            raise UnsupportedMediaType(
                f"bodies are sent as they are, without a Content-Encoding; {coding.strip()[:60]!r} is one"
            )


# Versions of a resource


def names_tag(value: str, tags: Collection[str], *, weakly: bool = False) -> bool:
    """Return whether an If-Match or If-None-Match names one of the tags. Raises Invalid for more than ``MOST_TAGS``.

    ``weakly``: a tag that a proxy has weakened is still the same. Costs linear time: what stands between two quotes is
    one tag, commas and all. aiohttp's ``if_match`` and ``if_none_match`` read the first of several header lines alone,
    and take ``"*"`` for ``*``.
    """
    parts = value.split('"')
    outside, inside = parts[0::2], parts[1 : len(parts) - 1 : 2]
    if len(inside) > MOST_TAGS:
        raise Invalid(f"If-Match and If-None-Match name at most {MOST_TAGS} entity tags, not {len(inside)}")
    if any(entry.strip() == ANY for part in outside for entry in part.split(",")):
        return True
    return any(
        f'"{tag}"' in tags and (weakly or not before.endswith("W/"))
        for before, tag in zip(outside, inside, strict=False)
    )


# Parts of a file (RFC 9110 14, RFC 9530)


def part_of(request: web.Request) -> Part:
    """Return which part of the whole a request brings. Raises Invalid for headers that do not say it rightly."""
    part = Part(digest=_digest(request.headers.get("Content-Digest")))
    said = request.headers.get("Content-Range")
    if said is None:
        return part
    match = CONTENT_RANGE.fullmatch(said.strip())
    if match is None or int(match.group(2)) < int(match.group(1)):
        raise Invalid("must be: bytes first-last/total", "Content-Range")
    start, end, total = int(match.group(1)), int(match.group(2)) + 1, match.group(3)
    if request.content_length is not None and request.content_length != end - start:
        raise Invalid(f"says {end - start} bytes, Content-Length {request.content_length}", "Content-Range")
    return replace(part, start=start, end=end, total=None if total == "*" else int(total))


def _digest(said: str | None) -> str | None:
    if said is None:
        return None
    match = DIGEST.search(said)
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


# Patience (RFC 7240)


def seconds_to_wait(prefer: str | None, default: float) -> tuple[float, str | None]:
    """Return the seconds to wait, and what Preference-Applied is to say."""
    if prefer is None:
        return default, None
    wait = re.search(r"(?:^|[,;\s])wait\s*=\s*\"?([0-9]{1,6})", prefer, re.IGNORECASE)
    if wait is not None:
        return min(float(wait.group(1)), LONGEST_WAIT), f"wait={wait.group(1)}"
    if re.search(r"(?:^|[,;\s])respond-async", prefer, re.IGNORECASE):
        return 0.0, "respond-async"
    return default, None

"""The facts of a request that it says itself: who asks, in which format, by which URIs, with which query."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from ipaddress import ip_network
from urllib.parse import unquote_plus

from aiohttp import web

from gateway.addresses import parsed
from gateway.cimi.dialects import Dialect
from gateway.cimi.edge import Edge
from gateway.cimi.xml_text import NOT_XML
from gateway.errors import HeadersTooLarge, Invalid, Misdirected, UriTooLong
from gateway.http.hosts import HostNames
from gateway.orchestration.common.contract import Caller

READS = ("GET", "HEAD")
LONGEST_URL = 8192
LONGEST_ADDRESS = 64
MOST_HEADER_BYTES = 65_536
"""Bytes of all header fields of a request together."""
MOST_PARAMETERS = 256
HOST = re.compile(r"[A-Za-z0-9.\-_]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?")


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


def request_id(request: web.Request) -> str:
    """Return the client's own X-Request-ID when it is harmless, else a new one."""
    given = request.headers.get("X-Request-ID", "")
    return given if re.fullmatch(r"[A-Za-z0-9._-]{1,64}", given) else secrets.token_hex(8)


def header(request: web.Request, name: str) -> str | None:
    """Return a header whose value is a list, also when it was sent in several lines; None when it was not sent."""
    lines = request.headers.getall(name, None)
    return ", ".join(lines) if lines else None


def demand_short_headers(request: web.Request) -> None:
    """Refuse a request whose header fields are too long together. Raises HeadersTooLarge."""
    size = sum(len(name) + len(value) for name, value in request.raw_headers)
    if size > MOST_HEADER_BYTES:
        raise HeadersTooLarge(f"the header fields have {size} bytes; at most {MOST_HEADER_BYTES} are allowed")


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


def version_of(request: web.Request, dialect: Dialect) -> str:
    """Return the version of the standard to answer in. Raises Invalid when the client takes none spoken here."""
    wanted = header(request, "CIMI-Specification-Version")
    if not wanted:
        return dialect.version
    version = dialect.version_for(wanted)
    if version is None:
        raise Invalid(f"this entry point speaks {', '.join(dialect.versions)}", "CIMI-Specification-Version")
    return version


def base_of(request: web.Request, base_url: str, trusted: tuple[str, ...], dialect: Dialect, names: HostNames) -> str:
    """Return the URL of the Cloud Entry Point as this client sees it.

    Raises Invalid for a Host header that names no host, and Misdirected for a host that is none of ours.
    """
    scheme, host = request.scheme, request.headers.get("Host", "")
    proxied = bool(trusted) and _is_trusted(request.remote, trusted)
    if base_url:
        if host and not proxied and not names.admit(host):
            raise misdirected(host)
        return base_url.rstrip("/") + dialect.root
    if proxied:
        scheme, host = _forwarded(request, scheme, host)
    if not HOST.fullmatch(host) or scheme not in ("http", "https"):
        raise Invalid("the Host header names no host")
    if not names.admit(host, vouched=proxied):
        raise misdirected(host)
    return f"{scheme}://{host}{dialect.root}"


def misdirected(host: str) -> Misdirected:
    """Return the refusal of a request to a host that is none of ours."""
    return Misdirected(f"{host[:200]!r} is no name of this gateway; its names are set in [server] hosts or base_url")


def _forwarded(request: web.Request, scheme: str, host: str) -> tuple[str, str]:
    """Return the scheme and the host that the client asked the proxy for."""
    protocol = _said(request, "proto", "X-Forwarded-Proto") or scheme
    return protocol.lower(), _said(request, "host", "X-Forwarded-Host") or host


def address_of(request: web.Request, trusted: tuple[str, ...]) -> str:
    """Return the address that asks, by the word of a trusted proxy where there is one."""
    said = _said(request, "for", "X-Forwarded-For") if trusted and _is_trusted(request.remote, trusted) else ""
    return said[:LONGEST_ADDRESS] or request.remote or ""


def _said(request: web.Request, parameter: str, name: str) -> str:
    """Return the proxy's word: by the Forwarded header (RFC 7239), else by the one of this name; '' without any.

    The last entry is the one that the proxy wrote itself. The entries before that came with the request, from
    whomever.
    """
    said = request.forwarded[-1].get(parameter) if request.forwarded else None
    return said or (header(request, name) or "").rpartition(",")[2].strip()


def _is_trusted(remote: str | None, trusted: tuple[str, ...]) -> bool:
    plain = parsed(remote or "")
    return plain is not None and any(plain in ip_network(entry) for entry in trusted)

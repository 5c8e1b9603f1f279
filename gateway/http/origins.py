"""Changes that a page of another site makes a browser ask for, with the credentials the browser remembers (CSRF)."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

from aiohttp import web

from gateway.errors import Forbidden
from gateway.http.context import header
from gateway.http.hosts import HostNames

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110, 9.2.1)."""
FOREIGN_SITES = frozenset({"cross-site", "same-site"})
"""Values of Sec-Fetch-Site: asked for by a page of another site, or of another host of this one."""
DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def demand_own_origin(request: web.Request, base: str, names: HostNames, allowed: Collection[str]) -> None:
    """Refuse a change that a page of another origin asks for. Raises Forbidden.

    ``base`` is the entry point's URL as this client sees it, ``allowed`` are the origins of the configuration. Clients
    that are no browsers send neither Origin nor Sec-Fetch-Site, and are not meant.
    """
    if request.method in SAFE:
        return
    origin = header(request, "Origin")
    site = (header(request, "Sec-Fetch-Site") or "").strip().lower()
    if origin is not None and origin_of(origin) in {origin_of(entry) for entry in allowed}:
        return
    if origin is not None and origin_of(origin) not in _own(request, base, names):
        raise _refusal(f"a page of {origin[:200]}")
    if site in FOREIGN_SITES:
        raise _refusal(f"a {site} page")


def _own(request: web.Request, base: str, names: HostNames) -> set[str]:
    """Return the origins of this gateway's own pages: of its base URL, and of the host that was called."""
    host = request.headers.get("Host", "")
    direct = {origin_of(f"{request.scheme}://{host}")} if names.admit(host) else set()
    return {origin_of(base), *direct} - {""}


def _refusal(who: str) -> Forbidden:
    return Forbidden(
        f"{who} may not change anything here (Origin, Sec-Fetch-Site); if it is yours, "
        "name it in [server] origins, or its proxy in trusted_proxies"
    )


def origin_of(url: str) -> str:
    """Return the scheme, host and port of a URL as browsers write them: in small letters, without a default port."""
    try:
        parts = urlsplit(url.strip().lower())
    except ValueError:
        return ""
    netloc = parts.netloc.removesuffix(DEFAULT_PORTS.get(parts.scheme, ":"))
    return f"{parts.scheme}://{netloc}" if parts.scheme and netloc else ""

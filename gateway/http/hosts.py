"""From where a request comes, and which of our names it calls: links are made of no other names.

A trusted proxy is believed when it says whom it speaks for. A change that a page of another site makes a browser ask
for, with the credentials that the browser remembers, is refused (CSRF).
"""

from __future__ import annotations

import re
import socket
from collections.abc import Collection, Iterable
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from aiohttp import web

from gateway.addresses import host_of, parsed
from gateway.cimi.dialects import Dialect
from gateway.errors import Forbidden, Invalid, Misdirected, Unauthenticated
from gateway.http.request import header

HOST = re.compile(r"[A-Za-z0-9.\-_]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?")
LONGEST_ADDRESS = 64
THIS_HOST = "this host"
"""Where requests come from that come by the socket of this host."""
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110, 9.2.1)."""
FOREIGN_SITES = frozenset({"cross-site", "same-site"})
"""Values of Sec-Fetch-Site: asked for by a page of another site, or of another host of this one."""
DEFAULT_PORTS = {"http": ":80", "https": ":443"}


class HostNames:
    """The names that a Host header may have.

    Loopback names are always among them, and the name in ``base_url``. When ``hosts`` says nothing, also the host that
    is listened on, the machine's own name, and every IP address: what a page elsewhere can make a browser send is a
    name of its own, and never an address that is not its own.
    """

    def __init__(self, hosts: Iterable[str] = (), base_url: str = "", listen: str = "") -> None:
        said = {bare(host) for host in hosts}
        self._strict = bool(said)
        own = set() if said else {bare(listen.rpartition(":")[0]), bare(socket.gethostname())}
        self._names = {*said, *own, bare(urlsplit(base_url).netloc)} - {""}

    def admit(self, host: str, *, vouched: bool = False) -> bool:
        """Return whether ``host``, with or without a port, is one of the names.

        ``vouched``: a trusted proxy says so, which is enough where the configuration names no hosts.
        """
        name = bare(host)
        if name in self._names or (vouched and not self._strict) or name == "localhost" or name.endswith(".localhost"):
            return True
        try:
            address = ip_address(name)
        except ValueError:
            return False
        return address.is_loopback or not self._strict


def bare(host: str) -> str:
    """Return a host without user, port, brackets and final dot, in small letters."""
    host = host.rpartition("@")[2].lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    name = host.partition(":")[0] if host.count(":") == 1 else host
    return name.removesuffix(".")


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
    """Return the address that asks, by the word of a trusted proxy where there is one, without a port."""
    if getattr(request.protocol, "peer", None) is not None:
        return THIS_HOST
    said = _said(request, "for", "X-Forwarded-For") if trusted and _is_trusted(request.remote, trusted) else ""
    return host_of(said[:LONGEST_ADDRESS] or request.remote or "")


def proxied_user(request: web.Request, header_name: str, trusted: tuple[str, ...]) -> str | None:
    """Return the user whom a trusted proxy names in a header; None where nobody is believed, or none is named.

    Raises Unauthenticated for several names: some of them may be the client's own.
    """
    if not header_name or not _is_trusted(request.remote, trusted):
        return None
    names = request.headers.getall(header_name, [])
    if len(names) > 1:
        raise Unauthenticated(f"{header_name} stands {len(names)} times; the proxy has to replace what clients send")
    # Older aiohttp leaves the blanks there that end a field, and that belong to no name (RFC 9110 5.5).
    return (names[0].strip(" \t") if names else "") or None


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


# Pages of other sites


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

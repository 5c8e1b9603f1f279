"""To which servers a password is sent: over TLS or to this host, and to no other than the one that was named."""

from __future__ import annotations

import urllib.request
from email.message import Message
from ipaddress import ip_address
from typing import IO
from urllib.parse import urlsplit

import click

Origin = tuple[str, str, int | None]
PORTS = {"http": 80, "https": 443}


def origin_of(url: str) -> Origin:
    """Return scheme, host and port. Raises ClickException for what is no http or https URL."""
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme.lower(), (parts.hostname or "").rstrip("."), parts.port
    except ValueError as error:
        raise click.ClickException(f"{url[:200]!r} is no URL: {error}") from None
    if scheme not in PORTS or not host:
        raise click.ClickException(f"{url[:200]!r} is no http or https URL")
    return scheme, host, PORTS[scheme] if port is None else port


def is_loopback(host: str) -> bool:
    """Return whether the host is this one, without asking a name server."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def demand_protection(url: str) -> None:
    """Raise ClickException when a password would cross a network in the clear."""
    scheme, host, _port = origin_of(url)
    if scheme != "https" and not is_loopback(host):
        raise click.ClickException(
            f"the password would be sent to {host} in the clear; use https, or --insecure where nobody listens"
        )


def demand_origin(url: str, wanted: str) -> None:
    """Raise ClickException when a link or a redirect leads to another server than the one that was named."""
    if origin_of(url) != origin_of(wanted):
        raise click.ClickException(
            f"{wanted} leads to {url[:200]}, another server, to which the password is not sent; "
            "name that as --url when it is the same gateway"
        )


class RedirectsAtHome(urllib.request.HTTPRedirectHandler):
    """A handler that follows redirects within one server, and refuses those that lead elsewhere."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> urllib.request.Request | None:
        """Return the request to make instead. Raises ClickException before anything is sent to another server."""
        try:
            demand_origin(newurl, req.full_url)
        except click.ClickException:
            fp.close()
            raise
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]

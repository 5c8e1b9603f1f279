"""To which servers a password is sent: over TLS, or to this host."""

from __future__ import annotations

from ipaddress import ip_address
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

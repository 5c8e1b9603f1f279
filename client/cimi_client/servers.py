"""To which server a client speaks, as whom, and how it is protected."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from cimi_client.errors import CimiError, Unprotected

Media = Literal["json", "xml"]
Origin = tuple[str, str, int | None]
PORTS = {"http": 80, "https": 443}
UNIX = "unix:"


@dataclass(frozen=True, slots=True)
class Login:
    """The credentials of a user: a name with a password (HTTP Basic), or a token (Bearer)."""

    user: str | None = None
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)

    @property
    def header(self) -> str | None:
        """The Authorization header; None for who has no credentials."""
        if self.token is not None:
            return f"Bearer {self.token}"
        if self.user is None:
            return None
        pair = f"{self.user}:{self.password or ''}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"


NOBODY = Login()


@dataclass(frozen=True, slots=True)
class Server:
    """A provider's Cloud Entry Point, and how to speak to it.

    ``url`` is ``http(s)://...``, or ``unix:/path`` for a socket on this host, which needs no login. ``insecure`` lets
    credentials cross a network in the clear. ``timeout`` is in seconds without a byte; ``patience`` is for how many
    seconds a server is tried again that has answered before.
    """

    url: str
    login: Login = NOBODY
    media: Media = "json"
    insecure: bool = False
    authorities: Path | None = None
    """A file of certificates (PEM) that are trusted instead of the system's."""
    project: str = ""
    """Name of the project that requests are made in (CIMI-Project, an extension); empty: the provider decides."""
    timeout: float = 60.0
    patience: float = 30.0

    @property
    def socket(self) -> str | None:
        """The path of the Unix socket; None for a server on the network."""
        return self.url.removeprefix(UNIX) if self.url.startswith(UNIX) else None

    @property
    def entry(self) -> str:
        """The URL of the Cloud Entry Point, ending with a slash unless it has a query."""
        if self.socket is not None:
            return "http://localhost/cimi/"
        return self.url if "?" in self.url else self.url.rstrip("/") + "/"

    def demand_protection(self) -> None:
        """Raise Unprotected when credentials would cross a network in the clear."""
        scheme, host, _port = origin_of(self.entry)
        secret = self.login.header is not None
        if secret and scheme != "https" and not self.insecure and not is_loopback(host):
            raise Unprotected(
                f"the password would be sent to {host} in the clear; use https, or say insecure where nobody listens"
            )

    def demand_origin(self, url: str) -> None:
        """Raise Unprotected when a link or a redirect leads to another server than the one that was named."""
        if origin_of(url) != origin_of(self.entry):
            raise Unprotected(
                f"{self.entry} leads to {url[:200]}, another server, to which no password is sent; "
                "name that one when it is the same provider"
            )


def origin_of(url: str) -> Origin:
    """Return scheme, host and port. Raises CimiError for what is no http or https URL."""
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme.lower(), (parts.hostname or "").rstrip("."), parts.port
    except ValueError as error:
        raise CimiError(f"{url[:200]!r} is no URL: {error}") from None
    if scheme not in PORTS or not host:
        raise CimiError(f"{url[:200]!r} is no http or https URL")
    return scheme, host, PORTS[scheme] if port is None else port


def is_loopback(host: str) -> bool:
    """Return whether the host is this one, without asking a name server."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

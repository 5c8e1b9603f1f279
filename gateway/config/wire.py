"""Checks of what [server] says about connections, host names and origins."""

from __future__ import annotations

import math
import re
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit

from gateway.config.reader import ConfigError
from gateway.config.sections import OidcSettings, ServerSettings

HOST = re.compile(r"[A-Za-z0-9._\-]+|\[?[0-9A-Fa-f:.]+\]?")
ORIGIN = re.compile(r"https?://[^/?#@\s]+")
LEAST_CONNECTIONS = 32


HEADER = re.compile(r"[A-Za-z0-9-]{1,64}")


def check_proxy_header(path: Path, header: str, trusted: list[str]) -> None:
    """Raise ConfigError for a header that is none, or that nobody would be believed to send."""
    if header and not HEADER.fullmatch(header):
        raise ConfigError(f"{path}: [auth] proxy_user_header: {header!r} is no name of a header")
    if header.lower() in ("authorization", "cimi-project", "host"):
        raise ConfigError(f"{path}: [auth] proxy_user_header: {header} means something else already")
    if header and not trusted:
        raise ConfigError(f"{path}: [auth] proxy_user_header: needs the proxy's address in [server] trusted_proxies")


def check_oidc(path: Path, oidc: OidcSettings) -> None:
    """Raise ConfigError for a provider that nobody could trust: in the clear, or for any audience."""
    if not oidc.issuer:
        return
    parts = urlsplit(oidc.issuer)
    if parts.scheme != "https" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        raise ConfigError(f"{path}: [oidc] issuer: must be https://, not {oidc.issuer!r}")
    for key in ("audience", "user_claim"):
        if not getattr(oidc, key):
            raise ConfigError(f"{path}: [oidc] {key}: must not be empty beside issuer")
    for network in oidc.private_networks:
        try:
            ip_network(network)
        except ValueError:
            raise ConfigError(f"{path}: [oidc] private_networks: {network!r} is no network") from None


def check_wire(path: Path, server: ServerSettings) -> None:
    """Raise ConfigError for the first value about connections, hosts or origins that cannot be meant."""
    for key, value, least in (
        ("connections", server.connections, LEAST_CONNECTIONS),
        ("connections_per_address", server.connections_per_address, 1),
        ("header_seconds", server.header_seconds, 0.1),
        ("document_seconds", server.document_seconds, 0.1),
        ("idle_seconds", server.idle_seconds, 0.1),
    ):
        if not least <= value < math.inf:
            raise ConfigError(f"{path}: [server] {key}: must be at least {least}, not {value}")
    for host in server.hosts:
        if not HOST.fullmatch(host):
            raise ConfigError(f"{path}: [server] hosts: {host!r} is no host name; ports do not belong there")
    for origin in server.origins:
        if not ORIGIN.fullmatch(origin):
            raise ConfigError(f"{path}: [server] origins: {origin!r} is no origin: http:// or https:// and a host")

"""The place of a libvirt, as its connection URI tells it: ``driver[+transport]://[user@][host][:port]/path[?parameters]``."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

from drivers.base import DriverUnavailable

PORTS = {"tls": 16514, "tcp": 16509}
"""The transports by which libvirt itself opens a socket to the host, with their ports."""


def is_local(uri: str) -> bool:
    """Return whether the hypervisor is the host we run on: its URI names no other."""
    return not urlsplit(uri).netloc


def is_system(uri: str) -> bool:
    """Return whether it is the host's privileged libvirt, and no user's session."""
    return urlsplit(uri).path == "/system"


def endpoint(uri: str) -> tuple[str, int] | None:
    """Return the host and port that libvirt itself will connect to.

    None for a local libvirt, and for ssh, whose own configuration may know another name and another way.
    """
    parts = urlsplit(uri)
    if parts.hostname is None:
        return None
    transport = parts.scheme.partition("+")[2] or "tls"
    if transport not in PORTS:
        return None
    return parts.hostname, parts.port or PORTS[transport]


def demand_reachable(uri: str, seconds: float) -> None:
    """Raise DriverUnavailable when nobody takes a connection at the URI's host within ``seconds``; blocks meanwhile.

    libvirt itself would wait for a host that answers no packets as long as the kernel does: for minutes.
    """
    reached_at = endpoint(uri)
    if reached_at is None:
        return
    try:
        socket.create_connection(reached_at, seconds).close()
    except OSError as error:
        host, port = reached_at
        raise DriverUnavailable(f"no connection to {host}, port {port}: {error.strerror or error}") from error

"""The names of its host by which the gateway may be called: links are made of no others."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import urlsplit


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

"""Host names become addresses on threads of their own."""

from __future__ import annotations

import socket
from collections.abc import Callable

from aiohttp.abc import AbstractResolver, ResolveResult

from drivers.threads import NAMES


class Resolver(AbstractResolver):
    """The host's own resolver. A name server that does not answer holds up other look-ups, and nothing else."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a name. Raises OSError when it has none."""
        entries = await NAMES.run(
            socket.getaddrinfo, host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
        )
        as_digits = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
        numeric = [
            (kind, protocol, *await NAMES.run(socket.getnameinfo, address, as_digits))
            for kind, _type, protocol, _name, address in entries
        ]
        flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        return [
            ResolveResult(hostname=host, host=address, port=int(service), family=kind, proto=protocol, flags=flags)
            for kind, protocol, address, service in numeric
        ]

    async def close(self) -> None:
        """Do nothing: the threads are everybody's."""


class CheckedResolver(Resolver):
    """The same resolver, which gives no address that ``check`` refuses by an exception."""

    def __init__(self, check: Callable[[str], None]) -> None:
        self._check = check

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a name. Raises OSError when it has none, and what ``check`` raises for one."""
        results = await super().resolve(host, port, family)
        for result in results:
            self._check(result["host"])
        return results

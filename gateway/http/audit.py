"""The requests that are told as access events, with the address that they came from."""

from __future__ import annotations

from aiohttp import web

from gateway.errors import GatewayError
from gateway.http.authentication import WrongPassword
from gateway.http.hosts import address_of
from gateway.http.request import READS, Wire
from gateway.orchestration.common.contract import Caller
from gateway.orchestration.monitoring.accesses import Accesses
from gateway.orchestration.monitoring.occurrences import Request

FLOODS = frozenset({421, 429, 431})
"""Refusals of requests that are slowed down, or wrong before anybody looks at what they want."""


class Audit:
    """The teller of access events. ``trusted_proxies`` are believed when they say for whom they ask."""

    def __init__(self, accesses: Accesses, trusted_proxies: tuple[str, ...]) -> None:
        self._accesses = accesses
        self._trusted_proxies = trusted_proxies

    async def refused(
        self, request: web.Request, wire: Wire, caller: Caller | None, path: str | None, error: GatewayError
    ) -> None:
        """Tell of a wrong password, of a change that a user was refused, and of a read that their role forbids.

        ``caller`` is None while nobody knows who asks, ``path`` where the URL is none of the entry point's. Requests
        without credentials, with what is none, or slowed down are only counted: they cost nothing to make.
        """
        path = path or ""
        reason = f"{error.status} {error.message}"
        if isinstance(error, WrongPassword):
            claimed = Request(request.method, error.name, address_of(request, self._trusted_proxies), wire.request_id)
            await self._accesses.login_refused(claimed, path, reason)
            return
        if caller is None or not caller.user or error.status in FLOODS:
            return
        if request.method not in READS or error.status == 403:
            refused = Request(request.method, caller.user, caller.address, wire.request_id, caller.project)
            await self._accesses.refused(refused, path, reason, caller.role)

    async def taken(self, caller: Caller, path: str, verb: str) -> None:
        """Tell, before the first byte goes out, who takes something out."""
        await self._accesses.taken(caller, path, verb)

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

LOGINS = frozenset({401, 429})
"""Refusals of those whom nobody knows."""


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
        if caller is None or not caller.user:
            await self._strange(request, wire, path, error)
            return
        if error.status in FLOODS:
            return
        if request.method not in READS or error.status == 403:
            refused = Request.of(caller, request.method)
            await self._accesses.refused(refused, path, f"{error.status} {error.message}", caller.role)

    async def _strange(self, request: web.Request, wire: Wire, path: str, error: GatewayError) -> None:
        """Count what nobody knows who asks for, and tell of a wrong password."""
        wrong = isinstance(error, WrongPassword)
        name = error.name if isinstance(error, WrongPassword) else ""
        claimed = Request(request.method, name, address_of(request, self._trusted_proxies), wire.request_id)
        reason = f"{error.status} {error.message}"
        if wrong:
            await self._accesses.login_refused(claimed, path, reason)
        if error.status in LOGINS:
            self._accesses.strange(claimed, path, f"{reason}; the name was {name!r}" if wrong else reason)

    async def taken(self, caller: Caller, path: str, verb: str) -> None:
        """Tell, before the first byte goes out, who takes something out."""
        await self._accesses.taken(caller, path, verb)

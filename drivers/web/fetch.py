"""Fetching a file by URL, with distrust.

The address is checked where the socket is made, so it is the one that is connected to, however often a name changes
what it stands for. Where aiohttp makes the sockets itself (3.11), it connects to just the addresses that were checked.
Redirects are followed by hand, each hop checked like the first URL. No proxies, no cookies, no compression, no
credentials.
"""

from __future__ import annotations

import asyncio
import re
import socket
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from inspect import signature
from ipaddress import ip_address
from typing import Any

import aiohttp
from aiohttp.abc import AbstractCookieJar
from yarl import URL

from drivers.base import DriverAbsent, DriverInvalid, DriverUnreachable, RemoteFile
from drivers.web.addresses import AddressRules
from drivers.web.names import CheckedResolver, Resolver

MOST_HOPS = 5
MOST_RESUMES = 5
PIECE = 1024 * 1024
SLOWEST = 64 * 1024
"""Bytes that have to come in ``stall`` seconds: a server that trickles is as one that hangs."""
LONGEST_URL = 4096
REDIRECTS = frozenset({301, 302, 303, 307, 308})
RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})")
SOCKET_FACTORY = "socket_factory" in signature(aiohttp.TCPConnector).parameters
"""Whether aiohttp lets us make the sockets; Debian 13's does not."""
ABSENT = frozenset({403, 404, 410})
"""Answers of those who have no such file; some stores forbid what they do not have."""


class Broken(Exception):
    """The connection ended, or stalled, in the middle; trying to go on makes sense."""


@dataclass(frozen=True, slots=True)
class FetchRules:
    """The limits of fetching: ``largest`` in bytes; ``stall`` and ``connect`` in seconds.

    A file may make no progress for ``stall`` seconds, and a connection with its name may take ``connect``.
    """

    schemes: Sequence[str] = ("https", "http")
    private_networks: Sequence[str] = ()
    largest: int = 256 * 1024**3
    stall: float = 60.0
    connect: float = 10.0


class HttpFetcher:
    """The fetcher by HTTP and HTTPS (drivers.base.Fetcher), held to its rules."""

    def __init__(self, rules: FetchRules) -> None:
        self._rules = rules
        self._addresses = AddressRules(rules.private_networks)

    def check(self, url: str) -> None:
        """Raise DriverInvalid unless the rules allow the URL."""
        self._checked(url)

    def _checked(self, text: str) -> URL:
        try:
            url = URL(text)
            host, _port = url.raw_host, url.port
        except ValueError:
            raise DriverInvalid("is no URL") from None
        if len(text) > LONGEST_URL:
            raise DriverInvalid(f"has more than {LONGEST_URL} characters")
        if url.scheme not in self._rules.schemes:
            raise DriverInvalid(f"the scheme {url.scheme[:20]!r} is not allowed; {', '.join(self._rules.schemes)} are")
        if not host:
            raise DriverInvalid("names no host")
        if url.raw_user is not None or url.raw_password is not None:
            raise DriverInvalid("holds a user or a password, which would be shown to others; use a URL without")
        if _is_address(host):
            self._addresses.check(host)
        elif not SOCKET_FACTORY and host.replace(".", "").isdigit():
            # aiohttp 3.11 takes it for an address, and asks no resolver.
            raise DriverInvalid(f"{host} is neither a name nor an address as it is usually written")
        return url

    async def look(self, url: str, head: int, tail: int) -> RemoteFile:
        """Look by one request for the first bytes, and by a second one for the last where the server gives parts."""
        try:
            return await self._look(url, head, tail)
        except (Broken, TimeoutError) as error:
            raise DriverUnreachable(f"{_host(url)} does not answer properly: {error}") from None

    async def _look(self, url: str, head: int, tail: int) -> RemoteFile:
        async with self._open(url, {"Range": f"bytes=0-{head - 1}"}) as response:
            if response.status == 416:
                raise DriverInvalid("the file is empty")
            first = await self._exactly(response, head)
            size, ranges, validator = _size(response), response.status == 206, _validator(response)
        if size is not None and size > self._rules.largest:
            raise DriverInvalid(f"the file has {size} bytes; at most {self._rules.largest} are accepted")
        last = b""
        if ranges and size is not None:
            begin = max(0, size - tail)
            async with self._open(url, {"Range": f"bytes={begin}-{size - 1}"}) as response:
                ranges = response.status == 206 and _range(response) == (begin, size)
                last = await self._exactly(response, size - begin) if ranges else b""
        return RemoteFile(size, ranges and bool(last), validator, first, last)

    async def small(self, url: str, most: int) -> bytes:
        """Return a file as a whole. Raises DriverInvalid for one of more than ``most`` bytes, and as ``look``."""
        try:
            async with self._open(url, {}) as response:
                content = await self._exactly(response, most + 1)
        except (Broken, TimeoutError) as error:
            raise DriverUnreachable(f"{_host(url)} does not answer properly: {error}") from None
        if len(content) > most:
            raise DriverInvalid(f"has more than {most} bytes")
        return content

    async def _exactly(self, response: aiohttp.ClientResponse, most: int) -> bytes:
        data = bytearray()
        async with aclosing(self._pieces(response)) as pieces:
            async for piece in pieces:
                data += piece
                if len(data) >= most:
                    break
        return bytes(data[:most])

    async def fetch(self, url: str, remote: RemoteFile) -> AsyncGenerator[bytes, None]:
        """Yield all bytes; a broken connection goes on where it broke, a bounded number of times, by a validator."""
        position = resumed = 0
        while True:
            try:
                async with aclosing(self._from(url, remote, position)) as pieces:
                    async for piece in pieces:
                        position += len(piece)
                        self._check_length(position, remote)
                        yield piece
                if remote.size is None or position == remote.size:
                    return
                raise Broken("the connection ended")
            except Broken as error:
                resumed += 1
                if not remote.ranges or remote.validator is None or resumed > MOST_RESUMES:
                    total = f" of {remote.size}" if remote.size is not None else ""
                    raise DriverUnreachable(f"{_host(url)} broke off after {position}{total} bytes: {error}") from None
                await asyncio.sleep(min(0.2 * 2**resumed, 5.0))

    def _check_length(self, position: int, remote: RemoteFile) -> None:
        if position > self._rules.largest:
            raise DriverInvalid(f"the file has more than {self._rules.largest} bytes, which are the most accepted")
        if remote.size is not None and position > remote.size:
            raise DriverUnreachable("the server sent more bytes than it announced")

    async def _from(self, url: str, remote: RemoteFile, position: int) -> AsyncGenerator[bytes, None]:
        """Yield the bytes from a position on, of the same file as at the first look."""
        headers = {"Range": f"bytes={position}-", "If-Range": remote.validator or ""} if position else {}
        async with self._open(url, headers) as response:
            if _size(response) != remote.size or (remote.validator and _validator(response) != remote.validator):
                raise DriverUnreachable("the file on the server was changed while it was fetched")
            if position and (response.status != 206 or (_range(response) or (-1,))[0] != position):
                raise DriverUnreachable("the server does not go on where the connection broke")
            async with aclosing(self._pieces(response)) as pieces:
                async for piece in pieces:
                    yield piece

    async def _pieces(self, response: aiohttp.ClientResponse) -> AsyncGenerator[bytes, None]:
        since, got = time.monotonic(), 0
        try:
            while piece := await response.content.read(PIECE):
                yield piece
                got += len(piece)
                if time.monotonic() - since > self._rules.stall:
                    if got < SLOWEST:
                        raise Broken(f"only {got} bytes came in {self._rules.stall:g} seconds")
                    since, got = time.monotonic(), 0
        except TimeoutError:
            raise Broken(f"nothing came for {self._rules.stall:g} seconds") from None
        except (aiohttp.ClientError, OSError) as error:
            raise Broken(f"the connection broke ({type(error).__name__})") from None

    @asynccontextmanager
    async def _open(self, text: str, headers: dict[str, str]) -> AsyncIterator[aiohttp.ClientResponse]:
        """Yield the answer at the end of the redirects, with a status that brings bytes."""
        url = self._checked(text)
        async with self._session() as session:
            for _hop in range(MOST_HOPS + 1):
                response = await self._ask(session, url, headers)
                if response.status not in REDIRECTS:
                    break
                url = self._next(url, response)
                response.close()
            else:
                raise DriverInvalid(f"leads on by more than {MOST_HOPS} redirects")
            try:
                _check_answer(response)
                yield response
            finally:
                response.close()

    async def _ask(self, session: aiohttp.ClientSession, url: URL, headers: dict[str, str]) -> aiohttp.ClientResponse:
        try:
            return await session.get(url, headers=headers, allow_redirects=False)
        except TimeoutError:
            raise Broken("it does not answer in time") from None
        except aiohttp.ClientConnectorDNSError:
            raise DriverInvalid(f"the name {url.host} is not known") from None
        except aiohttp.InvalidURL:
            raise DriverInvalid(f"{url.host} is neither a name nor an address as it is usually written") from None
        except (aiohttp.ClientError, OSError) as error:
            raise Broken(f"no connection ({error})"[:300]) from None

    def _next(self, url: URL, response: aiohttp.ClientResponse) -> URL:
        try:
            target = url.join(URL(response.headers.get("Location", "")))
        except ValueError:
            raise DriverInvalid("is redirected to something that is no URL") from None
        if url.scheme == "https" and target.scheme != "https":
            raise DriverInvalid("is redirected from https to a scheme without protection")
        try:
            return self._checked(str(target))
        except DriverInvalid as error:
            raise DriverInvalid(f"is redirected to {target.host}, which is refused: {error}") from None

    def _session(self) -> aiohttp.ClientSession:
        if SOCKET_FACTORY:
            connector = aiohttp.TCPConnector(
                limit=1, resolver=Resolver(), socket_factory=self._socket, force_close=True
            )
        else:
            # A host that is an address was checked with its URL.
            resolver = CheckedResolver(self._addresses.check)
            connector = aiohttp.TCPConnector(limit=1, resolver=resolver, force_close=True)
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=_no_cookies(),
            trust_env=False,
            auto_decompress=False,
            read_bufsize=PIECE,
            headers={"Accept-Encoding": "identity", "User-Agent": "cimi-gateway"},
            timeout=aiohttp.ClientTimeout(
                total=None, connect=self._rules.connect, sock_connect=self._rules.connect, sock_read=self._rules.stall
            ),
        )

    def _socket(self, info: tuple[Any, Any, int, str, tuple[Any, ...]]) -> socket.socket:
        """Return the socket of a connection: the one place where it can begin, after its address was checked."""
        family, kind, protocol, _name, address = info
        self._addresses.check(str(address[0]))
        return socket.socket(family, kind, protocol)


def _no_cookies() -> AbstractCookieJar:
    return aiohttp.DummyCookieJar()


def _is_address(host: str) -> bool:
    try:
        ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return False
    return True


def _check_answer(response: aiohttp.ClientResponse) -> None:
    if response.status not in (200, 206, 416):
        kind = DriverAbsent if response.status in ABSENT else DriverInvalid
        raise kind(f"the server answers {response.status} {(response.reason or '')[:60]}")
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise DriverInvalid("the server compresses the file, though it was asked not to")


def _range(response: aiohttp.ClientResponse) -> tuple[int, int] | None:
    """Return where the part begins, and the size of the whole."""
    match = RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
    return (int(match.group(1)), int(match.group(3))) if match else None


def _size(response: aiohttp.ClientResponse) -> int | None:
    """Return the size of the whole file in bytes; None when the server does not tell."""
    if response.status == 206:
        part = _range(response)
        return part[1] if part else None
    return response.content_length


def _validator(response: aiohttp.ClientResponse) -> str | None:
    tag = response.headers.get("ETag", "")
    if tag.startswith('"'):
        return tag
    return response.headers.get("Last-Modified")


def _host(url: str) -> str:
    return URL(url).host or "the server"

"""Requests over HTTP: credentials, formats, errors as exceptions, and a server that is away for a moment."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

import aiohttp
from yarl import URL

from cimi_client.errors import (
    AWAY,
    BY_STATUS,
    AnswerLost,
    CimiError,
    ProtocolError,
    Refused,
    ServerAway,
    TooMany,
    Unprotected,
)
from cimi_client.json_types import Document, Json, text
from cimi_client.servers import Server
from cimi_client.text import printable

LARGEST_ANSWER = 64 * 1024 * 1024
MOST_REDIRECTS = 5
REDIRECTS = frozenset({301, 302, 303, 307, 308})
FIRST_PAUSE = 0.2
LONGEST_PAUSE = 5.0
SAFE = frozenset({"GET", "HEAD"})
"""Methods that change nothing, so that they may be repeated."""
Body: TypeAlias = "bytes | AsyncIterator[bytes] | None"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that is no refusal. ``url`` is where it came from; names of ``headers`` are in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str

    @property
    def has_document(self) -> bool:
        """Whether the body is a document."""
        return bool(self.body.strip()) and _format(self) != ""

    def document(self) -> dict[str, Json]:
        """Return the document. Raises ProtocolError when the body is none."""
        return _document(self)


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its answer, for whoever looks on. ``status`` is 0 when none came."""

    method: str
    url: str
    sent: Mapping[str, str]
    body: bytes | None
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    answer: bytes | None = None
    seconds: float = 0.0


Watcher = Callable[[Exchange], None]


@dataclass(frozen=True, slots=True)
class Request:
    """A request. ``repeatable`` ones are made again when their answer is lost."""

    method: str
    url: str
    body: Body = None
    headers: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = False

    @property
    def safe(self) -> bool:
        """Whether it may be made twice."""
        return self.method in SAFE or self.repeatable


class Connection:
    """The requests of one user at one server. Used as an asynchronous context manager."""

    def __init__(self, server: Server, watcher: Watcher | None = None) -> None:
        server.demand_protection()
        self.server = server
        self._watcher = watcher
        self._session: aiohttp.ClientSession | None = None
        self._reached = False
        """Whether the server has answered: one that never did is told at once, and not waited for."""

    async def open(self) -> None:
        """Make ready for requests. Nothing is sent."""
        socket = self.server.socket
        tls = ssl.create_default_context(cafile=self.server.authorities) if self.server.authorities else True
        connector = aiohttp.UnixConnector(socket) if socket is not None else aiohttp.TCPConnector(ssl=tls)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=15, sock_read=self.server.timeout)
        self._session = aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=True)

    async def close(self) -> None:
        """End all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    # Requests

    async def send(self, request: Request) -> Answer:
        """Return the answer to a request, made again while the server is away, if it may be.

        Raises Refused, ServerAway, AnswerLost or Unprotected.
        """
        until, pause = time.monotonic() + self.server.patience, FIRST_PAUSE
        while True:
            try:
                return await self._send_once(request)
            except (ServerAway, TooMany) as error:
                lost = isinstance(error, AnswerLost)
                again = request.safe if lost else self._reached
                pause = error.retry_after if isinstance(error, TooMany) else min(pause * 2, LONGEST_PAUSE)
                if not again or time.monotonic() + pause > until:
                    raise
            await asyncio.sleep(pause)

    async def _send_once(self, request: Request) -> Answer:
        started = time.monotonic()
        async with self._response(request) as response:
            body = await _body(response)
            self._watch(request, response, body, started)
            if response.status >= 300:
                raise refusal(response.status, response.headers, body, str(response.url))
            return Answer(response.status, small(response.headers), body, str(response.url))

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[aiohttp.ClientResponse]:
        """Give the response to a request that is made once, before its body is read. Raises as ``send`` does."""
        started = time.monotonic()
        async with self._response(request) as response:
            self._watch(request, response, None, started)
            if response.status >= 300:
                raise refusal(response.status, response.headers, await _body(response), str(response.url))
            yield response

    @asynccontextmanager
    async def _response(self, request: Request) -> AsyncIterator[aiohttp.ClientResponse]:
        """Give the response, of whatever status, at the end of redirects within the server."""
        url, hops = request.url, 0
        while True:
            self.server.demand_origin(url)
            response = await self._open(request, url)
            location = response.headers.get("Location")
            if response.status not in REDIRECTS or not location or request.method not in SAFE or hops >= MOST_REDIRECTS:
                break
            response.release()
            url, hops = str(URL(url).join(URL(location))), hops + 1
        async with response:
            try:
                yield response
            except (aiohttp.ClientError, TimeoutError) as error:
                raise AnswerLost(f"{url}: the connection broke: {_words(error)}") from error

    async def _open(self, request: Request, url: str) -> aiohttp.ClientResponse:
        if self._session is None:
            raise CimiError("the client is not open: use it in an async with")
        target = URL(url, encoded=True)
        headers = self._headers(request)
        try:
            body = request.body if request.body is None or isinstance(request.body, bytes) else _Once(request.body)
            response = await self._session.request(
                request.method, target, data=body, headers=headers, allow_redirects=False
            )
        except aiohttp.ClientConnectorError as error:
            self._watch(request, None, None, time.monotonic())
            raise ServerAway(f"{self.server.url} cannot be reached: {_words(error)}") from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self._watch(request, None, None, time.monotonic())
            raise AnswerLost(f"{url}: no answer: {_words(error)}") from error
        self._reached = True
        return response

    def _headers(self, request: Request) -> dict[str, str]:
        headers = {"Accept": f"application/{self.server.media}", "User-Agent": "cimi-client"}
        if self.server.login.header is not None:
            headers["Authorization"] = self.server.login.header
        if self.server.project:
            headers["CIMI-Project"] = self.server.project
        return {**headers, **request.headers}

    def _watch(
        self, request: Request, response: aiohttp.ClientResponse | None, answer: bytes | None, started: float
    ) -> None:
        """Tell the watcher of an exchange; of a broken one, that nothing came."""
        if self._watcher is None:
            return
        sent = request.body if isinstance(request.body, bytes) else None
        status, headers = (response.status, small(response.headers)) if response is not None else (0, {})
        seconds = time.monotonic() - started
        exchange = Exchange(request.method, request.url, self._headers(request), sent, status, headers, answer, seconds)
        self._watcher(exchange)


class _Once:
    """A body that is sent once: older aiohttp would send what a break has left of it as if that were the whole."""

    def __init__(self, body: AsyncIterator[bytes]) -> None:
        self._body = body
        self._begun = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        if self._begun:
            raise aiohttp.ClientPayloadError("the connection broke while the body was sent")
        self._begun = True
        return aiter(self._body)


def refusal(status: int, headers: Mapping[str, str], body: bytes, url: str) -> CimiError:
    """Return the exception for an answer that is a refusal, with the provider's own words."""
    answer = Answer(status, small(headers), body, url)
    document = _refused_document(answer)
    said = text(document.get("statusMessage")) or text(document.get("message")) or _plain(answer)
    words = printable(said)[:1000] or f"HTTP status {status}"
    if status in AWAY:
        return AWAY[status](f"{url} answered {status}: {words}")
    if status in REDIRECTS:
        return Unprotected(f"{url} sends elsewhere, to {answer.headers.get('location', '')[:200]}")
    kind = BY_STATUS.get(status, Refused)
    if kind is TooMany:
        after = answer.headers.get("retry-after", "")
        return TooMany(words, status, url, document, retry_after=float(after) if after.isdecimal() else 1.0)
    return kind(words, status, url, document)


def small(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers with their names in small letters."""
    return {name.lower(): value for name, value in headers.items()}


async def _body(response: aiohttp.ClientResponse) -> bytes:
    """Return the whole body. Raises ProtocolError for one that is too large."""
    gathered = bytearray()
    async for piece in response.content.iter_any():
        gathered += piece
        if len(gathered) > LARGEST_ANSWER:
            response.close()
            raise ProtocolError(f"{response.url}: the answer has more than {LARGEST_ANSWER} bytes")
    return bytes(gathered)


def _format(answer: Answer) -> str:
    """Return the format of a document; where the provider does not say it, what the body looks like."""
    media = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not media:
        return {b"{": "json", b"<": "xml"}.get(answer.body.lstrip()[:1], "")
    if media.endswith("json"):
        return "json"
    return "xml" if media.endswith("xml") else ""


def _document(answer: Answer) -> dict[str, Json]:
    if _format(answer) == "xml":
        from cimi_client import xml_form  # Most answers are JSON, and a command is to start fast.

        return xml_form.read(answer.body)
    try:
        value = json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"{answer.url}: the answer is no CIMI document: {error}") from None
    if not isinstance(value, dict):
        raise ProtocolError(f"{answer.url}: the answer is no CIMI document, but {type(value).__name__}")
    return value


def _refused_document(answer: Answer) -> Document:
    try:
        return answer.document() if answer.has_document else {}
    except ProtocolError:
        return {}


def _plain(answer: Answer) -> str:
    kind = answer.headers.get("content-type", "")
    return answer.body[:1000].decode(errors="replace").strip() if kind.startswith("text/plain") else ""


def _words(error: BaseException) -> str:
    return printable(str(error)) or type(error).__name__

"""Reads that are answered from memory, before anything is looked at that an earlier request has said already.

Who asks, in which format and by which URIs, follows from the text of the header fields and the connection; what is read
follows from the text of the URL. Both are remembered as all the checks of ``server.py`` have found them, by their exact
text. Looked up each time is what may change: whether the password or token is still right and which role its user has
in the project, and whether the answer still holds. All else goes the long way.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from email.utils import format_datetime
from itertools import chain
from typing import TypeVar

from aiohttp import HttpVersion11, web

from gateway import clock
from gateway.cimi.query import decisive
from gateway.cimi.registry import CLOUD_ENTRY_POINT, bytes_at, collection_at, type_at
from gateway.errors import NotAcceptable
from gateway.http.authentication import Authentication, Login
from gateway.http.connection import ON_EVERY_ANSWER, Connection
from gateway.http.metrics import Metrics, target_of
from gateway.http.remembered import Key, Memory, Remembered
from gateway.http.request import CONTENT_TYPES, GIVEN, Context, answer_format, fresh_id, header, names_tag
from gateway.http.shares import UserShares
from gateway.orchestration.common.permissions import rights

MOST_HEADS = 1000
MOST_LINES = 12_000
LONGEST_LINE = 512
"""Characters of a URL from which on it is not remembered."""
OWN_FIELDS = "".join(f"{name}: {value}\r\n" for name, value in ON_EVERY_ANSWER.items() if name != "Server")
Text = TypeVar("Text", bound=Hashable)
Meaning = TypeVar("Meaning")


@dataclass(frozen=True, slots=True)
class Head:
    """The meaning of the header fields of a request."""

    login: Login
    project: str | None
    """Name of the project that is chosen."""
    base: str
    media: str
    version: str
    request_id: str | None
    """The client's own."""
    if_none_match: str | None


@dataclass(frozen=True, slots=True)
class Line:
    """The meaning of the URL of a request."""

    target: str
    media: str | None
    """The format, where the query says one."""
    query: Hashable
    counted: str
    """What requests for it are counted as."""


class QuickReads:
    """The answers to reads that say nothing new, and what requests have said."""

    def __init__(self, authentication: Authentication, memory: Memory, metrics: Metrics, shares: UserShares) -> None:
        self._shares = shares
        self._authentication = authentication
        self._memory = memory
        self._metrics = metrics
        self._secret = secrets.token_bytes(32)
        """Key of the digests of header fields: among these are passwords, which are not kept."""
        self._heads: OrderedDict[bytes, Head] = OrderedDict()
        self._lines: OrderedDict[str, Line] = OrderedDict()
        self._date = ""
        self._date_ends = 0.0
        """When the date has to be written anew, on the loop's clock."""

    def answer(self, request: web.BaseRequest, connection: Connection) -> bytes | None:
        """Return the whole answer to a request, with its head; None where it has to go the long way."""
        began = time.perf_counter()
        if request.method != "GET" or request.version != HttpVersion11 or not request.keep_alive or request.body_exists:
            return None
        line, head = self._lines.get(request.raw_path), self._heads.get(self._digest(request, connection))
        if line is None or head is None:
            return None
        session = self._authentication.remembered(head.login, head.project)
        if session is None:
            return None
        user, project = session.standing.user, session.standing.project
        if self._shares.has_much(user) or self._shares.is_bounded(project):
            return None
        media = line.media or head.media
        shown_to = rights(session.standing)
        answer = self._memory.get(Key(line.target, shown_to, media, head.base, line.query))
        if answer is None:
            return None
        status, data = self._written(head, media, answer)
        took = time.perf_counter() - began
        self._metrics.answered_quickly(line.counted, status, took)
        self._shares.add(user, took)
        return data

    def learn(self, request: web.Request, context: Context, path: str) -> None:
        """Remember what a request has said that was answered with a document; a request that is special in no way."""
        target = path.rstrip("/") or CLOUD_ENTRY_POINT.segment
        is_document = collection_at(target) is not None or type_at(target) is not None
        special = request.body_exists or "Expect" in request.headers or "Prefer" in request.headers
        plain = request.method == "GET" and not special
        if not plain or not is_document or bytes_at(target, "GET") or len(request.raw_path) > LONGEST_LINE:
            return
        connection = request.protocol
        assert isinstance(connection, Connection)
        given = request.get(GIVEN)
        login = self._authentication.login_of(given) if given is not None else None
        if given is None or login is None:
            return
        try:
            media = answer_format(header(request, "Accept"), None)
        except NotAcceptable:
            return
        named = request.headers.get("X-Request-ID")
        tags = header(request, "If-None-Match")
        own_id = context.request_id if named == context.request_id else None
        head = Head(login, given.project, context.edge.base, media, context.version, own_id, tags)
        _remember(self._heads, self._digest(request, connection), head, MOST_HEADS)
        wanted = next((context.media for name, _ in context.parameters if name == "$format"), None)
        line = Line(target, wanted, decisive(context.parameters), target_of(target))
        _remember(self._lines, request.raw_path, line, MOST_LINES)

    def _digest(self, request: web.BaseRequest, connection: Connection) -> bytes:
        """Return what stands for the header fields, and for where they come from."""
        text = b"\n".join((connection.source, *chain.from_iterable(request.raw_headers)))
        return hashlib.blake2b(text, digest_size=16, key=self._secret).digest()

    def _written(self, head: Head, media: str, answer: Remembered) -> tuple[int, bytes]:
        tags = head.if_none_match
        if tags is not None and (tags == answer.tag or names_tag(tags, (answer.tag,), weakly=True)):
            status, start, body = 304, f"HTTP/1.1 304 Not Modified\r\nETag: {answer.tag}\r\n", b""
        else:
            status, body = 200, answer.body
            start = (
                f"HTTP/1.1 200 OK\r\nETag: {answer.tag}\r\nContent-Type: {CONTENT_TYPES[media]}\r\n"
                f"Content-Length: {len(body)}\r\n"
            )
        fields = (
            f"{start}Date: {self._now()}\r\nServer: {ON_EVERY_ANSWER['Server']}\r\n"
            f"CIMI-Specification-Version: {head.version}\r\nVary: Accept, Authorization, CIMI-Project\r\n"
            f"X-Request-ID: {head.request_id or fresh_id()}\r\n{OWN_FIELDS}\r\n"
        )
        return status, fields.encode() + body

    def _now(self) -> str:
        """Return the time as HTTP writes it, in seconds."""
        moment = time.monotonic()
        if moment >= self._date_ends:
            now = clock.now()
            self._date = format_datetime(now, usegmt=True)
            self._date_ends = moment + 1.0 - now.microsecond / 1e6
        return self._date


def _remember(memory: OrderedDict[Text, Meaning], text: Text, meaning: Meaning, most: int) -> None:
    memory[text] = meaning
    memory.move_to_end(text)
    while len(memory) > most:
        memory.popitem(last=False)

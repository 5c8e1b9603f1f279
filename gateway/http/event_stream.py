"""The live stream: events and Jobs as Server-Sent Events (HTML living standard, 9.2).

One task encodes what happened, once for all readers who see the same, and hands it to them a few at a time, so that
hundreds of readers do not hold up other requests. Each reader has a bounded backlog: one that does not keep up is
disconnected, and goes on later with Last-Event-ID. Nothing is ever left out in silence.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

import structlog
from aiohttp import web

from drivers.supervision import Loop, Supervision
from gateway import clock
from gateway.cimi.documents import write_resource
from gateway.cimi.edge import Edge
from gateway.cimi.registry import type_of
from gateway.errors import Invalid, MethodNotAllowed
from gateway.http.authentication import Authentication, Session
from gateway.http.request import SESSION, Context
from gateway.http.stream_places import StreamPlaces
from gateway.orchestration.common.permissions import audience, demand
from gateway.orchestration.monitoring.feed import Feed, Item

PATH = "eventStream"
JOB_LINES = "jobLines"
"""The query parameter that asks for the lines of Jobs' logs."""
GATHER_SECONDS = 0.2
"""Seconds after a delivery in which all that happens goes out together."""
AT_ONCE = 10
"""Readers woken between two turns of the event loop."""
HEARTBEAT_SECONDS = 15.0
MOST_BACKLOG = 1_048_576
LONGEST_WAIT = 60.0
SEND_BUFFER = 262_144
HEARTBEAT = b": alive\n\n"
log = structlog.get_logger("http")


@dataclass(frozen=True, slots=True)
class View:
    """The view that readers share who get the same bytes. ``project`` None sees everything.

    ``lines``: those of Jobs' logs are shown, too.
    """

    project: str | None
    edge: Edge
    media: str
    lines: bool = False

    def encoded(self, items: Iterable[Item]) -> bytes:
        """Return the messages of those items that the view shows."""
        return b"".join(self.message(item) for item in items if self._shows(item))

    def _shows(self, item: Item) -> bool:
        return item.for_project(self.project) and (self.lines or item.resource.kind != "JobLine")

    def message(self, item: Item) -> bytes:
        """Return an item as an event of the stream."""
        resource = item.resource
        declared = type_of(resource.kind)
        times = (resource.created, resource.updated) if "created" in declared.attributes else None
        wire = self.edge.resource(declared, resource.path, resource.document, times, ())
        lines = write_resource(declared, wire, self.media, self.edge).splitlines()
        data = b"".join(b"data: " + line + b"\n" for line in lines)
        head = b"" if item.position is None else b"id: %d\n" % item.position
        return head + b"event: " + resource.kind.lower().encode() + b"\n" + data + b"\n"


@dataclass(eq=False, slots=True)
class Reader:
    """A connection. ``offer`` never blocks, and what it takes waits until the connection has sent what came before."""

    view: View
    request: web.Request
    session: Session | None
    waiting: deque[bytes] = field(default_factory=deque)
    backlog: int = 0
    since: float = 0.0
    closing: bool = False
    some: asyncio.Event = field(default_factory=asyncio.Event)

    def offer(self, data: bytes, now: float, most: int) -> bool:
        """Let bytes wait to be sent. Return False when the reader does not keep up."""
        if not self.waiting:
            self.since = now
        self.waiting.append(data)
        self.backlog += len(data)
        self.some.set()
        return self.backlog <= most and now - self.since <= LONGEST_WAIT

    def taken(self) -> bytes:
        """Return what waits, and let it wait no longer."""
        data = b"".join(self.waiting)
        self.waiting.clear()
        self.backlog = 0
        self.some.clear()
        return data

    def close(self) -> None:
        """End the stream of the reader."""
        self.closing = True
        self.some.set()


class EventStream:
    """The stream and its readers."""

    def __init__(
        self,
        feed: Feed,
        authentication: Authentication,
        places: StreamPlaces,
        most_backlog: int = MOST_BACKLOG,
        supervision: Supervision | None = None,
    ) -> None:
        self._feed = feed
        self._places = places
        self._authentication = authentication
        self._most_backlog = most_backlog
        self._readers: dict[View, set[Reader]] = {}
        self._pending: list[Item] = []
        self._some = asyncio.Event()
        self._supervision = supervision or Supervision()
        self._loops: list[Loop] = []
        self._delivering = asyncio.Lock()
        self._told = 0
        """Position of the newest event that was handed out."""
        self.dropped = 0
        """Readers that were disconnected because they did not keep up."""
        feed.take(self._take)
        authentication.watch(self._show_out)

    def start(self) -> None:
        """Begin to deliver what happens from now on."""
        self._pending, self._told = [], self._feed.head
        keep = self._supervision.keep
        self._loops = [
            keep("event stream", self._deliver_some, GATHER_SECONDS),
            keep("heartbeat of the event stream", self._heartbeat, HEARTBEAT_SECONDS, first_pause=HEARTBEAT_SECONDS),
        ]

    async def stop(self) -> None:
        """End the stream. Readers come back with Last-Event-ID when the gateway is there again."""
        for loop in self._loops:
            await loop.stop()
        for reader in self._every():
            reader.close()

    @property
    def readers(self) -> int:
        """Return the number of readers."""
        return sum(len(readers) for readers in self._readers.values())

    @property
    def backlog(self) -> int:
        """Return the bytes that wait for all readers together."""
        return sum(reader.backlog for reader in self._every())

    def _every(self) -> list[Reader]:
        return [reader for readers in self._readers.values() for reader in readers]

    # Delivering

    def _take(self, items: list[Item]) -> None:
        self._pending += items
        self._some.set()

    async def _deliver_some(self) -> None:
        """Wait until something has happened, and deliver it."""
        await self._some.wait()
        self._some.clear()
        try:
            await self._deliver()
        except Exception:
            # Whoever missed something now gets it with Last-Event-ID.
            log.warning("events not delivered, readers disconnected")
            for reader in self._every():
                reader.close()
            self._some.set()
            raise

    async def _deliver(self) -> None:
        """Hand what happened to the readers of this moment: whoever comes later reads from ``_told`` on."""
        async with self._delivering:
            items, self._pending = _latest(self._pending), []
            self._told = max([self._told, *(item.position for item in items if item.position is not None)])
            for view, readers in [(view, list(readers)) for view, readers in self._readers.items()]:
                data = view.encoded(items)
                if data:
                    await self._hand_out(data, readers)

    async def _hand_out(self, data: bytes, readers: list[Reader]) -> None:
        now = time.monotonic()
        for start in range(0, len(readers), AT_ONCE):
            for reader in readers[start : start + AT_ONCE]:
                if not reader.offer(data, now, self._most_backlog):
                    self._drop(reader)
            await asyncio.sleep(0)

    def _drop(self, reader: Reader) -> None:
        if reader.closing:
            return
        self.dropped += 1
        log.warning("event reader does not keep up, disconnected", project=reader.view.project, backlog=reader.backlog)
        reader.close()
        if reader.request.transport is not None:
            reader.request.transport.abort()

    def _show_out(self) -> None:
        """End the streams of those who may not read as they did: a user, a role, a password or a token has changed."""
        for reader in self._every():
            if reader.session is not None and not self._authentication.holds(reader.session):
                reader.close()

    async def _heartbeat(self) -> None:
        """Tell a dead connection from a quiet one."""
        await self._hand_out(HEARTBEAT, self._every())

    # One reader

    async def serve(self, request: web.Request, context: Context) -> web.StreamResponse:
        """Send the stream until its reader goes. Raises gateway.errors before the stream has begun."""
        if request.method != "GET":
            raise MethodNotAllowed("the event stream is read by GET", ("GET",))
        caller = context.caller
        demand(caller.role, "Event", "read")
        with self._places.place(caller.user, caller.role, caller.project):
            return await self._serve(request, context)

    async def _serve(self, request: web.Request, context: Context) -> web.StreamResponse:
        caller = context.caller
        last = _last_event_id(request, context)
        view = View(audience(caller), context.edge, context.media, _wants_lines(context))
        reader = Reader(view, request, request.get(SESSION))
        response = web.StreamResponse(headers=_headers(context))
        response.content_type, response.charset = "text/event-stream", "utf-8"
        await response.prepare(request)
        _bound_buffer(request)
        if view.lines:
            self._feed.follow_lines()
        await self._deliver()
        newest = self._told
        self._readers.setdefault(view, set()).add(reader)
        self._show_out()
        over = _at_the_end(reader)
        try:
            with contextlib.suppress(ConnectionResetError):
                await self._catch_up(response, view, last, newest)
                await self._follow(response, reader)
                await response.write_eof()
        finally:
            if over is not None:
                over.cancel()
            self._readers[view].discard(reader)
            if not self._readers[view]:
                del self._readers[view]
        return response

    async def _catch_up(self, response: web.StreamResponse, view: View, last: int | None, newest: int) -> None:
        """Send what was missed, or a word that some of it is gone; then the Jobs that run."""
        if last is None:
            await response.write(b"id: %d\n\n" % newest)
        else:
            oldest = await self._feed.oldest()
            if last + 1 < oldest or last > newest:
                lost = max(0, oldest - last - 1)
                await response.write(b'event: gap\ndata: {"lost": %d, "oldest": %d}\n\n' % (lost, oldest))
            data = bytearray()
            async for item in self._feed.between(view.project, last, newest):
                data += view.message(item)
                if len(data) > SEND_BUFFER:
                    await response.write(bytes(data))
                    data.clear()
            await response.write(bytes(data) + b"id: %d\n\n" % newest)
        running = view.encoded(await self._feed.running(view.project))
        if running:
            await response.write(running)

    async def _follow(self, response: web.StreamResponse, reader: Reader) -> None:
        while not reader.closing:
            await reader.some.wait()
            data = reader.taken()
            if data and not reader.closing:
                await response.write(data)


def _at_the_end(reader: Reader) -> asyncio.TimerHandle | None:
    """Have the stream end when the reader's token does; None for who reads without one that ends."""
    token = reader.session.entry.token if reader.session is not None else None
    if token is None or token.expires is None:
        return None
    seconds = (token.expires - clock.now()).total_seconds()
    return asyncio.get_running_loop().call_later(max(0.0, seconds), reader.close)


def _latest(items: list[Item]) -> list[Item]:
    """Return all events, and of each Job only what it is now, at the place of its last change."""
    last = {item.resource.path: place for place, item in enumerate(items)}
    return [item for place, item in enumerate(items) if last[item.resource.path] == place]


def _wants_lines(context: Context) -> bool:
    """Return whether the reader wants the lines of Jobs' logs, which most do not."""
    wanted = dict(context.parameters).get(JOB_LINES, "false")
    if wanted not in ("true", "false"):
        raise Invalid(f"{wanted[:40]!r} is neither true nor false", JOB_LINES)
    return wanted == "true"


def _last_event_id(request: web.Request, context: Context) -> int | None:
    text = request.headers.get("Last-Event-ID") or dict(context.parameters).get("lastEventId")
    if text is None:
        return None
    if not text.isdecimal() or not text.isascii() or len(text) > 18:
        hint = "leave it out to begin with what happens now"
        raise Invalid(f"{text[:40]!r} is no id of this stream; {hint}", "Last-Event-ID")
    return int(text)


def _headers(context: Context) -> dict[str, str]:
    return {
        "Cache-Control": "no-store",
        "X-Accel-Buffering": "no",
        "CIMI-Specification-Version": context.edge.dialect.version,
        "X-Request-ID": context.request_id,
    }


def _bound_buffer(request: web.Request) -> None:
    """Bound what the kernel holds for a reader that does not read."""
    connection = request.transport.get_extra_info("socket") if request.transport is not None else None
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)

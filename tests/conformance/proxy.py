"""A proxy before a real gateway that makes it break the standard in one way."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

Document = dict[str, Any]


@dataclass
class Asked:
    method: str
    path: str
    query: list[tuple[str, str]]
    headers: dict[str, str]
    body: bytes

    def drop(self, *names: str) -> None:
        """Query parameters, as if the server did not know them."""
        self.query = [(name, value) for name, value in self.query if name not in names]

    @property
    def target(self) -> str:
        pairs = "&".join(f"{quote(name)}={quote(value)}" for name, value in self.query)
        return self.path + (f"?{pairs}" if pairs else "")


@dataclass
class Answered:
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def document(self) -> Document | None:
        if "json" not in self.headers.get("content-type", "") or not self.body:
            return None
        return dict(json.loads(self.body))

    def say(self, document: Document) -> None:
        self.body = json.dumps(document).encode()

    def drop(self, name: str) -> None:
        self.headers.pop(name, None)


@dataclass(frozen=True)
class Mutation:
    """One way to break the standard, and the checks that have to see it.

    ``drive`` are checks that are run besides, so that audits have something to look at. ``refuse`` answers instead of
    the gateway.
    """

    name: str
    found_by: tuple[str, ...]
    request: Callable[[Asked], None] | None = None
    response: Callable[[Asked, Answered], None] | None = None
    refuse: Callable[[Asked], Answered | None] | None = None
    drive: tuple[str, ...] = ()
    media: str = "json"
    seconds: float = 30.0


class Proxy(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.upstream = upstream
        self.mutation: Mutation | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/cimi/"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def _pass(self) -> None:
        asked = self._asked()
        mutation = self.server.mutation
        if mutation and mutation.request:
            mutation.request(asked)
        answered = mutation.refuse(asked) if mutation and mutation.refuse else None
        if answered is None:
            answered = self._forward(asked)
        if mutation and mutation.response:
            mutation.response(asked, answered)
        self._send(asked, answered)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = _pass  # noqa: N815 - the base class's names

    def _asked(self) -> Asked:
        target = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        return Asked(self.command, target.path, parse_qsl(target.query, keep_blank_values=True), headers, body)

    def _forward(self, asked: Asked) -> Answered:
        place = urlsplit(self.server.upstream)
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)
        try:
            headers = {
                name: value for name, value in asked.headers.items() if name not in ("connection", "content-length")
            }
            has_body = asked.body or "content-type" in asked.headers
            connection.request(asked.method, asked.target, body=asked.body if has_body else None, headers=headers)
            response = connection.getresponse()
            known = {name.lower(): value for name, value in response.getheaders()}
            return Answered(response.status, known, response.read())
        finally:
            connection.close()

    def _send(self, asked: Asked, answered: Answered) -> None:
        self.close_connection = True
        self.send_response_only(answered.status)
        length = answered.headers.get("content-length", "0") if asked.method == "HEAD" else str(len(answered.body))
        for name, value in {**answered.headers, "content-length": length}.items():
            if name not in ("connection", "transfer-encoding"):
                self.send_header(name, value)
        self.end_headers()
        if asked.method != "HEAD":
            self.wfile.write(answered.body)


@contextmanager
def proxying(upstream: str) -> Iterator[Proxy]:
    proxy = Proxy(upstream)
    thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.shutdown()
        proxy.server_close()
        thread.join(10)

"""The gateway that runs on this host, by its socket: who may open that needs no password."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import quote

from gateway.errors import GatewayError

ROOT = "/cimi/"
PAGE = 500
SECONDS = 30.0
Document = dict[str, Any]


class Away(GatewayError):
    """Nobody listens at the socket."""


class Refused(GatewayError):
    """The gateway refuses what was asked of it; the message is its own."""


class _Line(HTTPConnection):
    """A connection to a socket on this host."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=SECONDS)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(SECONDS)
        self.sock.connect(self._path)


class LocalGateway:
    """The gateway at a socket. Each method raises Away, and Refused with the gateway's words."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)

    def answers(self) -> bool:
        """Return whether somebody listens at the socket. Raises Refused for who may not open it."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(SECONDS)
            try:
                line.connect(self._path)
            except PermissionError:
                raise Refused(f"{self._path}: you may not open it; root and its group may") from None
            except OSError:
                return False
        return True

    def ask(self, method: str, path: str, document: Document | None = None) -> Document:
        """Return the document that a request is answered with."""
        line = _Line(self._path)
        body = None if document is None else json.dumps(document)
        try:
            line.request(method, ROOT + path, body, {"Accept": "application/json", "Content-Type": "application/json"})
            answer = line.getresponse()
            content = answer.read()
        except (OSError, HTTPException) as error:
            raise Away(f"{self._path}: no gateway answers: {error}") from None
        finally:
            line.close()
        try:
            read: Document = json.loads(content)
        except ValueError:
            raise Refused(f"{self._path}: status {answer.status} without a document") from None
        if answer.status >= 400:
            raise Refused(str(read.get("statusMessage", f"status {answer.status}")))
        return read

    def items(self, collection: str, key: str) -> Iterator[Document]:
        """Yield all items of a collection, whose JSON name is ``key``."""
        first = 1
        while True:
            page = self.ask("GET", f"{collection}?$first={first}&$last={first + PAGE - 1}")
            yield from page.get(key, ())
            first += PAGE
            if first > page["count"]:
                return

    def find(self, collection: str, key: str, **wanted: str) -> Document | None:
        """Return the item of a collection with this value of an attribute; None when there is none."""
        [(name, value)] = wanted.items()
        literal = value.replace("\\", "\\\\").replace("'", "\\'")
        wish = quote(f"{name}='{literal}'")
        page = self.ask("GET", f"{collection}?$filter={wish}")
        return next(iter(page.get(key, ())), None)


def path_of(item: Document) -> str:
    """Return the path of a resource below the entry point."""
    return str(item["id"]).partition(ROOT)[2]

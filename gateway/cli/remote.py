"""A gateway elsewhere, over HTTP: reading it, and following its live stream where it broke off."""

from __future__ import annotations

import base64
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import wraps
from http.client import HTTPException
from typing import IO, Any, TypeVar

import click

from gateway.cli.origins import RedirectsAtHome, demand_origin, demand_protection
from gateway.plain_text import printable

F = TypeVar("F", bound=Callable[..., Any])
TIMEOUT = 60.0
"""Seconds without even a heartbeat after which the connection counts as dead."""
LONGEST_PAUSE = 10.0
PASSWORD = "CIMI_PASSWORD"  # noqa: S105 - the name of a variable


def remote_options(function: F) -> F:
    """Give a subcommand ``--url``, ``--user`` and ``--insecure``: one argument ``remote``, a RemoteGateway or None."""

    @click.option(
        "--url", help="Follow the gateway with this Cloud Entry Point over HTTP, instead of reading the store."
    )
    @click.option("--user", help=f"The user to follow as, with --url; the password is asked for, or {PASSWORD}.")
    @click.option(
        "--insecure",
        is_flag=True,
        help="Send the password over plain HTTP to another host, too: everybody on the way can read it.",
    )
    @wraps(function)
    def with_remote(url: str | None, user: str | None, *, insecure: bool, **options: Any) -> Any:
        remote = RemoteGateway.of(url, user, insecure=insecure) if url is not None else None
        return function(remote=remote, **options)

    return with_remote  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class Message:
    """A message of the stream; without data it only moves the id."""

    event: str
    id: str | None
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class RemoteGateway:
    """A gateway that is read over HTTP. ``url`` is the Cloud Entry Point's.

    Refusals are ClickExceptions with the gateway's own words.
    """

    url: str
    headers: dict[str, str]

    @classmethod
    def of(cls, url: str, user: str | None, *, insecure: bool = False) -> RemoteGateway:
        """Return the gateway at this Cloud Entry Point, for a user whose password is asked for.

        ``insecure`` lets the password cross a network in the clear. Raises ClickException without a user, or for an
        unprotected way.
        """
        if user is None:
            raise click.ClickException("--url needs --user")
        if not insecure:
            demand_protection(url)
        password = os.environ.get(PASSWORD) or click.prompt("Password", hide_input=True, err=True)
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        return cls(url.rstrip("/") + "/", {"Authorization": f"Basic {token}"})

    def read(self, url: str = "") -> dict[str, Any]:
        """Return a resource by its URL, absolute or below the entry point. Raises ClickException when that fails."""
        target = url if "://" in url else self.url + url
        try:
            with self._open(target, {"Accept": "application/json"}) as answer:
                document: dict[str, Any] = json.loads(answer.read())
        except (OSError, ValueError, HTTPException) as error:
            raise click.ClickException(f"{target}: {error}") from None
        return document

    def newest_event(self) -> str:
        """Return the id of the newest event, after which the stream tells what comes; "0" without any."""
        everything = self.read()["eventLogs"]["href"] + "/everything"
        events = self.read(f"{everything}/events?$orderby=timestamp:desc&$last=1").get("events", [])
        return str(events[0]["id"]).rpartition("/")[2] if events else "0"

    def follow(self, after: str) -> Iterator[Message]:
        """Yield the stream's messages after this id, for ever; a broken connection is made anew."""
        stream, pause = self._stream(), 0.5
        while True:
            try:
                with self._open(stream, {"Accept": "text/event-stream", "Last-Event-ID": after}) as answer:
                    for message in parsed(answer):
                        pause, after = 0.5, message.id or after
                        if message.data:
                            yield message
            except (OSError, HTTPException):
                pause = min(pause * 2, LONGEST_PAUSE)
            time.sleep(pause)

    def _stream(self) -> str:
        stream = self.read().get("eventStream")
        if not isinstance(stream, str):
            raise click.ClickException(f"{self.url} is no Cloud Entry Point with an event stream")
        return stream

    def _open(self, url: str, headers: dict[str, str]) -> IO[bytes]:
        demand_origin(url, self.url)
        request = urllib.request.Request(url, headers={**self.headers, **headers})  # noqa: S310 - checked above
        try:
            answer: IO[bytes] = _opener(url).open(request, timeout=TIMEOUT)
        except urllib.error.HTTPError as error:
            with error:
                reason = _reason(error)
            if error.code == 503:
                raise ConnectionError(f"{url} answered 503") from None
            raise click.ClickException(f"{url} answered {error.code}: {printable(reason)}") from None
        return answer


def _opener(url: str) -> urllib.request.OpenerDirector:
    """Return what opens a URL: without a proxy for plain HTTP, which would read the password."""
    proxies = [urllib.request.ProxyHandler({})] if url.startswith("http:") else []
    return urllib.request.build_opener(RedirectsAtHome, *proxies)


def parsed(lines: Iterable[bytes]) -> Iterator[Message]:
    """Yield the messages of Server-Sent Events from their lines."""
    event, identity = "message", None
    data: list[str] = []
    for raw in lines:
        line = raw.decode().rstrip("\r\n")
        name, _, value = line.partition(": ")
        if not line:
            if data or identity is not None:
                yield Message(event, identity, json.loads("\n".join(data)) if data else {})
            event, identity, data = "message", None, []
        elif name == "data":
            data.append(value)
        elif name == "event":
            event = value
        elif name == "id":
            identity = value


def _reason(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.loads(error.read())["statusMessage"])
    except (ValueError, KeyError, OSError):
        return str(error.reason)

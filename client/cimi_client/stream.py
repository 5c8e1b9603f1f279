"""The live stream of a gateway (a provider extension): Events and Jobs as Server-Sent Events, without a gap."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass

from cimi_client.client import Client
from cimi_client.connection import Request, small
from cimi_client.documents import Resource, absolute
from cimi_client.errors import AnswerLost, NotOffered, ProtocolError, ServerAway, TooMany
from cimi_client.json_types import Json

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 10.0
LARGEST_MESSAGE = 16 * 1024 * 1024
POSITION = "position"
"""The kind of a message that only says where the reader stands."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message. ``kind`` is ``event``, ``job``, ``jobline``, ``gap`` (some are not kept any more) or ``position``."""

    kind: str
    id: str | None
    resource: Resource


async def live(client: Client, after: str | None = None, *, job_lines: bool = False) -> AsyncGenerator[Message, None]:
    """Yield what happens from now on, or after an id, for ever: a broken connection goes on where it broke.

    Each connection begins with a position. ``job_lines``: with the lines of Jobs' logs; those that are written while
    there is no connection are in the logs alone. Raises NotOffered, or Denied when the right to read ends.
    """
    url = (await client.entry_point()).text("eventStream")
    if not url:
        raise NotOffered(f"{client.server.url} has no live stream of events")
    if job_lines:
        url += "&jobLines=true" if "?" in url else "?jobLines=true"
    pause = FIRST_PAUSE
    while True:
        try:
            async for message in _connected(client, url, after):
                pause, after = FIRST_PAUSE, message.id or after
                yield message
        except TooMany as error:
            pause = max(pause, error.retry_after)
        except ServerAway:
            pause = min(pause * 2, LONGEST_PAUSE)
        await asyncio.sleep(pause)


async def _connected(client: Client, url: str, after: str | None) -> AsyncIterator[Message]:
    """Yield the messages of one connection."""
    headers = {"Accept": "text/event-stream", **({} if after is None else {"Last-Event-ID": after})}
    async with client.connection.stream(Request("GET", url, headers=headers)) as response:
        if not small(response.headers).get("content-type", "").startswith("text/event-stream"):
            raise ProtocolError(f"{url}: the answer is no stream of events")
        base = await client.url("")
        async for event, identity, data in parsed(response.content.iter_any()):
            yield Message(event if data else POSITION, identity, Resource(absolute(_document(data), base)))


async def parsed(pieces: AsyncIterator[bytes]) -> AsyncIterator[tuple[str, str | None, str]]:
    """Yield event, id and data of each message of Server-Sent Events (HTML living standard, 9.2)."""
    event, identity = "message", None
    data: list[str] = []
    async for line in _lines(pieces):
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data or identity is not None:
                yield event, identity, "\n".join(data)
            event, identity, data = "message", None, []
        elif name == "data":
            data.append(value)
        elif name == "event":
            event = value
        elif name == "id":
            identity = value


async def _lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[str]:
    """Yield the lines, each without its end. Raises ProtocolError for one that does not end."""
    rest = bytearray()
    async for piece in pieces:
        rest += piece
        if len(rest) > LARGEST_MESSAGE:
            raise ProtocolError(f"a line of the stream of events has more than {LARGEST_MESSAGE} bytes")
        if b"\n" in piece:
            *lines, rest = rest.split(b"\n")
            for line in lines:
                yield line.rstrip(b"\r").decode(errors="replace")
    if rest:
        raise AnswerLost("the stream of events broke in the middle of a line")


def _document(data: str) -> dict[str, Json]:
    if data.startswith("<"):
        from cimi_client import xml_form

        return xml_form.read(data.encode())
    try:
        value = json.loads(data) if data else {}
    except (ValueError, RecursionError):
        raise ProtocolError(f"a message of the stream of events is no document: {data[:60]!r}") from None
    return value if isinstance(value, dict) else {}

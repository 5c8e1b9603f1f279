"""Readers of the live stream of events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp

from tests.api.client import ApiClient
from tests.patience import PATIENCE


@dataclass
class Message:
    event: str = "message"
    id: str | None = None
    data: list[str] = field(default_factory=list)

    @property
    def json(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads("\n".join(self.data))
        return document


@dataclass
class Stream:
    answer: aiohttp.ClientResponse

    async def raw(self) -> Message:
        """The next message, those that only move the id too."""
        message = Message()
        while line := (await asyncio.wait_for(self.answer.content.readline(), PATIENCE)).decode():
            name, _, value = line.rstrip("\n").partition(": ")
            if line == "\n":
                return message
            if name == "data":
                message.data.append(value)
            elif name in ("id", "event"):
                setattr(message, name, value)
        raise EOFError

    async def next(self) -> Message:
        while True:
            message = await self.raw()
            if message.data:
                return message

    async def until(self, fits: Callable[[Message], bool]) -> list[Message]:
        """All messages up to the first that fits."""
        found = [await self.next()]
        while not fits(found[-1]):
            found.append(await self.next())
        return found


@asynccontextmanager
async def listening(
    client: ApiClient, query: str = "", *, password: str = "secret", **headers: str
) -> AsyncIterator[Stream]:
    sent = {**replace(client, password=password).credentials, "Accept": "text/event-stream"}
    sent.update({name.replace("_", "-"): value for name, value in headers.items()})
    async with client.session.get(f"{client.base}eventStream{query}", headers=sent) as answer:
        assert answer.status == 200, await answer.text()
        yield Stream(answer)

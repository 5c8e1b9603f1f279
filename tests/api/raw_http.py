"""HTTP by the byte: what no client library would send, or send so slowly."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from dataclasses import dataclass

PATIENCE = 60.0
"""Seconds after which a connection that should have ended is a failure."""
AUTHORIZATION = "Authorization: Basic " + base64.b64encode(b"admin:secret").decode()


@dataclass
class Line:
    """One connection to a gateway."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def rest(self) -> bytes:
        """Everything until the gateway closes; TimeoutError when it does not. A reset is an end, too."""
        said = b""
        async with asyncio.timeout(PATIENCE):
            try:
                while piece := await self.reader.read(65536):
                    said += piece
            except ConnectionError:
                pass
        return said

    async def answer(self) -> bytes:
        """The head of the next answer."""
        async with asyncio.timeout(PATIENCE):
            return await self.reader.readuntil(b"\r\n\r\n")

    def hang_up(self) -> None:
        """Close with a reset, as a process that is killed does."""
        self.writer.transport.abort()

    async def close(self) -> None:
        self.writer.close()


async def connect(listen: str, source: str = "127.0.0.1") -> Line:
    """Connect to host:port from this address of the loopback."""
    host, _, port = listen.rpartition(":")
    return Line(*await asyncio.open_connection(host, int(port), local_addr=(source, 0)))


async def exchange(listen: str, data: bytes) -> bytes:
    """Everything that the gateway says to these bytes until it closes."""
    line = await connect(listen)
    with contextlib.suppress(ConnectionError):
        await line.send(data)
    try:
        return await line.rest()
    finally:
        line.hang_up()

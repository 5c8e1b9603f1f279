"""libvirt's streams of bytes: none stays open when nobody waits for it any more."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import pytest

from drivers.libvirt.connection import Connection
from drivers.libvirt.streams import Streams
from tests.patience import PATIENCE


class Stream:
    def __init__(self) -> None:
        self.aborted = False

    def abort(self) -> None:
        self.aborted = True


class Host:
    """In the place of the connection and its handle, a pool and its volume; what begins a stream takes its time."""

    def __init__(self) -> None:
        self.stream = Stream()
        self.begun = threading.Event()
        self.goes_on = threading.Event()

    async def call(self, function: Callable[[Any], Any], **_how: object) -> Any:
        return await asyncio.to_thread(function, self)

    def storagePoolLookupByName(self, _name: str) -> Host:  # noqa: N802 - libvirt's name
        return self

    def storageVolLookupByName(self, _name: str) -> Host:  # noqa: N802 - libvirt's name
        return self

    def newStream(self, _flags: int) -> Stream:  # noqa: N802 - libvirt's name
        return self.stream

    def upload(self, *_arguments: object) -> None:
        self.begun.set()
        assert self.goes_on.wait(PATIENCE)

    download = upload


async def nothing() -> AsyncIterator[bytes]:
    yield b""


async def upload(streams: Streams) -> None:
    await streams.upload("pool", "name", 10, nothing(), lambda _done, _total: None)


async def download(streams: Streams) -> None:
    _ = [piece async for piece in streams.download("pool", "name", 0, 10)]


@pytest.mark.parametrize("transfer", [upload, download])
async def test_a_stream_that_begins_when_nobody_waits_any_more_is_aborted(transfer: Callable[[Streams], Any]) -> None:
    host = Host()
    waiting = asyncio.create_task(transfer(Streams(cast(Connection, host))))
    assert await asyncio.to_thread(host.begun.wait, PATIENCE)
    waiting.cancel()
    await asyncio.sleep(0)
    host.goes_on.set()
    await asyncio.gather(waiting, return_exceptions=True)
    assert waiting.cancelled()
    assert host.stream.aborted

"""A host that does not answer holds a thread for moments, or one thread alone; never the loop, nor a close."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from drivers.base import ConnectionState
from drivers.libvirt import connection as connection_module
from drivers.libvirt.connection import Connection
from drivers.libvirt.lanes import THREADS


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """It takes connections and never says a word, as a frozen libvirtd does."""
    with socket.create_server(("127.0.0.1", 0)) as opened:
        yield opened


@pytest.fixture
def full() -> Iterator[socket.socket]:
    """Its queue is full, so that the kernel drops what comes, as if no packet came through."""
    waiting: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0), backlog=0) as opened:
        while True:
            try:
                waiting.append(socket.create_connection(opened.getsockname(), 0.3))
            except TimeoutError:
                break
        yield opened
        for each in waiting:
            each.close()


@pytest.fixture
async def connect(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Callable[[socket.socket, str], Connection]]:
    monkeypatch.setattr(connection_module, "CONNECT_SECONDS", 0.5)
    monkeypatch.setattr(connection_module, "REACH_SECONDS", 0.3)
    monkeypatch.setattr(connection_module, "LONGEST_BACKOFF", 0.1)
    opened: list[Connection] = []

    def connection(to: socket.socket, transport: str) -> Connection:
        opened.append(Connection(f"qemu+{transport}://127.0.0.1:{to.getsockname()[1]}/system"))
        return opened[-1]

    yield connection
    for each in opened:
        await each.close()


def held() -> int:
    """How many threads are inside a call that libvirt or the kernel has not ended."""
    return sum(thread.name.startswith(f"{THREADS} control") for thread in threading.enumerate())


@pytest.mark.parametrize("transport", ["tcp", "tls"])
async def test_where_packets_are_dropped_the_first_attempt_ends_and_holds_no_thread(
    full: socket.socket, connect: Callable[[socket.socket, str], Connection], transport: str
) -> None:
    connection = connect(full, transport)
    async with asyncio.timeout(30):
        await connection.open()
    assert connection.state is not ConnectionState.UP
    assert "no connection to 127.0.0.1" in connection.reason
    await connection.close()
    async with asyncio.timeout(30):
        while held():
            await asyncio.sleep(0.05)


async def test_where_the_daemon_is_frozen_many_attempts_hold_one_thread(
    listener: socket.socket, connect: Callable[[socket.socket, str], Connection]
) -> None:
    before, attempts = held(), 0
    connection = connect(listener, "tcp")

    def count(state: ConnectionState, _reason: str) -> None:
        nonlocal attempts
        attempts += state is ConnectionState.CONNECTING

    connection.watch(count)
    await connection.open()
    async with asyncio.timeout(60):
        while attempts < 6:
            await asyncio.sleep(0.05)
    assert held() - before <= 1


async def test_where_the_daemon_is_frozen_closing_does_not_wait_for_it(
    listener: socket.socket, connect: Callable[[socket.socket, str], Connection]
) -> None:
    connection = connect(listener, "tcp")
    await connection.open()
    began = time.monotonic()
    await connection.close()
    assert time.monotonic() - began < 20


async def test_the_loop_goes_on_while_a_host_does_not_answer(
    full: socket.socket, connect: Callable[[socket.socket, str], Connection]
) -> None:
    connection, turns = connect(full, "tls"), 0
    opening = asyncio.ensure_future(connection.open())
    while not opening.done():
        turns += 1
        await asyncio.sleep(0.01)
    assert turns > 5

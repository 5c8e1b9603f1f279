"""Slow and many connections: each has its deadlines, and their number is limited, overall and of one address."""

from __future__ import annotations

import asyncio
import resource
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs

from drivers.memory import MemoryDriver
from gateway.app import Gateway
from gateway.config import Settings
from gateway.http.admission import RESERVED, Listener
from gateway.http.connection import Deadlines
from tests.api.certificates import self_signed
from tests.api.client import ApiClient
from tests.api.raw_http import AUTHORIZATION, PATIENCE, Line, connect
from tests.empty_image import qcow2

pytestmark = pytest.mark.slow

Dial = Callable[..., Awaitable[Line]]
OVERALL, OF_ONE = 40, 10
STRANGERS = [f"127.0.0.{number}" for number in range(2, 12)]
"""Loopback addresses, but not the one which is the host's own word to itself."""
GET_HEALTH = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = f"POST /cimi/machineConfigs HTTP/1.1\r\nHost: localhost\r\n{AUTHORIZATION}\r\nContent-Type: application/json\r\n"


@pytest.fixture
def settings(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr("gateway.app.Deadlines", partial(Deadlines, write=1.0))
    server = replace(
        settings.server,
        connections=OVERALL,
        connections_per_address=OF_ONE,
        header_seconds=1.0,
        document_seconds=1.0,
        idle_seconds=2.0,
    )
    return replace(settings, server=server)


@pytest.fixture
def listen(gateway: Gateway) -> str:
    return gateway.settings.server.listen


@pytest.fixture
async def dial(listen: str) -> AsyncIterator[Dial]:
    """``await dial("127.0.0.2")``: a connection from there, which is closed with the test."""
    opened: list[Line] = []

    async def call(source: str = "127.0.0.1") -> Line:
        opened.append(await connect(listen, source))
        return opened[-1]

    yield call
    for line in opened:
        line.hang_up()
    await asyncio.sleep(0)


async def healthy(line: Line) -> bool:
    try:
        await line.send(GET_HEALTH)
        return (await line.answer()).startswith(b"HTTP/1.1 200")
    except (ConnectionError, asyncio.IncompleteReadError):
        return False


# Deadlines


async def test_a_silent_connection_is_closed(dial: Dial) -> None:
    assert await (await dial()).rest() == b""


async def test_headers_that_come_drop_by_drop_end_by_the_deadline(dial: Dial) -> None:
    line = await dial()

    async def drip() -> None:
        await line.send(b"GET /health HTTP/1.1\r\nX-A: ")
        while True:
            await line.send(b"b")
            await asyncio.sleep(0.05)

    dripping = asyncio.create_task(drip())
    assert await line.rest() == b""
    dripping.cancel()
    await asyncio.gather(dripping, return_exceptions=True)


async def test_a_second_request_has_the_same_deadline_for_its_headers(dial: Dial) -> None:
    line = await dial()
    assert await healthy(line)
    await line.reader.readexactly(len(b'{"status": "live"}'))
    await line.send(b"GET /health HTTP/1.1\r\n")
    assert await line.rest() == b""


async def test_an_idle_connection_is_closed(dial: Dial) -> None:
    line = await dial()
    assert await healthy(line)
    assert await line.rest() == b'{"status": "live"}'


@pytest.mark.parametrize(
    ("length", "start"), [("Content-Length: 100", b"{"), ("Transfer-Encoding: chunked", b"5\r\n{\r\n")]
)
async def test_a_document_that_does_not_come_is_408_and_the_connection_ends(
    dial: Dial, length: str, start: bytes
) -> None:
    line = await dial()
    await line.send(f"{POST}{length}\r\n\r\n".encode() + start)
    said = await line.rest()
    assert said.startswith(b"HTTP/1.1 408 ")
    assert b"did not come within 1 seconds" in said


async def test_a_document_that_comes_drop_by_drop_is_408(dial: Dial) -> None:
    line = await dial()
    await line.send(f"{POST}Content-Length: 1000\r\n\r\n".encode())

    async def drip() -> None:
        while True:
            await line.send(b" ")
            await asyncio.sleep(0.05)

    dripping = asyncio.create_task(drip())
    assert (await line.answer()).startswith(b"HTTP/1.1 408 ")
    dripping.cancel()
    await asyncio.gather(dripping, return_exceptions=True)


async def test_an_upload_may_take_longer_than_any_document(admin: ApiClient, listen: str, dial: Dial) -> None:
    data = qcow2()
    made = await admin.post("machineImages", {"name": "slow", "size": len(data)})
    line = await dial()
    head = f"PUT {made.location.partition(listen)[2]}/upload HTTP/1.1\r\nHost: {listen}\r\n{AUTHORIZATION}\r\n"
    await line.send(f"{head}Content-Type: application/octet-stream\r\nContent-Length: {len(data)}\r\n\r\n".encode())
    size = -(-len(data) // 30)
    for start in range(0, len(data), size):
        await line.send(data[start : start + size])
        await asyncio.sleep(0.1)
    assert (await line.answer()).startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 202 "))


async def test_a_reader_of_events_is_never_idle(listen: str, dial: Dial) -> None:
    line = await dial()
    await line.send(f"GET /cimi/eventStream HTTP/1.1\r\nHost: {listen}\r\n{AUTHORIZATION}\r\n\r\n".encode())
    await line.answer()
    # Longer than all deadlines of these tests.
    await asyncio.sleep(3)
    assert not line.reader.at_eof()


async def test_a_flood_of_overdue_connections_is_counted_and_not_all_told(admin: ApiClient, dial: Dial) -> None:
    with capture_logs() as told:
        for number in range(20):
            await dial(STRANGERS[number % 10])
        await (await dial()).rest()
    assert 1 <= len([line for line in told if line["event"] == "connection overdue"]) <= 20
    metrics = await admin.get(admin.base.removesuffix("cimi/") + "metrics")
    overdue = [line for line in metrics.text.splitlines() if line.startswith("cimi_http_connections_overdue_total")]
    assert float(overdue[0].rpartition(" ")[2]) >= 21


async def test_a_client_that_reads_nothing_is_cut_off(listen: str, dial: Dial) -> None:
    line = await dial()
    line.writer.transport.pause_reading()  # type: ignore[attr-defined]
    get = f"GET /cimi/openapi HTTP/1.1\r\nHost: {listen}\r\n{AUTHORIZATION}\r\n\r\n".encode()
    # More than the buffers of both kernels take.
    await line.send(get * 30)
    with pytest.raises(ConnectionError):
        async with asyncio.timeout(PATIENCE):
            while True:
                await line.send(b" ")
                await asyncio.sleep(0.05)


async def test_a_silent_connection_to_tls_is_closed_and_counted(
    settings: Settings, driver: MemoryDriver, tmp_path: Path
) -> None:
    certificate, key = self_signed(tmp_path)
    server = replace(settings.server, tls_certificate=str(certificate), tls_key=str(key))
    gateway = Gateway(replace(settings, server=server), {driver.name: driver})
    await gateway.start()
    try:
        silent = [await connect(server.listen, STRANGERS[0]) for _ in range(OF_ONE)]
        one_too_many = await connect(server.listen, STRANGERS[0])
        assert await one_too_many.rest() == b""
        assert not any(line.reader.at_eof() for line in silent)
        for line in silent:
            await line.rest()
            line.hang_up()
        one_too_many.hang_up()
        await asyncio.sleep(0)
    finally:
        await gateway.stop()


# Numbers


async def test_one_address_gets_no_more_than_its_connections_and_others_get_theirs(dial: Dial) -> None:
    for _ in range(OF_ONE):
        assert await healthy(await dial(STRANGERS[0]))
    assert not await healthy(await dial(STRANGERS[0]))
    assert await healthy(await dial(STRANGERS[1]))


async def test_a_connection_that_closes_leaves_its_place_to_another(dial: Dial) -> None:
    for _ in range(4 * OF_ONE):
        async with asyncio.timeout(PATIENCE):
            line = await dial(STRANGERS[0])
            while not await healthy(line):
                line = await dial(STRANGERS[0])
        line.hang_up()


async def test_strangers_take_no_place_that_is_kept_for_the_host_itself(admin: ApiClient, dial: Dial) -> None:
    answered = 0
    for number in range(2 * OVERALL):
        answered += await healthy(await dial(STRANGERS[number % len(STRANGERS)]))
    assert answered >= OVERALL - RESERVED
    assert await healthy(await dial())
    metrics = await admin.get(admin.base.removesuffix("cimi/") + "metrics")
    assert "cimi_http_connections_refused_total 0.0" not in metrics.text


# File descriptors


@pytest.fixture
def few_descriptors(gateway: Gateway) -> Iterator[int]:
    """A limit of file descriptors that leaves 60 to what is opened from now on."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = max(int(entry.name) for entry in Path("/proc/self/fd").iterdir()) + 1
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 60, hard))
    yield used + 60
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("few_descriptors")
async def test_without_file_descriptors_connections_are_refused_and_nothing_breaks(
    session: aiohttp.ClientSession, dial: Dial, listen: str, caplog: pytest.LogCaptureFixture
) -> None:
    lines = []
    with capture_logs() as told:
        for _ in range(60):
            try:
                lines.append(await dial())
            except OSError:
                break
        await asyncio.sleep(0.1)
    for line in lines:
        line.hang_up()
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                async with session.get(f"http://{listen}/health") as answer:
                    assert answer.status == 200
                break
            except (aiohttp.ClientError, OSError):
                await asyncio.sleep(0.05)
    assert [record for record in caplog.get_records("call") if "accept" in record.getMessage()] == []
    assert [line for line in told if "exc_info" in line] == []


@contextmanager
def no_descriptors() -> Iterator[None]:
    """A limit with which nothing can be opened, whatever is closed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_a_connection_that_cannot_even_be_refused_waits_without_keeping_the_gateway_busy(
    gateway: Gateway, listen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    accepts = 0
    accept = Listener.accept

    def counted(listener: Listener) -> tuple[socket.socket, Any]:
        nonlocal accepts
        accepts += 1
        return accept(listener)

    monkeypatch.setattr(Listener, "accept", counted)
    host, _, port = listen.rpartition(":")
    turns = 0
    with socket.socket() as client, capture_logs() as told:
        client.setblocking(False)
        with no_descriptors():
            await asyncio.get_running_loop().sock_connect(client, (host, int(port)))
            async with asyncio.timeout(PATIENCE):
                while turns < 500:
                    await asyncio.sleep(0)
                    turns += accepts > 0
        assert accepts < 10
        reader, writer = await asyncio.open_connection(sock=client)
        assert await healthy(Line(reader, writer))
        writer.close()
    reasons = [line["reason"] for line in told if line["event"] == "connections are left waiting"]
    assert reasons == ["Too many open files"]

"""Clients that go away in the middle are no fault of the gateway's: no 500, no traceback, and a count of their own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest
from structlog.testing import capture_logs

from drivers.memory import MemoryDriver
from tests.api.client import ApiClient
from tests.api.raw_http import AUTHORIZATION, PATIENCE, connect
from tests.empty_image import qcow2

pytestmark = pytest.mark.slow

Aborts = Callable[[], Awaitable[float]]
JSON = "Content-Type: application/json\r\n"
BYTES = "Content-Type: application/octet-stream\r\n"


@pytest.fixture
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fails a test in which a traceback is logged, by us or by a library."""
    with caplog.at_level(logging.WARNING), capture_logs() as lines:
        yield
    assert [record for record in caplog.get_records("call") if record.name != "asyncio" or record.exc_info] == []
    assert [line for line in lines if "exc_info" in line or line["log_level"] == "error"] == []


@pytest.fixture
async def aborts(admin: ApiClient, quiet: None) -> AsyncIterator[Aborts]:
    """``await aborts()``: how many clients hung up so far; at the end no request may have been counted as 500."""
    root = admin.base.removesuffix("cimi/")

    async def count() -> float:
        text = (await admin.get(root + "metrics")).text
        line = next(line for line in text.splitlines() if line.startswith("cimi_http_client_aborts_total "))
        return float(line.rpartition(" ")[2])

    yield count
    assert 'status="5' not in (await admin.get(root + "metrics")).text


async def until(aborts: Aborts, number: float) -> None:
    async with asyncio.timeout(PATIENCE):
        while await aborts() != number:
            await asyncio.sleep(0.02)


def listen_of(client: ApiClient) -> str:
    return client.base.split("/")[2]


def head(client: ApiClient, method: str, path: str, more: str = "") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: {listen_of(client)}\r\n{AUTHORIZATION}\r\n{more}\r\n".encode()


STARTS = [
    ("Content-Length: 1000\r\n", b"{"),
    ("Content-Length: 1000\r\n", b""),
    ("Transfer-Encoding: chunked\r\n", b"5\r\n{"),
    ("Transfer-Encoding: chunked\r\n", b"2\r\n{}\r\n"),
]


@pytest.mark.parametrize("path", ["machineConfigs", "systems/import", "nothing"])
@pytest.mark.parametrize(("length", "start"), STARTS)
@pytest.mark.parametrize("politely", [True, False])
async def test_in_the_middle_of_a_document(
    admin: ApiClient, aborts: Aborts, path: str, length: str, start: bytes, politely: bool
) -> None:
    line = await connect(listen_of(admin))
    await line.send(head(admin, "POST", f"/cimi/{path}", JSON + length) + start)
    await asyncio.sleep(0.05)
    if politely:
        await line.close()
    line.hang_up()
    if path != "nothing":
        await until(aborts, 1)
    assert (await admin.get("machineConfigs")).status == 200


async def test_in_the_middle_of_an_edit_and_of_an_action(admin: ApiClient, aborts: Aborts, machine: str) -> None:
    path = machine.partition(listen_of(admin))[2]
    for method, target in (("PUT", path), ("POST", f"{path}/stop"), ("POST", path)):
        before = await aborts()
        line = await connect(listen_of(admin))
        await line.send(head(admin, method, target, f"{JSON}Content-Length: 1000\r\n") + b"{")
        await asyncio.sleep(0.05)
        line.hang_up()
        await until(aborts, before + 1)


async def test_in_the_middle_of_an_upload_whose_bytes_are_kept(admin: ApiClient, aborts: Aborts) -> None:
    data = qcow2()
    made = await admin.post("machineImages", {"name": "i", "size": len(data)})
    path = made.location.partition(listen_of(admin))[2]
    line = await connect(listen_of(admin))
    await line.send(head(admin, "PUT", f"{path}/upload", f"{BYTES}Content-Length: {len(data)}\r\n") + data[:1000])
    async with asyncio.timeout(PATIENCE):
        while (await admin.get(f"{made.location}/upload")).headers["upload-offset"] == "0":
            await asyncio.sleep(0.02)
    line.hang_up()
    await until(aborts, 1)
    assert (await admin.get(f"{made.location}/upload")).headers["upload-offset"] == "1000"


async def test_while_the_answer_waits_for_its_job(
    admin: ApiClient, aborts: Aborts, machine: str, driver: MemoryDriver
) -> None:
    path = machine.partition(listen_of(admin))[2]
    line = await connect(listen_of(admin))
    await line.send(head(admin, "DELETE", path))
    line.hang_up()
    async with asyncio.timeout(PATIENCE):
        while (await admin.get(machine)).status != 404:
            await asyncio.sleep(0.02)


async def test_while_the_answer_is_written(admin: ApiClient, aborts: Aborts) -> None:
    line = await connect(listen_of(admin))
    line.writer.transport.pause_reading()  # type: ignore[attr-defined]
    await line.send(head(admin, "GET", "/cimi/openapi") * 30)
    # The gateway is in the middle as soon as the kernel takes no more of it.
    async with asyncio.timeout(PATIENCE):
        while "cimi_http_connections 2.0" not in (await admin.get(admin.base.removesuffix("cimi/") + "metrics")).text:
            await asyncio.sleep(0.02)
    await asyncio.sleep(0.5)
    line.hang_up()
    await until(aborts, 1)


async def test_in_the_middle_of_the_event_stream(admin: ApiClient, aborts: Aborts) -> None:
    line = await connect(listen_of(admin))
    await line.send(head(admin, "GET", "/cimi/eventStream"))
    await line.answer()
    line.hang_up()
    await until(aborts, 1)
    assert (await admin.post("machineConfigs", {"cpu": 1, "memory": 65536})).status == 201


async def test_in_the_middle_of_headers_is_no_request_at_all(admin: ApiClient, aborts: Aborts) -> None:
    line = await connect(listen_of(admin))
    await line.send(b"GET /cimi/ HTTP/1.1\r\nHo")
    line.hang_up()
    assert (await admin.get("")).status == 200
    assert await aborts() == 0

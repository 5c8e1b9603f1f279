"""What is no HTTP, or HTTP in two readings, is answered with 400 and ends its connection; no log is flooded with it."""

from __future__ import annotations

import contextlib
import json
import logging
import re
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from gateway.app import Gateway
from gateway.http.connection import LONGEST_FIELD, LONGEST_HEAD
from tests.api.client import ApiClient
from tests.api.raw_http import AUTHORIZATION, connect, exchange

pytestmark = pytest.mark.slow

HEAD = f"POST /cimi/machineConfigs HTTP/1.1\r\nHost: localhost\r\n{AUTHORIZATION}\r\nContent-Type: application/json\r\n"
BODY = '{"cpu": 1, "memory": 65536}'
ODDITIES = {
    "both lengths": f"{HEAD}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": f"{HEAD}Content-Length: 27\r\nContent-Length: 5\r\n\r\n{BODY}",
    "two equal lengths": f"{HEAD}Content-Length: 27\r\nContent-Length: 27\r\n\r\n{BODY}",
    "a signed length": f"{HEAD}Content-Length: +27\r\n\r\n{BODY}",
    "a length in hexadecimal": f"{HEAD}Content-Length: 0x1b\r\n\r\n{BODY}",
    "an unknown Transfer-Encoding": f"{HEAD}Transfer-Encoding: cow\r\n\r\n{BODY}",
    "chunked, but not last": f"{HEAD}Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "NUL in a header": f"{HEAD}X-A: a\0b\r\n\r\n",
    "NUL in the path": "GET /cimi/\0 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a folded header": f"{HEAD}X-A: a\r\n b\r\n\r\n",
    "a bare carriage return": f"{HEAD}X-A: a\rX-B: b\r\n\r\n",
    "a blank before the colon": f"{HEAD}Content-Length : 27\r\n\r\n{BODY}",
    "a header without a colon": f"{HEAD}nothing\r\n\r\n",
    "a header without a name": f"{HEAD}: x\r\n\r\n",
    "60,000 headers": HEAD + "X-A: b\r\n" * 60_000 + "\r\n",
    "a header of 20 kB": f"{HEAD}X-A: {'b' * 20_000}\r\n\r\n",
    "a request line of 300 kB": f"GET /cimi/{'x' * 300_000} HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "no version": "GET /cimi/\r\n\r\n",
    "an unknown version": "GET /cimi/ HTTP/9.9\r\nHost: localhost\r\n\r\n",
    "no method": " /cimi/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a TLS hello": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + "a" * 64 + "\r\n\r\n",
}
CHUNKS = f"{HEAD}Transfer-Encoding: chunked\r\n\r\n"
BAD_CHUNKS = {
    "a size that is no number": CHUNKS + "zz\r\n{}\r\n0\r\n\r\n",
    "a signed size": CHUNKS + "-2\r\n{}\r\n0\r\n\r\n",
    "a size beyond all": CHUNKS + "f" * 40 + "\r\n{}\r\n0\r\n\r\n",
    "more than the size": CHUNKS + "2\r\n{}{}{}\r\n0\r\n\r\n",
}


@pytest.fixture
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fails a test in which a traceback is logged, by us or by a library."""
    with caplog.at_level(logging.WARNING), capture_logs() as lines:
        yield
    records = caplog.get_records("call")
    assert [record for record in records if record.exc_info or record.levelno >= logging.WARNING] == []
    assert [line for line in lines if "exc_info" in line or line["log_level"] == "error"] == []


@pytest.mark.parametrize("oddity", [*ODDITIES, *BAD_CHUNKS])
async def test_an_oddity_is_400_and_the_connection_ends_without_a_traceback(
    gateway: Gateway, quiet: None, oddity: str
) -> None:
    said = await exchange(gateway.settings.server.listen, {**ODDITIES, **BAD_CHUNKS}[oddity].encode("latin-1"))
    assert re.match(rb"HTTP/\d\.\d 400 ", said), said[:200]
    assert said.count(b"\r\nContent-Length: ") == 1


@pytest.mark.parametrize("oddity", [*ODDITIES, *BAD_CHUNKS])
async def test_an_oddity_changes_nothing(gateway: Gateway, admin: ApiClient, oddity: str) -> None:
    before = (await admin.document("machineConfigs"))["count"]
    await exchange(gateway.settings.server.listen, {**ODDITIES, **BAD_CHUNKS}[oddity].encode("latin-1"))
    assert (await admin.document("machineConfigs"))["count"] == before


async def test_a_head_without_an_end_ends_the_connection(gateway: Gateway) -> None:
    line = await connect(gateway.settings.server.listen)
    await line.send(HEAD.encode())
    with contextlib.suppress(ConnectionError):
        for _ in range(2 * LONGEST_HEAD // LONGEST_FIELD):
            await line.send(b"X-A: " + b"b" * (LONGEST_FIELD // 2) + b"\r\n")
    await line.rest()
    line.hang_up()


async def test_a_large_body_that_is_refused_before_it_is_read_is_no_head(gateway: Gateway, admin: ApiClient) -> None:
    line = await connect(gateway.settings.server.listen)
    size = 2 * LONGEST_HEAD
    await line.send(f"POST /cimi/machines HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n\r\n".encode())
    assert (await line.answer()).startswith(b"HTTP/1.1 401 ")
    with contextlib.suppress(ConnectionError):
        await line.send(b"x" * size)
    line.hang_up()
    metrics = await admin.get(admin.base.removesuffix("cimi/") + "metrics")
    assert "cimi_http_connections_overdue_total 0.0" in metrics.text


async def test_what_is_no_http_gets_a_document_that_says_so_and_no_versions(gateway: Gateway) -> None:
    said = await exchange(gateway.settings.server.listen, ODDITIES["a header without a name"].encode())
    head, _, body = said.partition(b"\r\n\r\n")
    assert json.loads(body)["statusMessage"].startswith("malformed HTTP request: ")
    assert b"\r\nServer: cimi-gateway\r\n" in head + b"\r\n"
    assert b"aiohttp" not in said.lower()
    assert b"Python" not in said


async def test_a_flood_of_malformed_requests_is_counted_and_not_all_told(gateway: Gateway, admin: ApiClient) -> None:
    with capture_logs() as lines:
        for _ in range(60):
            await exchange(gateway.settings.server.listen, b"\0\r\n\r\n")
    assert len([line for line in lines if line["event"] == "malformed request"]) <= 20
    metrics = await admin.get(admin.base.removesuffix("cimi/") + "metrics")
    assert "cimi_http_malformed_total 60.0" in metrics.text


async def test_requests_one_behind_the_other_are_answered_in_order(gateway: Gateway) -> None:
    line = await connect(gateway.settings.server.listen)
    await line.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\nGET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert (await line.answer()).startswith(b"HTTP/1.1 200 ")
    assert b"HTTP/1.1 401 " in await line.answer()
    await line.close()

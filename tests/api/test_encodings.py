"""Bodies are taken as they are: nothing is unpacked for anybody."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from tests.api.client import ApiClient
from tests.api.raw_http import AUTHORIZATION, connect
from tests.empty_image import qcow2

pytestmark = pytest.mark.slow

BOMB = gzip.compress(bytes(1024**2), 9) * 200
CODINGS = ("gzip", "deflate", "br", "zstd", "x-gzip", "GZIP", "identity, gzip", "gzip, identity", "unheard-of")


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("media", ["json", "xml"])
async def test_an_encoded_document_is_415(client: Callable[..., ApiClient], coding: str, media: str) -> None:
    sender = client("admin", media)
    answer = await sender.post("machineConfigs", gzip.compress(b'{"cpu": 1, "memory": 65536}'), Content_Encoding=coding)
    assert answer.status == 415
    assert "Content-Encoding" in answer.text


@pytest.mark.parametrize("type_", ["application/ovf", "application/x-tar", "application/json"])
async def test_an_encoded_package_is_415(admin: ApiClient, type_: str) -> None:
    for collection in ("systems", "systemTemplates"):
        answer = await admin.post(f"{collection}/import", BOMB, Content_Type=type_, Content_Encoding="gzip")
        assert answer.status == 415


async def test_an_encoded_image_is_415(admin: ApiClient) -> None:
    made = await admin.post("machineImages", {"name": "i", "size": len(qcow2())})
    sent = {"Content_Type": "application/octet-stream", "Content_Encoding": "gzip"}
    answer = await admin.put(f"{made.location}/upload", gzip.compress(qcow2()), **sent)
    assert answer.status == 415


async def test_an_encoded_edit_and_an_encoded_action_are_415(admin: ApiClient, machine: str) -> None:
    packed = zlib.compress(b"{}")
    assert (await admin.put(machine, packed, Content_Encoding="deflate")).status == 415
    assert (await admin.post(f"{machine}/stop", packed, Content_Encoding="deflate")).status == 415


@pytest.mark.parametrize("coding", ["identity", "Identity", "", "identity, identity"])
async def test_no_encoding_may_be_called_by_its_name(admin: ApiClient, coding: str) -> None:
    answer = await admin.post("machineConfigs", {"cpu": 1, "memory": 65536}, Content_Encoding=coding)
    assert answer.status == 201


async def test_a_stranger_is_401_and_is_not_told_more(client: Callable[..., ApiClient]) -> None:
    assert (await client("").post("machineConfigs", BOMB, Content_Encoding="gzip")).status == 401


@pytest.mark.parametrize("path", ["/cimi/machineConfigs", "/cimi/systems/import", "/health", "/nothing"])
async def test_a_bomb_of_200_mebibytes_costs_less_than_20_of_memory(admin: ApiClient, path: str) -> None:
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{AUTHORIZATION}\r\nContent-Type: application/json\r\n"
    line = await connect(admin.base.split("/")[2])
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        await line.send(f"{head}Content-Encoding: gzip\r\nContent-Length: {len(BOMB)}\r\n\r\n".encode() + BOMB)
        assert b" 4" in (await line.answer())[:14]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        await line.close()
    assert peak - before < 20 * 1024**2


async def test_nothing_is_even_begun_to_be_unpacked(admin: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[Any] = []
    real = zlib.decompressobj

    def recorded(*known: Any, **named: Any) -> Any:
        begun.append(known)
        return real(*known, **named)

    monkeypatch.setattr("zlib.decompressobj", recorded)
    for url in ("machineConfigs", "systems/import", admin.base.removesuffix("cimi/") + "health"):
        assert (await admin.post(url, BOMB, Content_Encoding="gzip")).status in (405, 415)
    assert begun == []

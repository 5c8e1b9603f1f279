"""Characters that no CIMI string can hold get in by no way: not by queries, paths or headers either."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import pytest

from tests.api.client import ApiClient
from tests.api.raw_http import AUTHORIZATION, exchange

pytestmark = pytest.mark.slow

CONTROLS = ["\x00", "\x0b", "\x1b", "\x1b[2J", "a\x07b", "\ufffe", "\uffff"]


@pytest.mark.parametrize("text", CONTROLS)
@pytest.mark.parametrize("media", ["json", "xml"])
async def test_no_name_of_an_imported_system_holds_one(client: Callable[..., ApiClient], text: str, media: str) -> None:
    sender, admin = client("admin", media), client("admin")
    for collection in ("systems", "systemTemplates"):
        url = f"{collection}/import?name={quote(text)}"
        answer = await sender.post(url, b"x", Content_Type="application/x-tar")
        assert answer.status == 400
        assert "name: holds a control character" in answer.text
        assert (await admin.document(collection))["count"] == 0


@pytest.mark.parametrize("text", CONTROLS)
@pytest.mark.parametrize("place", ["{}=x", "name={}", "$filter=name='{}'", "$select={}", "a&b={}", "limit={}"])
async def test_no_query_holds_one(admin: ApiClient, text: str, place: str) -> None:
    for url in ("machines", "", "nothing"):
        answer = await admin.get(f"{url}?{place.format(quote(text))}")
        assert answer.status == 400
        assert "control character" in answer.message


@pytest.mark.parametrize("text", ["a\tb", "a\nb", "ö", "\U0001f600", "%00"])
async def test_what_xml_can_hold_may_stand_in_a_query(admin: ApiClient, text: str) -> None:
    assert (await admin.get(f"machines?$filter=name='{quote(text)}'")).status == 200


@pytest.mark.parametrize("text", [*CONTROLS[:-2], "\n", "\r\n", "\x7f", "\x9b"])
async def test_nothing_is_at_a_path_that_holds_one(admin: ApiClient, text: str) -> None:
    for url in ("machines/{}", "{}", "machines{}", "systems/{}/start", "jobs/{}/package"):
        for method in ("GET", "POST", "PUT", "DELETE"):
            answer = await admin.request(method, url.format(quote(text)), b"")
            assert answer.status in (404, 405), url
            assert text not in answer.message


async def test_no_event_tells_of_one(admin: ApiClient) -> None:
    for text in CONTROLS:
        await admin.post(f"machines/{quote(text)}", {})
        await admin.post(f"machines?name={quote(text)}", {})
    events = (await admin.get("events")).text
    assert not any(text in events for text in CONTROLS)


@pytest.mark.parametrize("character", ["\x01", "\x0b", "\x1b", "\x7f", "\x80", "\xff"])
@pytest.mark.parametrize("header", ["Idempotency-Key", "X-Request-ID", "Content-Type"])
async def test_no_header_brings_one_in(admin: ApiClient, character: str, header: str) -> None:
    """A request id like that is replaced, everything else refused."""
    body = '{"cpu": 1, "memory": 65536}'
    fields = {"Content-Type": "application/json", header: f"a{character}b"}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    head = f"POST /cimi/machineConfigs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{AUTHORIZATION}\r\n{lines}"
    request = f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode("latin-1")
    said = await exchange(admin.base.split("/")[2], request)
    status = int(said.split()[1])
    assert status in ((201, 400) if header == "X-Request-ID" else (400, 415))
    assert f"a{character}b".encode("latin-1") not in said

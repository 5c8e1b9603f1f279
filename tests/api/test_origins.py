"""A page of another site changes nothing, whatever credentials the browser remembers (CSRF)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from gateway.app import Gateway
from gateway.config import Settings
from tests.api.client import ApiClient
from tests.api.routes import OF_RESOURCES

pytestmark = pytest.mark.slow

CONFIG = {"cpu": 1, "memory": 65536}
FOREIGN = (
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://evil.example, http://127.0.0.1"},
    {"Origin": "https://127.0.0.1"},
    {"Origin": "http://127.0.0.1:1"},
    {"Origin": ""},
    {"Sec_Fetch_Site": "cross-site"},
    {"Sec_Fetch_Site": "Cross-Site"},
    {"Sec_Fetch_Site": "same-site"},
    {"Origin": "http://evil.example", "Sec_Fetch_Site": "same-origin"},
)
CHANGING = [(route, method) for route in OF_RESOURCES for method in sorted(route.methods - {"GET", "HEAD"})]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, server=replace(settings.server, origins=["https://console.example.org"]))


@pytest.mark.parametrize("said", FOREIGN)
@pytest.mark.parametrize("media", ["json", "xml"])
async def test_a_foreign_page_is_403_and_is_told_why(
    client: Callable[..., ApiClient], said: dict[str, str], media: str
) -> None:
    sender = client("admin", media)
    before = (await client("admin").document("machineConfigs"))["count"]
    answer = await sender.post("machineConfigs", CONFIG, **said)
    assert answer.status == 403
    assert "[server] origins" in answer.text
    assert (await client("admin").document("machineConfigs"))["count"] == before


async def test_every_change_is_refused_to_a_foreign_page(admin: ApiClient) -> None:
    root = admin.base.removesuffix("/cimi/")
    taken = []
    for route, method in CHANGING:
        url = root + route.path.replace("{", "").replace("}", "")
        answer = await admin.request(method, url, b"", Origin="http://evil.example", Content_Type="text/plain")
        if answer.status != 403 or "evil.example" not in answer.message:
            taken.append((method, route.path, answer.status))
    assert taken == []


async def test_a_form_with_remembered_credentials_restarts_no_machine(admin: ApiClient, machine: str) -> None:
    form = {"Content_Type": "application/x-www-form-urlencoded", "Origin": "http://evil.example"}
    assert (await admin.post(f"{machine}/restart", b"", **form)).status == 403


@pytest.mark.parametrize("site", ["", "same-origin"])
async def test_the_gateways_own_page_may_change(admin: ApiClient, site: str) -> None:
    own = admin.base.removesuffix("/cimi/")
    said = {"Origin": own, "Sec_Fetch_Site": site} if site else {"Origin": own}
    assert (await admin.post("machineConfigs", CONFIG, **said)).status == 201


@pytest.mark.parametrize("said", [{}, {"Sec_Fetch_Site": "none"}])
async def test_clients_that_are_no_pages_may_change(admin: ApiClient, said: dict[str, str]) -> None:
    assert (await admin.post("machineConfigs", CONFIG, **said)).status == 201


async def test_pages_of_configured_origins_may_change(admin: ApiClient) -> None:
    said = {"Origin": "https://console.example.org", "Sec_Fetch_Site": "cross-site"}
    assert (await admin.post("machineConfigs", CONFIG, **said)).status == 201


@pytest.mark.parametrize("said", FOREIGN)
async def test_whoever_asks_may_read(admin: ApiClient, said: dict[str, str]) -> None:
    assert (await admin.get("machineConfigs", **said)).status == 200
    assert (await admin.request("HEAD", "machineConfigs", None, **said)).status == 200


async def test_the_default_port_may_stand_in_the_host_header(admin: ApiClient) -> None:
    said = {"Host": "127.0.0.1:80", "Origin": "http://127.0.0.1"}
    assert (await admin.post("machineConfigs", CONFIG, **said)).status == 201


async def test_a_rebound_name_is_no_origin_of_ours(admin: ApiClient) -> None:
    said = {"Host": "evil.example", "Origin": "http://evil.example"}
    assert (await admin.post("machineConfigs", CONFIG, **said)).status == 421


async def test_no_browser_takes_an_answer_for_what_it_is_not_called(
    admin: ApiClient, machine: str, gateway: Gateway
) -> None:
    root = admin.base.removesuffix("cimi/")
    outside = [root + path for path in ("", "health", "health/ready", "metrics")]
    for url in ("", "nothing", "openapi", f"{machine}/console", *outside):
        answer = await admin.get(url, Accept="*/*")
        assert answer.headers["x-content-type-options"] == "nosniff", url
        assert answer.headers["server"] == "cimi-gateway", url

"""By which names of its host the gateway may be called: links are made of no stranger's."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from drivers.memory import MemoryDriver
from gateway.app import Gateway
from gateway.config import Settings
from tests.api.client import ApiClient

pytestmark = pytest.mark.slow

Serve = Callable[..., Awaitable[ApiClient]]
STRANGERS = ("evil.example", "evil.example:81", "localhost.evil.example", "127.0.0.1.evil.example", "a@127.0.0.1")


@pytest.fixture
async def served(settings: Settings, driver: MemoryDriver, session: aiohttp.ClientSession) -> AsyncIterator[Serve]:
    """``await served(hosts=[...])``: an admin of a gateway with these keys of [server]."""
    running: list[Gateway] = []

    async def serve(media: str = "json", **server: Any) -> ApiClient:
        gateway = Gateway(replace(settings, server=replace(settings.server, **server)), {driver.name: driver})
        await gateway.start()
        running.append(gateway)
        return ApiClient(session, f"http://{settings.server.listen}/cimi/", media=media)

    yield serve
    for gateway in running:
        await gateway.stop()


async def base_uri(client: ApiClient, host: str) -> str:
    answer = await client.get("", Host=host)
    assert answer.status == 200, answer.text
    return str(json.loads(answer.text)["baseURI"])


@pytest.mark.parametrize("host", STRANGERS[:-1])
@pytest.mark.parametrize("media", ["json", "xml"])
async def test_a_strangers_host_name_is_421_and_is_in_no_link(served: Serve, host: str, media: str) -> None:
    client = await served(media)
    for answer in (await client.get("", Host=host), await client.post("machineConfigs", b"", Host=host)):
        assert answer.status == 421
        assert "no name of this gateway" in answer.text
        assert f"http://{host}" not in answer.text


async def test_a_host_with_a_user_is_400(served: Serve) -> None:
    client = await served()
    assert (await client.get("", Host="a@127.0.0.1")).status == 400


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8080", "127.0.0.1", "127.9.9.9:1", "[::1]:8080"])
async def test_loopback_names_may_always_be_used(served: Serve, host: str) -> None:
    client = await served(hosts=["cloud.example.org"])
    assert await base_uri(client, host) == f"http://{host}/cimi/"


@pytest.mark.parametrize("host", ["192.0.2.1", "192.0.2.1:8080", "[2001:db8::1]", socket.gethostname()])
async def test_addresses_and_the_machines_own_name_may_be_used_while_no_hosts_are_configured(
    served: Serve, host: str
) -> None:
    assert await base_uri(await served(), host) == f"http://{host}/cimi/"


@pytest.mark.parametrize("host", ["cloud.example.org", "cloud.example.org:8443", "Cloud.Example.ORG", "other.example"])
async def test_configured_hosts_may_be_used(served: Serve, host: str) -> None:
    client = await served(hosts=["cloud.example.org", "OTHER.example"])
    assert await base_uri(client, host) == f"http://{host}/cimi/"


@pytest.mark.parametrize("host", [*STRANGERS[:-1], "192.0.2.1", socket.gethostname() + ".example"])
async def test_with_configured_hosts_nothing_else_may_be_used(served: Serve, host: str) -> None:
    client = await served(hosts=["cloud.example.org"])
    assert (await client.get("", Host=host)).status == 421


@pytest.mark.parametrize(
    ("host", "status"), [("cloud.example.org", 200), ("127.0.0.1", 200), ("192.0.2.1", 200), ("evil.example", 421)]
)
async def test_a_base_url_names_its_host(served: Serve, host: str, status: int) -> None:
    client = await served(base_url="https://cloud.example.org:8443/x")
    assert (await client.get("", Host=host)).status == status


async def test_a_trusted_proxy_vouches_for_the_host_unless_hosts_are_configured(served: Serve) -> None:
    client = await served(trusted_proxies=["127.0.0.1"])
    answer = await client.get("", X_Forwarded_Host="cloud.example.org")
    assert answer.json["baseURI"] == "http://cloud.example.org/cimi/"


async def test_a_trusted_proxy_does_not_get_past_configured_hosts(served: Serve) -> None:
    client = await served(trusted_proxies=["127.0.0.1"], hosts=["cloud.example.org"])
    for said in ({"X_Forwarded_Host": "evil.example"}, {"Forwarded": "host=evil.example"}, {"Host": "evil.example"}):
        assert (await client.get("", **said)).status == 421


async def test_health_is_told_under_any_name(served: Serve) -> None:
    client = await served(hosts=["cloud.example.org"])
    assert (await client.get(client.base.removesuffix("cimi/") + "health", Host="balancer")).status == 200


async def test_events_are_not_flooded_with_what_strangers_are_refused(served: Serve) -> None:
    client = await served()
    before = (await client.document("eventLogs/everything/events"))["count"]
    nobody = ApiClient(client.session, client.base, user="")
    for _ in range(5):
        assert (await nobody.post("machines", b"{}", Host="evil.example")).status == 421
        assert (await client.post("machines", b"{}", Host="evil.example")).status == 421
        assert (await nobody.post("machines?name=%00", b"{}")).status == 400
        assert (await nobody.post("machines", b"{}", **{f"X_{n}": "x" * 16_000 for n in range(5)})).status == 431
    assert (await client.document("eventLogs/everything/events"))["count"] == before

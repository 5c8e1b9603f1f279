"""TLS, proxies, the public entry point, draining."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from demo.basic_auth import basic_auth
from drivers.memory import MemoryDriver
from gateway.app import Gateway
from gateway.config import Settings
from gateway.errors import GatewayError, NoSpace
from tests.api.certificates import self_signed
from tests.api.client import ApiClient
from tests.patience import PATIENCE

pytestmark = pytest.mark.slow


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    return self_signed(tmp_path)


@pytest.fixture
async def started(driver: MemoryDriver) -> AsyncIterator[list[Gateway]]:
    running: list[Gateway] = []
    yield running
    for gateway in running:
        await gateway.stop()


async def serve(running: list[Gateway], settings: Settings, driver: MemoryDriver) -> str:
    gateway = Gateway(settings, {driver.name: driver})
    await gateway.start()
    running.append(gateway)
    return settings.server.listen


async def test_with_a_certificate_it_speaks_tls_and_says_https(
    settings: Settings,
    driver: MemoryDriver,
    started: list[Gateway],
    certificate: tuple[Path, Path],
    session: aiohttp.ClientSession,
) -> None:
    crt, key = certificate
    server = replace(settings.server, tls_certificate=str(crt), tls_key=str(key))
    listen = await serve(started, replace(settings, server=server), driver)
    trust = ssl.create_default_context(cafile=str(crt))
    headers = {"Authorization": basic_auth("admin", "secret")}
    async with session.get(f"https://{listen}/cimi/", ssl=trust, headers=headers) as answer:
        assert answer.status == 200
        assert (await answer.json())["baseURI"] == f"https://{listen}/cimi/"


async def test_a_base_url_decides_what_clients_see(
    settings: Settings, driver: MemoryDriver, started: list[Gateway], session: aiohttp.ClientSession
) -> None:
    server = replace(settings.server, base_url="https://cloud.example.org/")
    listen = await serve(started, replace(settings, server=server), driver)
    entry = await ApiClient(session, f"http://{listen}/cimi/").document("")
    assert entry["machines"]["href"] == "https://cloud.example.org/cimi/machines"


async def test_a_trusted_proxy_decides_scheme_and_host(
    settings: Settings, driver: MemoryDriver, started: list[Gateway], session: aiohttp.ClientSession
) -> None:
    server = replace(settings.server, trusted_proxies=["127.0.0.0/8"])
    listen = await serve(started, replace(settings, server=server), driver)
    client = ApiClient(session, f"http://{listen}/cimi/")
    answer = await client.get("", X_Forwarded_Proto="https", X_Forwarded_Host="cloud.example.org")
    assert answer.json["baseURI"] == "https://cloud.example.org/cimi/"


@pytest.mark.parametrize(
    ("headers", "base"),
    [
        ({"X_Forwarded_Proto": "https", "X_Forwarded_Host": "a.example"}, "https://a.example/cimi/"),
        ({"X_Forwarded_Proto": "http, HTTPS", "X_Forwarded_Host": "b, a.example:8443"}, "https://a.example:8443/cimi/"),
        ({"Forwarded": 'for=192.0.2.1;proto=https;host="a.example:8443"'}, "https://a.example:8443/cimi/"),
        ({"Forwarded": "proto=http, proto=https", "X_Forwarded_Host": "b.example"}, "https://b.example/cimi/"),
        ({"Forwarded": "host=evil.example, host=a.example;proto=https"}, "https://a.example/cimi/"),
        ({"Forwarded": "host=evil.example, proto=https", "X_Forwarded_Host": "b.example"}, "https://b.example/cimi/"),
        ({"X_Forwarded_Proto": "https", "Host": "c.example"}, "https://c.example/cimi/"),
    ],
)
async def test_every_uri_follows_what_a_trusted_proxy_says(
    settings: Settings,
    driver: MemoryDriver,
    started: list[Gateway],
    session: aiohttp.ClientSession,
    headers: dict[str, str],
    base: str,
) -> None:
    server = replace(settings.server, trusted_proxies=["10.0.0.0/8", "127.0.0.1"])
    listen = await serve(started, replace(settings, server=server), driver)
    client = ApiClient(session, f"http://{listen}/cimi/")
    entry = (await client.get("", **headers)).json
    assert (entry["id"], entry["baseURI"], entry["machines"]["href"]) == (base, base, f"{base}machines")
    made = await client.post("machineConfigs", {"cpu": 1, "memory": 1}, **headers)
    assert made.location.startswith(base)
    assert made.job.startswith(base)
    assert (await client.get("nothing", **headers)).json["targetResource"]["href"] == f"{base}nothing"


@pytest.mark.parametrize("proxies", [[], ["10.0.0.0/8"]])
async def test_nobody_else_is_believed(
    settings: Settings,
    driver: MemoryDriver,
    started: list[Gateway],
    session: aiohttp.ClientSession,
    proxies: list[str],
) -> None:
    server = replace(settings.server, trusted_proxies=proxies)
    listen = await serve(started, replace(settings, server=server), driver)
    client = ApiClient(session, f"http://{listen}/cimi/")
    said = {"X_Forwarded_Proto": "https", "X_Forwarded_Host": "evil.example", "Forwarded": "host=evil.example"}
    assert (await client.get("", **said)).json["baseURI"] == client.base


@pytest.mark.parametrize("name", ["X_Forwarded_For", "Forwarded"])
async def test_behind_a_proxy_wrong_passwords_slow_down_only_the_client_that_sent_them(
    settings: Settings, driver: MemoryDriver, started: list[Gateway], session: aiohttp.ClientSession, name: str
) -> None:
    server = replace(settings.server, trusted_proxies=["127.0.0.1"])
    listen = await serve(started, replace(settings, server=server), driver)
    guesser = ApiClient(session, f"http://{listen}/cimi/", password="wrong")

    def sent_by(address: str) -> dict[str, str]:
        return {name: f"forged, {address}" if name == "X_Forwarded_For" else f"for=forged, for={address}"}

    answers = [await guesser.get("", **sent_by("192.0.2.1")) for _ in range(12)]
    assert answers[-1].status == 429
    assert (await guesser.get("", **sent_by("192.0.2.2"))).status == 401
    assert (await replace(guesser, password="secret").get("", **sent_by("192.0.2.2"))).status == 200


async def test_the_entry_point_and_its_description_alone_may_be_public(
    settings: Settings, driver: MemoryDriver, started: list[Gateway], session: aiohttp.ClientSession
) -> None:
    listen = await serve(started, replace(settings, auth=replace(settings.auth, public_entry_point=True)), driver)
    stranger = ApiClient(session, f"http://{listen}/cimi/", user="")
    for url in ("", "cloudEntryPoint", stranger.base.rstrip("/")):
        answer = await stranger.get(url)
        assert answer.status == 200
        assert "operations" not in answer.json
        assert (await stranger.get(answer.json["openapi"])).json["openapi"] == "3.1.0"
        assert (await stranger.request("HEAD", url)).status == 200
        assert (await stranger.put(url, {"name": "x"})).status == 401
    for url in ("machines", "machineConfigs", "resourceMetadata", "nothing"):
        assert (await stranger.get(url)).status == 401
    known = ApiClient(session, stranger.base, password="wrong")
    assert (await known.get("")).status == 401


async def test_the_public_entry_point_leads_a_stranger_to_nothing(
    settings: Settings, driver: MemoryDriver, started: list[Gateway], session: aiohttp.ClientSession
) -> None:
    listen = await serve(started, replace(settings, auth=replace(settings.auth, public_entry_point=True)), driver)
    stranger = ApiClient(session, f"http://{listen}/cimi/", user="")
    for query in ("$expand", "$expand=*", "%24expand=machineConfigs"):
        assert await stranger.document(f"?{query}") == await stranger.document("")


async def test_while_it_drains_requests_are_503(gateway: Gateway, admin: ApiClient) -> None:
    gateway.server.draining = True
    answer = await admin.get("machines")
    assert answer.status == 503
    assert "retry-after" in answer.headers


async def test_readiness_follows_the_hypervisor(gateway: Gateway, admin: ApiClient, driver: MemoryDriver) -> None:
    url = admin.base.removesuffix("cimi/") + "health/ready"
    assert (await admin.get(url)).status == 200
    driver.lose()
    assert (await admin.get(url)).status == 503


async def test_everything_is_there_after_a_restart(
    settings: Settings, driver: MemoryDriver, gateway: Gateway, admin: ApiClient, machine: str
) -> None:
    before = await admin.document(machine)
    await gateway.stop()
    await gateway.start()
    assert await admin.document(machine) == before


async def test_a_start_that_fails_keeps_no_thread_of_the_store(
    settings: Settings, driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = set(threading.enumerate())

    async def broken(*_: object) -> None:
        raise NoSpace("the disk is full")

    monkeypatch.setattr("gateway.jobs.runner.JobRunner.recover", broken)
    with pytest.raises(NoSpace):
        await Gateway(settings, {driver.name: driver}).start()
    async with asyncio.timeout(PATIENCE):
        while any("connection_worker" in thread.name for thread in set(threading.enumerate()) - before):
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("section", ["server", "metrics"])
async def test_an_address_that_is_taken_is_named_with_its_section(
    started: list[Gateway], settings: Settings, driver: MemoryDriver, section: str
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        changed = replace(settings, **{section: replace(getattr(settings, section), listen=taken)})
        with pytest.raises(GatewayError) as refused:
            await serve(started, changed, driver)
    assert refused.value.message.startswith(f"[{section}] listen = {taken}: ")

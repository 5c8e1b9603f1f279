"""Networks through the API, with a client's eyes."""

from __future__ import annotations

import asyncio
import ipaddress
import uuid
from typing import Any

from drivers.memory import MemoryDriver
from tests.api.client import ApiClient


def network(**config: Any) -> dict[str, Any]:
    return {"name": "n", "networkTemplate": {"networkConfig": {"networkType": "PRIVATE", **config}}}


async def made(client: ApiClient, document: dict[str, Any] | None = None) -> str:
    answer = await client.post("networks", document or network())
    assert answer.status == 201, answer.text
    return answer.location


def default_network() -> uuid.UUID:
    return uuid.uuid5(uuid.UUID("7b2a1c52-6f0e-5b0a-9d39-2f3f5a1c9e10"), "local/default")


def libvirt_name(url: str) -> str:
    return f"cimi-{url.rpartition('/')[2]}"


async def test_a_new_network_is_started_and_has_ranges_of_the_pools(admin: ApiClient, driver: MemoryDriver) -> None:
    shown = await admin.document(await made(admin))
    assert shown["state"] == "STARTED"
    assert ipaddress.ip_network(shown["cidr"]).subnet_of(ipaddress.ip_network("10.113.0.0/16"))
    assert ipaddress.ip_network(shown["cidr6"]).prefixlen == 64
    assert driver.known_networks[libvirt_name(shown["id"])].active


async def test_50_networks_created_at_once_get_50_ranges_and_bridges(admin: ApiClient, driver: MemoryDriver) -> None:
    urls = await asyncio.gather(*(made(admin) for _ in range(50)))
    documents = [await admin.document(url) for url in urls]
    assert len({shown["cidr"] for shown in documents}) == 50
    assert len({shown["cidr6"] for shown in documents}) == 50
    assert len({driver.known_networks[libvirt_name(url)].bridge for url in urls}) == 50


async def test_a_deleted_network_is_gone_everywhere_and_its_range_is_free(
    admin: ApiClient, driver: MemoryDriver
) -> None:
    url = await made(admin)
    cidr = (await admin.document(url))["cidr"]
    answer = await admin.delete(url)
    assert answer.status == 200, answer.text
    assert (await admin.get(url)).status == 404
    assert libvirt_name(url) not in driver.known_networks
    assert (await admin.document(await made(admin)))["cidr"] == cidr


async def test_stop_and_start_move_the_network(admin: ApiClient, driver: MemoryDriver) -> None:
    url = await made(admin)
    assert (await admin.acted(url, "stop"))["state"] == "SUCCESS"
    assert (await admin.document(url))["state"] == "STOPPED"
    assert not driver.known_networks[libvirt_name(url)].active
    assert (await admin.acted(url, "start"))["state"] == "SUCCESS"
    assert (await admin.document(url))["state"] == "STARTED"


async def test_the_hosts_network_is_seen_and_not_changed(admin: ApiClient) -> None:
    await admin.state(f"networks/{default_network()}", "STARTED")
    shown = (await admin.document("networks"))["networks"][0]
    assert shown["name"] == "default"
    assert shown["networkType"] == "PUBLIC"
    assert shown["cidr"] == "192.168.122.0/24"
    assert "operations" not in shown
    assert (await admin.delete(shown["id"])).status == 403
    assert (await admin.act(shown["id"], "stop")).status == 403

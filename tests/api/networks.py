"""Documents and small helps that the tests of networks share."""

from __future__ import annotations

import uuid
from typing import Any

from drivers.memory import MemoryDriver
from tests.api.client import ApiClient

DEFAULT_NETWORK = f"networks/{uuid.uuid5(uuid.UUID('7b2a1c52-6f0e-5b0a-9d39-2f3f5a1c9e10'), 'local/default')}"
"""Path of the host's network which Machines get that name none."""


def network(**config: Any) -> dict[str, Any]:
    return {"name": "n", "networkTemplate": {"networkConfig": {"networkType": "PRIVATE", **config}}}


def port(network_url: str, **template: Any) -> dict[str, Any]:
    return {"name": "p", "networkPortTemplate": {"network": {"href": network_url}, **template}}


async def made(client: ApiClient, collection: str, document: dict[str, Any]) -> str:
    """URL of the new resource."""
    answer = await client.post(collection, document, Prefer="wait=30")
    assert answer.status == 201, answer.text
    return answer.location


async def removed(client: ApiClient, url: str) -> None:
    answer = await client.delete(url, Prefer="wait=30")
    assert answer.status == 200, answer.text


async def refused(client: ApiClient, collection: str, document: dict[str, Any], status: int, *words: str) -> None:
    answer = await client.post(collection, document, Prefer="wait=30")
    assert answer.status == status, answer.text
    for word in words:
        assert word in answer.message


def id_of(url: str) -> str:
    return url.rpartition("/")[2]


def libvirt_name(url: str) -> str:
    return f"cimi-{id_of(url)}"


async def interfaces(client: ApiClient, machine: str) -> list[dict[str, Any]]:
    listed = await client.document(f"{machine}/networkInterfaces")
    found: list[dict[str, Any]] = listed.get("machineNetworkInterfaces", [])
    return found


def plugged(driver: MemoryDriver, machine: str) -> dict[str, Any]:
    """The domain's interfaces by MAC."""
    return {interface.mac: interface for interface in driver.state.domains[id_of(machine)].interfaces}

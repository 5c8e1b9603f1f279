"""What the tests of addresses, interfaces and forwarding groups have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drivers.base import Reservation
from drivers.memory import MemoryDriver
from tests.api.client import ApiClient
from tests.api.networks import libvirt_name, made
from tests.patience import eventually

MAC = "52:54:00:12:34:56"


def address(network: str | None, /, **template: Any) -> dict[str, Any]:
    return {"name": "a", "addressTemplate": {**({"network": {"href": network}} if network else {}), **template}}


async def reserved(client: ApiClient, network: str, **template: Any) -> dict[str, Any]:
    answer = await client.post("addresses", address(network, **template))
    assert answer.status == 201, answer.text
    return answer.json


async def private_network(client: ApiClient, **config: Any) -> str:
    document = {"name": "n", "networkTemplate": {"networkConfig": {"networkType": "PRIVATE", **config}}}
    return await made(client, "networks", document)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what the gateway does by itself."""
    await eventually(condition, "the gateway did its part")


async def repairs(client: ApiClient, network: str) -> list[tuple[str, str]]:
    """Code and detail of each alarm in the Network's event log."""
    log = (await client.document(network))["eventLog"]["href"]
    found = (await client.document(f"{log}/events?$filter=type='alarm'")).get("events", [])
    return [(event["content"]["code"], event["content"]["detail"]) for event in found]


async def wait_repaired(client: ApiClient, network: str, code: str) -> str:
    """Its detail, once the Network's event log tells of the repair."""

    async def details() -> list[str]:
        return [detail for told, detail in await repairs(client, network) if told == code]

    return (await eventually(details, f"{code} is told"))[0]


def told(driver: MemoryDriver, network: str) -> tuple[Reservation, ...]:
    """What DHCP and DNS of the network know."""
    return driver.state.networks[libvirt_name(network)].reservations

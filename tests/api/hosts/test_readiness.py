"""One host that is away does not take the gateway out: it serves the others, and says what is missing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from drivers.base import ConnectionState
from drivers.memory import MemoryDriver
from gateway.app import Gateway
from tests.api.client import Answer, ApiClient


async def ready(client: ApiClient) -> Answer:
    return await client.get(client.base.removesuffix("cimi/") + "health/ready")


async def test_with_all_hosts_up_nothing_is_said(admin: ApiClient) -> None:
    answer = await ready(admin)
    assert (answer.status, answer.json) == (200, {"status": "ready", "reasons": []})


@pytest.mark.parametrize("away", ["local", "other"])
async def test_while_one_host_answers_it_is_ready_and_tells_which_is_away(
    admin: ApiClient, driver: MemoryDriver, other: MemoryDriver, away: str
) -> None:
    {"local": driver, "other": other}[away].lose()
    answer = await ready(admin)
    assert (answer.status, answer.json) == (200, {"status": "ready", "reasons": [f"the hypervisor {away} is down"]})


async def test_without_any_host_it_is_not_ready(admin: ApiClient, driver: MemoryDriver, other: MemoryDriver) -> None:
    driver.lose()
    other.lose()
    answer = await ready(admin)
    assert (answer.status, answer.json["status"]) == (503, "not ready")
    assert answer.json["reasons"] == ["the hypervisor local is down", "the hypervisor other is down"]


async def test_while_it_is_being_stopped_it_is_not_ready(admin: ApiClient, gateway: Gateway) -> None:
    gateway.server.draining = True
    answer = await ready(admin)
    assert (answer.status, answer.json["reasons"]) == (503, ["the gateway is being stopped"])


async def test_an_entry_that_leads_to_anothers_libvirt_is_told(admin: ApiClient, other: MemoryDriver) -> None:
    other.lose()
    other.state.twin, other.state.reason = "local", "it leads to the same libvirt"
    answer = await ready(admin)
    reason = "the hypervisor other is not served: it leads to the same libvirt as local"
    assert (answer.status, answer.json["reasons"]) == (200, [reason])


async def test_strangers_are_told_no_addresses(admin: ApiClient, other: MemoryDriver) -> None:
    other.lose()
    other.state.reason = "no connection to 10.1.2.3, port 16514: No route to host"
    assert "10.1.2.3" not in (await ready(admin)).text


async def test_changes_on_the_host_that_is_up_go_on(admin: ApiClient, image: str, other: MemoryDriver) -> None:
    other.lose()
    assert (await admin.post("machines", admin.machine(image), Prefer="wait=30")).status == 201


@pytest.mark.parametrize("media", ["json", "xml"])
async def test_a_machine_of_the_host_that_is_away_is_read_and_not_changed(
    client: Callable[..., ApiClient], machine: str, driver: MemoryDriver, media: str
) -> None:
    user = client("admin", media)
    before = (await user.get(machine)).text
    driver.lose()
    assert driver.connection is ConnectionState.DOWN
    assert (await user.get(machine)).text == before
    answer = await user.delete(machine)
    assert answer.status == 503
    assert "local is down" in answer.text
    assert "retry-after" in answer.headers

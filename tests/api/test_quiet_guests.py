"""Guests whose addresses stay as they are: to look at them again costs nothing but the question to the hypervisor."""

from __future__ import annotations

import pytest

from drivers.base import InterfaceAddress
from drivers.memory import MemoryDriver
from gateway.app import Gateway
from gateway.orchestration.interfaces.address_watch import AddressWatch
from tests.api.client import ApiClient
from tests.api.networks import id_of
from tests.patience import eventually


@pytest.fixture
def watch(gateway: Gateway) -> AddressWatch:
    return gateway.reconciliation.machines.addresses


@pytest.fixture
async def quiet(admin: ApiClient, image: str, driver: MemoryDriver, watch: AddressWatch) -> str:
    """A running Machine whose address is known; its path."""
    answer = await admin.post("machines", admin.machine(image, initialState="STARTED"))
    path = f"machines/{id_of(answer.location)}"
    mac = (await admin.get(f"{answer.location}/networkInterfaces/0")).json["macAddress"]
    driver.state.interface_addresses[id_of(path)] = (InterfaceAddress(mac, "192.168.122.44", 24, "lease"),)

    async def listed() -> list[str]:
        return [entry["ip"] for entry in (await admin.document("addresses")).get("addresses", [])]

    async def look() -> bool:
        watch._looked.pop(path, None)
        await watch.look("local")
        return await listed() == ["192.168.122.44"] and path in watch._judged

    await eventually(look, "the address is there, and nothing is left to find out")
    return path


async def looked_at(watch: AddressWatch, path: str) -> None:
    watch._looked.pop(path, None)
    await watch.look("local")
    assert path in watch._looked


async def test_a_look_that_finds_nothing_new_reads_nothing_of_the_store(
    gateway: Gateway, watch: AddressWatch, quiet: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    monkeypatch.setattr(gateway.store, "get", lambda path: read.append(path))
    monkeypatch.setattr(gateway.store, "children", lambda path, _kind: read.append(path))
    await looked_at(watch, quiet)
    assert read == []


async def test_a_new_address_is_still_seen(
    admin: ApiClient, driver: MemoryDriver, watch: AddressWatch, quiet: str
) -> None:
    before = driver.state.interface_addresses[id_of(quiet)][0]
    driver.state.interface_addresses[id_of(quiet)] = (InterfaceAddress(before.mac, "192.168.122.45", 24, "lease"),)
    await looked_at(watch, quiet)
    assert [entry["ip"] for entry in (await admin.document("addresses"))["addresses"]] == ["192.168.122.45"]


async def test_a_machine_that_stops_and_starts_at_once_is_looked_at_as_a_new_one(
    admin: ApiClient, watch: AddressWatch, quiet: str
) -> None:
    await admin.acted(quiet, "stop")
    await admin.acted(quiet, "start")
    assert watch._since[quiet] > 0

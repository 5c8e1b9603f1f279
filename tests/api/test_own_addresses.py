"""Addresses of interfaces on the host's own networks go back when the interface goes, however it goes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from drivers.base import DriverFailed, HeldGuests
from drivers.memory import MemoryDriver
from gateway.app import Gateway
from gateway.orchestration.networks.reconcile import NetworkReconciler
from gateway.orchestration.reconciliation import REACTIONS
from tests.api.client import ApiClient
from tests.api.networks import id_of, made, network, removed

pytestmark = pytest.mark.slow


async def mac_of(admin: ApiClient, machine: str) -> str:
    return str((await admin.document(f"{machine}/networkInterfaces/0"))["macAddress"])


async def test_a_deleted_machine_gives_its_addresses_back(admin: ApiClient, machine: str, driver: MemoryDriver) -> None:
    mac = await mac_of(admin, machine)
    await removed(admin, machine)
    assert driver.state.given_back == {mac}


async def test_so_does_one_whose_domain_somebody_else_removed(
    admin: ApiClient, machine: str, driver: MemoryDriver
) -> None:
    mac = await mac_of(admin, machine)
    del driver.state.domains[id_of(machine)]
    await removed(admin, machine)
    assert driver.state.given_back == {mac}


@pytest.mark.parametrize("step", ["domains.define", "domains.start"])
async def test_so_does_one_that_could_not_be_made(
    step: str, admin: ApiClient, image: str, driver: MemoryDriver
) -> None:
    driver.fail_next(step, DriverFailed("no"))
    template = {"networkInterfaces": [{"macAddress": "52:54:00:01:02:03"}], "initialState": "STARTED"}
    answer = await admin.post("machines", admin.machine(image, **template))
    assert (await admin.ended(answer.job))["state"] == "FAILED"
    assert driver.state.given_back == {"52:54:00:01:02:03"}


async def test_so_does_an_interface_that_is_unplugged(admin: ApiClient, machine: str, driver: MemoryDriver) -> None:
    url = await made(admin, f"{machine}/networkInterfaces", {})
    mac = (await admin.document(url))["macAddress"]
    await removed(admin, url)
    assert driver.state.given_back == {mac}


async def test_so_does_an_interface_that_could_not_be_plugged_in(
    admin: ApiClient, machine: str, driver: MemoryDriver
) -> None:
    driver.fail_next("devices.attach_interface", DriverFailed("no"))
    answer = await admin.post(f"{machine}/networkInterfaces", {"macAddress": "52:54:00:01:02:03"})
    assert (await admin.ended(answer.job))["state"] == "FAILED"
    assert driver.state.given_back == {"52:54:00:01:02:03"}


async def test_on_a_network_of_the_gateways_there_is_nothing_to_give_back(
    admin: ApiClient, image: str, driver: MemoryDriver
) -> None:
    net = await made(admin, "networks", network())
    machine = await made(admin, "machines", admin.machine(image, networkInterfaces=[{"network": {"href": net}}]))
    await removed(admin, machine)
    assert driver.state.given_back == set()


def noted_holds(driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    held = asyncio.Event()

    async def hold_guests(_only: frozenset[str] | None = None) -> HeldGuests:
        held.set()
        return HeldGuests(("52:54:00:01:02:03",))

    monkeypatch.setattr(driver.addresses, "hold_guests", hold_guests)
    return held


async def test_guests_of_older_gateways_are_held_when_the_hypervisor_is_connected(
    admin: ApiClient, driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = noted_holds(driver, monkeypatch)
    driver.lose()
    driver.regain()
    await asyncio.wait_for(held.wait(), 60)


async def networks_of(gateway: Gateway) -> NetworkReconciler:
    """Return what compares Networks, beside the gateway's own, which has nothing more to hold."""
    await gateway.supervision.end_reactions(REACTIONS)
    return NetworkReconciler(gateway.reconciliation.room)


async def test_a_guest_that_could_not_be_held_is_told_once_and_held_at_a_later_comparison(
    gateway: Gateway, driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = HeldGuests(("52:54:00:01:02:03",), {"one": "no address is free"})
    answers = [failing, failing, HeldGuests(("52:54:00:01:02:04",))]
    calls: list[frozenset[str] | None] = []

    async def hold_guests(only: frozenset[str] | None = None) -> HeldGuests:
        calls.append(only)
        return answers[len(calls) - 1]

    sync = await networks_of(gateway)
    monkeypatch.setattr(driver.addresses, "hold_guests", hold_guests)
    with capture_logs() as lines:
        for reconnect in (True, False, False, False):
            await sync.compare(driver, reconnect=reconnect)
    assert calls == [None, {"one"}, {"one"}]
    told = [line["event"] for line in lines if line.get("resource") == "machines/one"]
    assert told == ["not compared", "compared again"]


async def test_guests_are_held_at_a_later_comparison_when_none_could_be(
    gateway: Gateway, driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync = await networks_of(gateway)
    driver.fail_next("addresses.hold_guests", DriverFailed("no filters"))
    with pytest.raises(DriverFailed):
        await sync.compare(driver, reconnect=True)
    held = noted_holds(driver, monkeypatch)
    await sync.compare(driver, reconnect=False)
    assert held.is_set()


class TestWithoutAntiSpoofing:
    @pytest.fixture
    def hypervisor(self) -> dict[str, Any]:
        return {"anti_spoofing": False}

    async def test_no_guest_is_held(
        self, admin: ApiClient, driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        held, compared = noted_holds(driver, monkeypatch), asyncio.Event()
        reconnect = driver.networks.reconnect_interfaces

        async def reconnected(names: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
            asyncio.get_running_loop().call_later(0.2, compared.set)
            return await reconnect(names)

        monkeypatch.setattr(driver.networks, "reconnect_interfaces", reconnected)
        driver.lose()
        driver.regain()
        await asyncio.wait_for(compared.wait(), 60)
        assert not held.is_set()

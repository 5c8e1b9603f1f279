"""Networks and pools of the host that the configuration names, and that are inactive when the gateway starts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import aiohttp
import pytest

from drivers.base import DriverFailed
from drivers.memory import MemoryDriver
from gateway.app import Gateway
from gateway.config import Settings
from tests.api.client import ApiClient
from tests.api.networks import DEFAULT_NETWORK, made


@pytest.fixture
def inactive(driver: MemoryDriver) -> MemoryDriver:
    driver.state.networks["default"] = replace(driver.state.networks["default"], active=False)
    driver.state.inactive_pools.add("default")
    driver.state.autostarting.clear()
    return driver


@pytest.fixture
async def gateway(inactive: MemoryDriver, settings: Settings) -> AsyncIterator[Gateway]:
    running = Gateway(settings, {inactive.name: inactive})
    await running.start()
    yield running
    await running.stop()


@pytest.fixture
def admin(gateway: Gateway, session: aiohttp.ClientSession) -> ApiClient:
    return ApiClient(session, f"http://{gateway.settings.server.listen}/cimi/", "admin")


async def test_they_are_started_before_the_first_request(admin: ApiClient, inactive: MemoryDriver) -> None:
    assert (await admin.document(DEFAULT_NETWORK))["state"] == "STARTED"
    assert inactive.state.networks["default"].active
    assert inactive.state.inactive_pools == set()
    await made(admin, "volumes", {"volumeTemplate": {"volumeConfig": {"capacity": 1000}}})


async def test_whether_they_start_with_the_host_stays_as_its_admin_has_it(
    admin: ApiClient, inactive: MemoryDriver
) -> None:
    assert inactive.state.autostarting == set()


async def test_what_an_admin_stops_later_stays_stopped(admin: ApiClient, inactive: MemoryDriver) -> None:
    inactive.network_externally("default", active=False)
    inactive.state.inactive_pools.add("default")
    await admin.state(DEFAULT_NETWORK, "STOPPED")
    inactive.lose()
    inactive.regain()
    await admin.state(DEFAULT_NETWORK, "STOPPED")
    assert not inactive.state.networks["default"].active
    assert inactive.state.inactive_pools == {"default"}


async def test_two_looks_at_a_host_that_has_booted_start_each_of_them_once(
    admin: ApiClient, gateway: Gateway, inactive: MemoryDriver
) -> None:
    inactive.state.boots += 1
    inactive.state.networks["default"] = replace(inactive.state.networks["default"], active=False)
    inactive.fail_next("networks.start", DriverFailed("the bridge is taken"))
    await asyncio.gather(*(gateway.reconciliation.first_look() for _ in range(5)))
    assert not inactive.state.networks["default"].active


class TestOneThatCannotBeStarted:
    @pytest.fixture
    def inactive(self, inactive: MemoryDriver) -> MemoryDriver:
        inactive.fail_next("networks.start", DriverFailed("the bridge is taken"))
        return inactive

    async def test_stops_neither_the_others_nor_the_gateway_and_shows_as_it_is(
        self, admin: ApiClient, inactive: MemoryDriver
    ) -> None:
        assert (await admin.document(DEFAULT_NETWORK))["state"] == "STOPPED"
        assert inactive.state.inactive_pools == set()

"""Networks that should run and cannot: each by itself, in ERROR, told, and STARTED again once it can be."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from drivers.base import DriverFailed, DriverUnavailable, NetworkSpec
from drivers.memory import MemoryDriver
from gateway.app import Gateway
from tests.api.client import ApiClient
from tests.api.networks import libvirt_name, made, network

pytestmark = pytest.mark.slow

REASON = "Check the host setup: interface eth0 has kernel autoconfigured IPv6 routes"


@pytest.fixture
def compare(gateway: Gateway, driver: MemoryDriver) -> Callable[[], Awaitable[None]]:
    return lambda: gateway.reconciliation.compare(driver, reconnect=True)


METHODS = (
    "networks.start",
    "networks.define",
    "filters.define",
    "networks.reserve_host",
    "networks.reconnect_interfaces",
)


class Broken:
    """A host whose libvirt refuses one kind of call for some networks."""

    def __init__(self, driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch) -> None:
        self.names: set[str] = set()
        self.method = "networks.start"
        self._driver = driver
        for method in METHODS:
            part, _, name = method.partition(".")
            owner = getattr(driver, part)
            monkeypatch.setattr(owner, name, self._breaking(method, getattr(owner, name)))

    def _breaking(self, method: str, real: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def call(first: Any, *rest: Any) -> Any:
            if method == self.method and self.names & names_in(first):
                raise DriverFailed(REASON)
            return await real(first, *rest)

        return call


def names_in(argument: Any) -> set[str]:
    """libvirt's names of the networks that a call is about, by its first argument."""
    if isinstance(argument, str):
        return {argument}
    if isinstance(argument, tuple):
        return set(argument)
    return {argument.name if isinstance(argument, NetworkSpec) else f"cimi-{argument.network}"}


@pytest.fixture
def broken(driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch) -> Broken:
    return Broken(driver, monkeypatch)


@pytest.fixture
async def networks(admin: ApiClient) -> list[str]:
    return [await made(admin, "networks", network()) for _ in range(3)]


def stopped(driver: MemoryDriver, *urls: str) -> None:
    """What a reboot leaves: they are inactive, and nobody was told."""
    for url in urls:
        name = libvirt_name(url)
        driver.state.networks[name] = replace(driver.state.networks[name], active=False)


async def states(client: ApiClient, urls: list[str]) -> list[str]:
    return [(await client.document(url))["state"] for url in urls]


async def alarms(client: ApiClient, url: str) -> list[tuple[str, str]]:
    log = (await client.document(url))["eventLog"]["href"]
    listed = (await client.document(f"{log}/events?$filter=type='alarm'"))["events"]
    return [(event["content"]["code"], event["content"]["detail"]) for event in listed]


@pytest.mark.parametrize("media", ["json", "xml"])
async def test_a_network_that_cannot_be_started_again_is_in_error_and_the_others_run(
    admin: ApiClient, client: Callable[..., ApiClient], networks: list[str], driver: MemoryDriver, broken: Broken,
    compare: Callable[[], Awaitable[None]], media: str,
) -> None:  # fmt: skip
    broken.names = {libvirt_name(networks[0])}
    stopped(driver, *networks)
    await compare()
    shown = await client("admin", media).get(networks[0])
    assert "ERROR" in shown.text
    assert "STARTED" not in shown.text
    assert await states(admin, networks) == ["ERROR", "STARTED", "STARTED"]


async def test_it_is_told_once_in_its_event_log_with_the_reason(
    admin: ApiClient, networks: list[str], driver: MemoryDriver, broken: Broken,
    compare: Callable[[], Awaitable[None]],
) -> None:  # fmt: skip
    broken.names = {libvirt_name(networks[0])}
    stopped(driver, networks[0])
    for _ in range(3):
        await compare()
    ((code, detail),) = await alarms(admin, networks[0])
    assert code == "not running"
    assert REASON in detail


async def test_it_is_started_again_as_soon_as_it_can_be_and_that_is_told(
    admin: ApiClient, networks: list[str], driver: MemoryDriver, broken: Broken,
    compare: Callable[[], Awaitable[None]],
) -> None:  # fmt: skip
    broken.names = {libvirt_name(networks[0])}
    stopped(driver, networks[0])
    await compare()
    broken.names = set()
    await compare()
    assert await states(admin, networks) == ["STARTED"] * 3
    assert "started again" in {code for code, _ in await alarms(admin, networks[0])}
    stopped(driver, networks[0])
    driver.network_externally(libvirt_name(networks[0]), active=False)
    await admin.state(networks[0], "STOPPED")
    await compare()
    assert (await states(admin, networks))[0] == "STOPPED"


async def test_one_that_an_admin_starts_meanwhile_is_started(
    admin: ApiClient, networks: list[str], driver: MemoryDriver, broken: Broken,
    compare: Callable[[], Awaitable[None]],
) -> None:  # fmt: skip
    broken.names = {libvirt_name(networks[0])}
    stopped(driver, networks[0])
    await compare()
    driver.network_externally(libvirt_name(networks[0]), active=True)
    await admin.state(networks[0], "STARTED")


@pytest.mark.parametrize("wanted", ["STARTED", "STOPPED"])
async def test_one_whose_definition_is_lost_and_not_taken_is_in_error_and_then_as_it_was(
    admin: ApiClient, networks: list[str], driver: MemoryDriver, broken: Broken,
    compare: Callable[[], Awaitable[None]], wanted: str,
) -> None:  # fmt: skip
    if wanted == "STOPPED":
        assert (await admin.acted(networks[0], "stop"))["state"] == "SUCCESS"
    broken.method, broken.names = "networks.define", {libvirt_name(networks[0])}
    del driver.state.networks[libvirt_name(networks[0])]
    stopped(driver, *networks[1:])
    await compare()
    assert await states(admin, networks) == ["ERROR", "STARTED", "STARTED"]
    broken.names = set()
    await compare()
    assert await states(admin, networks) == [wanted, "STARTED", "STARTED"]


async def test_one_in_error_since_its_definition_was_lost_in_a_job_is_said_to_have_to_be_stopped(
    admin: ApiClient, networks: list[str], driver: MemoryDriver, broken: Broken,
    compare: Callable[[], Awaitable[None]],
) -> None:  # fmt: skip
    broken.method, broken.names = "networks.define", {libvirt_name(networks[0])}
    del driver.state.networks[libvirt_name(networks[0])]
    assert (await admin.acted(networks[0], "stop"))["state"] == "FAILED"
    assert (await states(admin, networks))[0] == "ERROR"
    for _ in range(2):
        await compare()
    told = [detail for code, detail in await alarms(admin, networks[0]) if code == "not running"]
    assert told == [f"it should be STOPPED and cannot be: {REASON}"]
    broken.names = set()
    await compare()
    assert (await states(admin, networks))[0] == "STOPPED"


async def test_a_start_that_a_user_asks_for_and_that_fails_leaves_it_in_error_to_be_tried_again(
    admin: ApiClient, networks: list[str], driver: MemoryDriver, broken: Broken,
    compare: Callable[[], Awaitable[None]],
) -> None:  # fmt: skip
    broken.names = {libvirt_name(networks[0])}
    stopped(driver, networks[0])
    await compare()
    assert (await admin.acted(networks[0], "start"))["state"] == "FAILED"
    assert (await states(admin, networks))[0] == "ERROR"
    broken.names = set()
    assert (await admin.acted(networks[0], "start"))["state"] == "SUCCESS"
    assert (await states(admin, networks))[0] == "STARTED"
    assert (await admin.acted(networks[0], "stop"))["state"] == "SUCCESS"
    await compare()
    assert (await states(admin, networks))[0] == "STOPPED"


async def test_a_network_in_error_can_be_deleted(
    admin: ApiClient, networks: list[str], driver: MemoryDriver, broken: Broken,
    compare: Callable[[], Awaitable[None]],
) -> None:  # fmt: skip
    broken.names = {libvirt_name(networks[0])}
    stopped(driver, networks[0])
    await compare()
    assert (await admin.delete(networks[0], Prefer="wait=30")).status == 200
    await compare()
    assert (await admin.get(networks[0])).status == 404


@pytest.mark.parametrize("method", ["filters.define", "networks.reserve_host", "networks.reconnect_interfaces"])
async def test_what_else_cannot_be_put_right_in_one_network_stops_no_other(
    admin: ApiClient, networks: list[str], driver: MemoryDriver, broken: Broken,
    compare: Callable[[], Awaitable[None]], method: str,
) -> None:  # fmt: skip
    for url in networks:
        template = {"network": {"href": url}, "hostname": "www"}
        await made(admin, "addresses", {"addressTemplate": template})
    broken.method, broken.names = method, {libvirt_name(networks[0])}
    stopped(driver, *networks)
    for url in networks:
        name = libvirt_name(url)
        driver.state.filters.clear()
        driver.state.networks[name] = _bare(driver, name)
    await compare()
    for url in networks[1:]:
        facts = driver.state.networks[libvirt_name(url)]
        assert facts.active
        assert [entry.hostname for entry in facts.reservations] == ["www"]
    assert len(driver.state.filters) >= 2
    assert await states(admin, networks) == ["STARTED"] * 3


def _bare(driver: MemoryDriver, name: str) -> Any:
    return replace(driver.state.networks[name], reservations=())


async def test_a_hypervisor_that_is_lost_meanwhile_puts_no_network_in_error(
    admin: ApiClient, networks: list[str], driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch,
    compare: Callable[[], Awaitable[None]],
) -> None:  # fmt: skip
    async def lost(_name: str) -> None:
        driver.lose()
        raise DriverUnavailable("the connection is lost")

    stopped(driver, *networks)
    with monkeypatch.context() as patched:
        patched.setattr(driver.networks, "start", lost)
        with pytest.raises(DriverUnavailable):
            await compare()
    assert await states(admin, networks) == ["STARTED"] * 3
    driver.regain()
    await compare()
    assert all(driver.state.networks[libvirt_name(url)].active for url in networks)

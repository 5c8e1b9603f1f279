"""Machines that start with their host: after each of its boots, in their order, and none held up by another."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from drivers.base import DriverFailed, Power
from drivers.memory import MemoryDriver
from gateway.app import Gateway
from gateway.config import Settings
from tests.api.client import ApiClient
from tests.api.networks import DEFAULT_NETWORK
from tests.patience import eventually
from tests.urls import uuid_of

pytestmark = pytest.mark.slow


async def made(admin: ApiClient, image: str, name: str, **template: Any) -> str:
    document = {**admin.machine(image, initialState="STOPPED", **template), "name": name}
    return (await admin.post("machines", document)).location


async def starts(admin: ApiClient) -> list[str]:
    """The Machines that were started, in the order of their Jobs."""
    listed = await admin.document("jobs?$filter=action='start'&$orderby=created:asc")
    return [job["targetResource"]["href"] for job in listed.get("jobs", [])]


@pytest.fixture(params=["json", "xml"])
def media(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_it_is_an_attribute_of_machines_in_both_formats(
    client: Any, admin: ApiClient, image: str, media: str
) -> None:
    machine = await made(admin, image, "web", autostart=True, autostartOrder=3)
    answer = await client("admin", media).get(machine)
    if media == "json":
        assert (answer.json["autostart"], answer.json["autostartOrder"]) == (True, 3)
    else:
        told = {element.tag.rpartition("}")[2]: element.text for element in answer.xml}
        assert (told["autostart"], told["autostartOrder"]) == ("true", "3")


async def test_it_is_announced(admin: ApiClient) -> None:
    entry = await admin.document("resourceMetadata/Machine")
    announced = {entry["name"] for entry in entry["attributes"]}
    assert {"autostart", "autostartOrder"} <= announced


async def test_machines_are_found_by_it(admin: ApiClient, image: str) -> None:
    wanted = await made(admin, image, "web", autostart=True, autostartOrder=3)
    await made(admin, image, "other")
    for words in ("autostart=true", "autostartOrder>2"):
        found = await admin.document(f"machines?$filter={words}")
        assert [machine["id"] for machine in found["machines"]] == [wanted]


async def test_it_comes_with_a_template(admin: ApiClient, image: str) -> None:
    template = admin.machine(image, autostart=True, autostartOrder=1)["machineTemplate"]
    stored = (await admin.post("machineTemplates", template)).location
    made = await admin.post("machines", {"machineTemplate": {"href": stored}})
    assert (await admin.document(made.location))["autostartOrder"] == 1


async def test_a_full_update_by_a_client_that_does_not_know_it_leaves_it(admin: ApiClient, image: str) -> None:
    machine = await made(admin, image, "web", autostart=True)
    await admin.put(machine, {"name": "other"})
    assert (await admin.document(machine))["autostart"] is True
    await admin.put(machine, {"name": "other", "autostart": False})
    assert (await admin.document(machine))["autostart"] is False


async def test_after_a_boot_they_start_in_their_order(admin: ApiClient, image: str, driver: MemoryDriver) -> None:
    last = await made(admin, image, "last", autostart=True)
    second = await made(admin, image, "second", autostart=True, autostartOrder=2)
    first = await made(admin, image, "first", autostart=True, autostartOrder=1)
    still = await made(admin, image, "still", autostart=False)
    driver.reboot()
    for machine in (first, second, last):
        await admin.state(machine, "STARTED")
    assert await starts(admin) == [first, second, last]
    assert (await admin.document(still))["state"] == "STOPPED"


async def test_its_job_belongs_to_the_owner_and_says_why(
    admin: ApiClient, gateway: Gateway, image: str, driver: MemoryDriver
) -> None:
    machine = await made(admin, image, "web", autostart=True)
    driver.reboot()
    await admin.state(machine, "STARTED")
    (job,) = (await admin.document("jobs?$filter=action='start'"))["jobs"]
    first = (await gateway.runner.lines(job["id"].removeprefix(admin.base)))[0].message
    path = machine.removeprefix(admin.base)
    assert first == f'start {path} "web" by the gateway for admin: its host has booted'


async def test_one_that_runs_when_the_host_reboots_starts_again(
    admin: ApiClient, image: str, driver: MemoryDriver
) -> None:
    machine = await made(admin, image, "web", autostart=True)
    await admin.acted(machine, "start")
    driver.reboot()
    domains = driver.state.domains
    await eventually(lambda: domains[uuid_of(machine)].power is Power.RUNNING, "its guest runs")
    await admin.state(machine, "STARTED")


async def test_one_that_went_down_hard_with_its_host_starts_again(
    admin: ApiClient, image: str, driver: MemoryDriver
) -> None:
    machine = await made(admin, image, "web", autostart=True)
    await admin.acted(machine, "start")
    driver.lose()
    driver.state.boot_anew()
    domains, uuid = driver.state.domains, uuid_of(machine)
    domains[uuid] = replace(domains[uuid], power=Power.CRASHED)
    driver.regain()
    await eventually(lambda: domains[uuid].power is Power.RUNNING, "its guest runs")
    await admin.state(machine, "STARTED")


async def test_without_a_boot_what_was_stopped_stays_stopped(
    admin: ApiClient, image: str, driver: MemoryDriver, gateway: Gateway
) -> None:
    machine = await made(admin, image, "web", autostart=True)
    driver.lose()
    driver.regain()
    await gateway.reconciliation.compare(driver, reconnect=True)
    assert (await admin.document(machine))["state"] == "STOPPED"
    assert await starts(admin) == []


async def test_a_restart_of_the_gateway_is_no_boot_of_the_host(
    admin: ApiClient, image: str, driver: MemoryDriver, gateway: Gateway, settings: Settings
) -> None:
    machine = await made(admin, image, "web", autostart=True)
    await gateway.stop()
    again = Gateway(settings, {driver.name: driver})
    await again.start()
    try:
        await again.reconciliation.compare(driver)
        assert (await admin.document(machine))["state"] == "STOPPED"
    finally:
        await again.stop()
        await gateway.start()


async def test_one_whose_start_fails_holds_up_no_other(admin: ApiClient, image: str, driver: MemoryDriver) -> None:
    bad = await made(admin, image, "bad", autostart=True, autostartOrder=1)
    good = await made(admin, image, "good", autostart=True, autostartOrder=2)
    driver.fail_next("domains.start", DriverFailed("its disk is gone"))
    driver.reboot()
    await admin.state(good, "STARTED")
    assert (await admin.document(bad))["state"] != "STARTED"
    (failed,) = (await admin.document("jobs?$filter=state='FAILED'"))["jobs"]
    assert failed["targetResource"]["href"] == bad


async def test_one_that_may_not_start_yet_is_told_and_starts_when_it_may(
    admin: ApiClient, image: str, driver: MemoryDriver, gateway: Gateway
) -> None:
    machine = await made(admin, image, "web", autostart=True)
    good = driver.state.networks["default"]
    driver.state.autostarting.discard("network default")
    driver.fail_next("networks.start", DriverFailed("the bridge is taken"))
    driver.reboot()
    await eventually(lambda: told(admin, machine), "it is told that the Machine does not start yet")
    assert (await admin.document(DEFAULT_NETWORK))["state"] == "STOPPED"
    driver.state.networks["default"] = replace(good, active=True)
    await gateway.reconciliation.compare(driver)
    await admin.state(machine, "STARTED")


async def test_one_that_waits_for_its_turn_still_does_after_a_restart_of_the_gateway(
    admin: ApiClient, image: str, driver: MemoryDriver, gateway: Gateway, settings: Settings
) -> None:
    machine = await made(admin, image, "web", autostart=True)
    good = driver.state.networks["default"]
    driver.state.autostarting.discard("network default")
    driver.fail_next("networks.start", DriverFailed("the bridge is taken"))
    driver.reboot()
    await eventually(lambda: told(admin, machine), "it is told that the Machine does not start yet")
    await gateway.stop()
    driver.state.networks["default"] = replace(good, active=True)
    again = Gateway(settings, {driver.name: driver})
    await again.start()
    try:
        await admin.state(machine, "STARTED")
    finally:
        await again.stop()
        await gateway.start()


async def told(admin: ApiClient, machine: str) -> bool:
    log = (await admin.document(machine))["eventLog"]["href"]
    alarms = (await admin.document(f"{log}/events?$filter=type='alarm'")).get("events", [])
    return any(alarm["content"]["code"] == "autostart" for alarm in alarms)

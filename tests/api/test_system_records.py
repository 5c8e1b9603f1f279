"""Who sees and may change Systems, what their event logs tell, what their meters measure, how far their Jobs are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from drivers.base import DriverUnavailable, Power
from drivers.memory import MemoryDriver, Usage
from gateway.app import Gateway
from tests.api.client import ApiClient
from tests.api.event_logs import events, log_of, of_type, states
from tests.api.systems import described, machine, made, members, network, on, system, volume
from tests.patience import eventually

pytestmark = pytest.mark.slow

Client = Callable[..., ApiClient]


def about(found: list[dict[str, Any]]) -> set[str]:
    """The kinds of what the events are about."""
    return {event["content"].get("resType", "").rpartition("/")[2] for event in found}


# Events


async def test_a_systems_log_tells_of_it_and_of_all_its_components(admin: ApiClient, image: str) -> None:
    url = await made(
        admin,
        machine(image, networkInterfaces=on("front")),
        network(),
        volume(),
        described("Credential", {"key": "ssh-ed25519 AAAA me@here"}, "ops"),
    )
    found = await events(admin, await log_of(admin, url))
    assert states(found, "System") == [("CREATING", "STARTED")]
    assert ("CREATING", "STARTED") in states(found)
    assert about(found) >= {"System", "Machine", "Network", "Volume", "Credential", "SystemMachine"}
    one = (await members(admin, url, "machines"))["web"]["id"]
    await admin.acted(one, "stop", force=True)
    found = await events(admin, await log_of(admin, url))
    assert ("STOPPING", "STOPPED") in states(found)
    assert states(found, "System")[-1] == ("STOPPING", "STOPPED")
    asked = [event["content"]["operation"] for event in of_type(found, "access")]
    assert asked.count("http://schemas.dmtf.org/cimi/1/action/stop") + asked.count("stop") == 1


async def test_what_happens_in_a_system_inside_is_told_outside_too(admin: ApiClient, image: str) -> None:
    inner = {"componentDescriptors": [machine(image, "deep")]}
    url = await made(admin, described("System", inner, "inner"))
    found = await events(admin, await log_of(admin, url))
    assert ("CREATING", "STARTED") in states(found)
    assert about(found) >= {"System", "Machine", "SystemSystem"}


async def test_a_change_by_an_admin_and_a_deletion_are_told(admin: ApiClient, image: str, driver: MemoryDriver) -> None:
    url = await made(admin, machine(image))
    one = (await members(admin, url, "machines"))["web"]["id"]
    driver.externally(one.rpartition("/")[2], Power.PAUSED)
    await admin.state(url, "PAUSED")
    found = await events(admin, await log_of(admin, url))
    told = next(event for event in found if event["content"].get("state") == "PAUSED")
    assert told["description"] == "changed outside the gateway"
    assert (await admin.delete(one, Prefer="wait=30")).status == 200
    changes = [
        (event["content"]["resType"].rpartition("/")[2], event["content"]["change"])
        for event in of_type(await events(admin, await log_of(admin, url)), "model")
    ]
    assert ("Machine", "delete") in changes
    assert ("SystemMachine", "delete") in changes


async def test_the_log_is_kept_as_the_template_says_and_goes_with_the_system(admin: ApiClient) -> None:
    url = await made(admin, volume(), eventLogTemplate={"persistence": "daily"})
    log = await log_of(admin, url)
    assert (await admin.document(log))["persistence"] == "daily"
    assert (await admin.delete(url, Prefer="wait=30")).status == 200
    assert (await admin.get(log)).status == 404


# Meters


async def test_a_systems_meters_add_up_what_its_machines_use(
    admin: ApiClient, image: str, gateway: Gateway, driver: MemoryDriver
) -> None:
    config = {"meterConfig": {"aspect": "memory", "sampleInterval": 10}}
    inner = {"componentDescriptors": [machine(image, "deep")]}
    url = await made(admin, machine(image, quantity=2), described("System", inner, "inner"), meterTemplates=[config])
    [meter] = (await admin.document(f"{url}/meters"))["meters"]
    assert meter["targetResource"]["href"] == url
    for uuid in driver.state.domains:
        driver.state.usage[uuid] = Usage(memory_used_kib=1000)
    for _ in range(3):
        driver.state.seconds_ahead += 10
        await gateway.sampler.look(driver)
    page = await admin.document(f"{meter['id']}/samples")
    assert float(page["samples"][-1]["value"]) == 3000
    gone = (await members(admin, url, "machines"))["web2"]["id"]
    assert (await admin.delete(gone, Prefer="wait=30")).status == 200
    driver.state.seconds_ahead += 10
    await gateway.sampler.look(driver)
    page = await admin.document(f"{meter['id']}/samples")
    assert float(page["samples"][-1]["value"]) == 2000


async def test_a_meter_is_made_at_a_system(admin: ApiClient) -> None:
    url = await made(admin, volume())
    answer = await admin.post(f"{url}/meters", {"meterTemplate": {"meterConfig": {"aspect": "cpu"}}})
    assert answer.status == 201, answer.text
    refused = await admin.post(f"{url}/meters", {"meterTemplate": {"meterConfig": {"aspect": "bandwidth"}}})
    assert (refused.status, "cannot be measured of a System" in refused.message) == (400, True)


# Access


async def test_a_system_and_all_in_it_belong_to_who_asked(client: Client, image: str) -> None:
    operator, other, viewer = client("operator"), client("other"), client("viewer")
    url = await made(operator, machine(image), volume())
    entry = (await operator.document(f"{url}/machines"))["systemMachines"][0]
    for hidden in (url, f"{url}/machines", entry["id"], entry["machine"]["href"]):
        assert (await other.get(hidden)).status == 404
    assert (await other.act(url, "stop")).status == 404
    assert (await viewer.post("systems", system(volume()))).status == 403
    assert (await operator.acted(url, "stop", force=True))["state"] == "SUCCESS"


async def test_anothers_machine_is_not_taken_into_a_system(client: Client, admin: ApiClient, image: str) -> None:
    mine = await made(client("operator"), volume())
    theirs = (await client("other").post("machines", admin.machine(image), Prefer="wait=30")).location
    answer = await client("operator").post(f"{mine}/machines", {"machine": {"href": theirs}})
    assert (answer.status, answer.message.partition(":")[0]) == (400, "machine")


async def test_a_machine_that_is_not_ones_own_fails_by_itself(client: Client, admin: ApiClient, image: str) -> None:
    """An admin may take it in; the System's owner still does not move it."""
    url = await made(client("operator"), machine(image))
    theirs = (await client("other").post("machines", admin.machine(image), Prefer="wait=30")).location
    assert (await admin.post(f"{url}/machines", {"name": "theirs", "machine": {"href": theirs}})).status == 201
    job = await client("operator").acted(url, "stop", force=True)
    assert (job["state"], "1 of 2 components failed: Machine 'theirs'" in job["statusMessage"]) == ("FAILED", True)
    nested = [await client("operator").document(entry["href"]) for entry in job["nestedJobs"]]
    assert sorted(entry["state"] for entry in nested) == ["FAILED", "SUCCESS"]


async def test_what_one_may_not_make_is_not_made_in_a_system_either(client: Client) -> None:
    missing = described("Machine", {"href": "machineTemplates/none"}, "web")
    answer = await client("operator").post("systems", system(missing))
    assert (answer.status, "componentDescriptors.0.machineTemplate" in answer.message) == (400, True)


# Once


async def test_a_create_that_is_sent_again_gives_the_same_system(admin: ApiClient, image: str) -> None:
    answers = [
        await admin.post("systems", system(machine(image)), Idempotency_Key="k", Prefer="wait=60") for _ in range(2)
    ]
    assert answers[0].location == answers[1].location
    assert (await admin.document("machines"))["count"] == 1


async def test_a_hypervisor_that_is_away_is_told_before_there_is_a_job(admin: ApiClient, driver: MemoryDriver) -> None:
    driver.lose()
    answer = await admin.post("systems", system(network()))
    assert (answer.status, "componentDescriptors.0 ('front')" in answer.message) == (503, True)


# Progress


async def test_the_progress_moves_with_the_nested_jobs(admin: ApiClient, image: str, driver: MemoryDriver) -> None:
    """Of two networks and a machine two are made: two thirds are done, and what the third has done."""
    driver.state.faults["domains.start"] = DriverUnavailable("away")
    answer = await admin.post("systems", system(network("a"), network("b"), machine(image)), Prefer="respond-async")

    async def two_thirds() -> int:
        driver.state.faults["domains.start"] = DriverUnavailable("away")
        progress = int((await admin.document(answer.job))["progress"])
        return progress if progress >= 66 else 0

    assert await eventually(two_thirds, "two thirds are done") < 100
    driver.state.faults.clear()
    assert (await admin.ended(answer.job))["progress"] == 100


async def test_what_happens_to_anothers_machine_is_not_read_in_ones_systems_log(
    client: Client, admin: ApiClient, image: str
) -> None:
    url = await made(client("operator"), volume())
    theirs = (await client("other").post("machines", admin.machine(image), Prefer="wait=30")).location
    await admin.post(f"{url}/machines", {"machine": {"href": theirs}})
    await client("other").acted(theirs, "stop", force=True)
    log = await log_of(admin, url)
    assert ("STOPPING", "STOPPED") in states(await events(admin, log))
    assert states(await events(client("operator"), log)) == []


async def test_a_system_is_renamed(admin: ApiClient, client: Client) -> None:
    url = await made(admin, volume())
    changed = await admin.put(url, {"name": "new", "properties": {"k": "v"}})
    assert (changed.status, changed.json["name"], changed.json["properties"]) == (200, "new", {"k": "v"})
    body = b"<System><description>d</description></System>"
    assert (await client("admin", "xml").put(f"{url}?$select=description", body)).status == 200
    assert (await admin.document(url))["description"] == "d"


async def test_nothing_moves_while_the_hypervisor_is_away(admin: ApiClient, image: str, driver: MemoryDriver) -> None:
    url = await made(admin, machine(image))
    driver.lose()
    answers = [await admin.act(url, "stop"), await admin.delete(url)]
    assert [answer.status for answer in answers] == [503, 503]
    assert (await admin.document(url))["state"] == "STARTED"

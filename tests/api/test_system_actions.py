"""What is done to a System is done to its Machines: states, order, results of each; existing components in and out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from drivers.base import DriverFailed, Power
from drivers.memory import MemoryDriver
from tests.api.client import ApiClient
from tests.api.systems import described, machine, made, members, network, on, system, volume
from tests.patience import eventually
from tests.urls import uuid_of

pytestmark = pytest.mark.slow

ACTION = "http://schemas.dmtf.org/cimi/1/action/"


def verbs(document: dict[str, Any]) -> set[str]:
    return {entry["rel"].removeprefix(ACTION) for entry in document.get("operations", [])}


@pytest.fixture
async def pair(admin: ApiClient, image: str) -> str:
    """A System of two Machines that run."""
    return await made(admin, machine(image, quantity=2))


async def states(admin: ApiClient, url: str) -> dict[str, str]:
    return {name: found["state"] for name, found in (await members(admin, url, "machines")).items()}


@pytest.mark.parametrize(
    "verb, state", [("stop", "STOPPED"), ("pause", "PAUSED"), ("suspend", "SUSPENDED"), ("restart", "STARTED")]
)
async def test_an_action_moves_all_machines(admin: ApiClient, pair: str, verb: str, state: str) -> None:
    job = await admin.acted(pair, verb)
    assert job["state"] == "SUCCESS"
    assert len(job["nestedJobs"]) == 2
    assert await states(admin, pair) == {"web1": state, "web2": state}
    assert (await admin.document(pair))["state"] == state


async def test_what_is_stopped_starts_again(admin: ApiClient, pair: str) -> None:
    await admin.acted(pair, "stop", force=True)
    assert (await admin.acted(pair, "start"))["state"] == "SUCCESS"
    assert (await admin.document(pair))["state"] == "STARTED"


async def test_machines_in_different_states_make_it_mixed_and_each_does_what_it_can(
    admin: ApiClient, pair: str
) -> None:
    one = (await members(admin, pair, "machines"))["web1"]["id"]
    await admin.acted(one, "stop", force=True)
    shown = await admin.document(pair)
    assert shown["state"] == "MIXED"
    assert verbs(shown) == {"edit", "delete", "export", "start", "stop", "restart", "pause", "suspend"}
    job = await admin.acted(pair, "start")
    assert (job["state"], len(job["nestedJobs"])) == ("SUCCESS", 1)
    assert (await admin.document(pair))["state"] == "STARTED"


async def test_only_what_a_machine_can_do_is_offered_and_done(admin: ApiClient, pair: str) -> None:
    assert verbs(await admin.document(pair)) == {"edit", "delete", "export", "stop", "restart", "pause", "suspend"}
    refused = await admin.act(pair, "start")
    assert (refused.status, "that is STARTED cannot start" in refused.message) == (409, True)


async def test_a_system_without_machines_is_mixed_and_does_everything_at_once(admin: ApiClient) -> None:
    url = await made(admin, volume())
    assert (await admin.document(url))["state"] == "MIXED"
    assert (await admin.acted(url, "start"))["state"] == "SUCCESS"


async def test_one_that_fails_is_named_and_the_others_go_on(admin: ApiClient, pair: str, driver: MemoryDriver) -> None:
    driver.fail_next("domains.pause", DriverFailed("no"))
    job = await admin.acted(pair, "pause")
    assert job["state"] == "FAILED"
    assert job["statusMessage"].startswith("1 of 2 components failed: Machine 'web")
    assert job["statusMessage"].count("Machine 'web") == 1
    outcomes = [(await admin.document(entry["href"]))["state"] for entry in job["nestedJobs"]]
    assert sorted(outcomes) == ["FAILED", "SUCCESS"]
    assert sorted((await states(admin, pair)).values()) == ["PAUSED", "STARTED"]
    assert (await admin.document(pair))["state"] == "MIXED"


async def test_start_order_is_kept_and_turned_round_for_a_stop(admin: ApiClient, image: str) -> None:
    url = await made(
        admin,
        machine(image, "front", initialState="STOPPED") | {"properties": {"startOrder": "2"}},
        machine(image, "base", initialState="STOPPED") | {"properties": {"startOrder": "-1"}},
        machine(image, "middle", initialState="STOPPED"),
    )
    names = {found["id"]: name for name, found in (await members(admin, url, "machines")).items()}

    async def order(verb: str, **parameters: Any) -> list[str]:
        job = await admin.acted(url, verb, **parameters)
        nested = [await admin.document(entry["href"]) for entry in job["nestedJobs"]]
        return [names[entry["targetResource"]["href"]] for entry in nested]

    assert await order("start") == ["base", "middle", "front"]
    assert await order("stop", force=True) == ["front", "middle", "base"]


async def test_machines_are_made_in_their_start_order(admin: ApiClient, image: str) -> None:
    url = await made(
        admin,
        machine(image, "second") | {"properties": {"startOrder": "1"}},
        machine(image, "first"),
    )
    machines = await members(admin, url, "machines")
    assert machines["first"]["created"] < machines["second"]["created"]


async def test_systems_inside_move_with_it(admin: ApiClient, image: str) -> None:
    inner = {"componentDescriptors": [machine(image, "deep")]}
    url = await made(admin, machine(image, "web"), described("System", inner, "inner"))
    job = await admin.acted(url, "stop", force=True)
    assert job["state"] == "SUCCESS"
    inside = (await members(admin, url, "systems"))["inner"]
    assert (inside["state"], await states(admin, inside["id"])) == ("STOPPED", {"deep": "STOPPED"})
    assert (await admin.document(url))["state"] == "STOPPED"


async def test_a_machine_inside_a_system_inside_counts(admin: ApiClient, image: str) -> None:
    inner = {"componentDescriptors": [machine(image, "deep")]}
    url = await made(admin, machine(image, "web"), described("System", inner, "inner"))
    inside = (await members(admin, url, "systems"))["inner"]["id"]
    await admin.acted((await members(admin, inside, "machines"))["deep"]["id"], "stop", force=True)
    assert [(await admin.document(where))["state"] for where in (inside, url)] == ["STOPPED", "MIXED"]


async def test_many_systems_in_systems_need_no_more_workers_than_there_are(
    admin: ApiClient, image: str, gateway: Any
) -> None:
    """Each waits for the ones inside, and holds no worker meanwhile."""
    nested: dict[str, Any] = {"componentDescriptors": [machine(image, initialState="STOPPED")]}
    for _ in range(3):
        nested = {"componentDescriptors": [described("System", nested, "x", quantity=2)]}
    answer = await admin.post("systems", {"systemTemplate": nested}, Prefer="wait=60")
    assert answer.status == 201, answer.text
    assert (await admin.document("machines"))["count"] == 8


async def test_a_second_action_waits_for_the_first_and_a_stop_breaks_it_off(
    admin: ApiClient, pair: str, driver: MemoryDriver
) -> None:
    driver.state.deaf = True
    first = await admin.act(pair, "stop")
    assert (await admin.act(pair, "restart")).status == 409
    job = await admin.acted(pair, "stop", force=True)
    assert job["state"] == "SUCCESS"
    assert (await admin.ended(first.job))["state"] == "STOPPED"
    assert (await admin.document(pair))["state"] == "STOPPED"


@pytest.mark.parametrize("verb", ["stop", "restart"])
async def test_while_a_job_moves_its_machines_only_the_stop_that_ends_it_is_offered(
    admin: ApiClient, pair: str, driver: MemoryDriver, verb: str
) -> None:
    driver.state.deaf = True
    first = await admin.act(pair, verb)
    assert verbs(await admin.document(pair)) == {"edit", "delete", "export", "stop"}
    refused = await admin.act(pair, "pause")
    assert (refused.status, refused.json["statusMessage"].partition(" ")[2]) == (
        409,
        "is at work on the System; wait for it, or stop the System",
    )
    await admin.acted(pair, "stop", force=True)
    assert (await admin.ended(first.job))["state"] == "STOPPED"


async def test_a_job_that_is_stopped_stops_its_nested_jobs(admin: ApiClient, pair: str, driver: MemoryDriver) -> None:
    driver.state.deaf = True
    job = (await admin.act(pair, "stop", properties={"timeout": "300"})).job

    async def both_began() -> bool:
        return len((await admin.document(job)).get("nestedJobs", [])) == 2

    await eventually(both_began, "both nested Jobs are there")
    await admin.act(job, "stop")
    ended = await admin.ended(job)
    assert ended["state"] == "STOPPED"
    outcomes = {(await admin.document(entry["href"]))["state"] for entry in ended["nestedJobs"]}
    assert outcomes == {"STOPPED"}
    assert (await admin.document(pair))["state"] == "STARTED"


# Drift


async def test_a_machine_that_an_admin_stops_changes_the_system(
    admin: ApiClient, pair: str, driver: MemoryDriver
) -> None:
    for found in (await members(admin, pair, "machines")).values():
        driver.externally(uuid_of(found["id"]), Power.OFF)
    await admin.state(pair, "STOPPED")


async def test_a_component_that_is_deleted_leaves_the_system(admin: ApiClient, pair: str) -> None:
    one = (await members(admin, pair, "machines"))["web1"]["id"]
    assert (await admin.delete(one, Prefer="wait=30")).status == 200
    assert list(await members(admin, pair, "machines")) == ["web2"]
    assert (await admin.document(pair))["state"] == "STARTED"
    other = (await members(admin, pair, "machines"))["web2"]["id"]
    assert (await admin.delete(other, Prefer="wait=30")).status == 200
    assert (await admin.document(pair))["state"] == "MIXED"


# Existing components


async def test_an_existing_machine_is_taken_in_moved_and_let_go(admin: ApiClient, machine: str, pair: str) -> None:
    added = await admin.post(f"{pair}/machines", {"name": "guest", "machine": {"href": machine}})
    assert (added.status, added.json["name"], added.json["machine"]["href"]) == (201, "guest", machine)
    await admin.acted(pair, "stop", force=True)
    assert (await admin.document(machine))["state"] == "STOPPED"
    assert (await admin.delete(added.location)).status == 200
    assert (await admin.document(machine))["state"] == "STOPPED"
    assert sorted(await members(admin, pair, "machines")) == ["web1", "web2"]


async def test_what_was_only_taken_in_stays_when_the_system_goes(admin: ApiClient, machine: str, pair: str) -> None:
    existing = await admin.post("volumes", {"volumeTemplate": {"volumeConfig": {"capacity": 1000}}})
    await admin.post(f"{pair}/machines", {"machine": {"href": machine}})
    await admin.post(f"{pair}/volumes", {"volume": {"href": existing.location}})
    assert (await admin.delete(pair, Prefer="wait=60")).status == 200
    assert [(await admin.document(kept))["state"] for kept in (machine, existing.location)] == ["STARTED", "AVAILABLE"]
    assert (await admin.document("machines"))["count"] == 1


async def test_what_was_taken_out_stays_when_the_system_goes(admin: ApiClient, pair: str) -> None:
    listed = (await admin.document(f"{pair}/machines"))["systemMachines"]
    entry = next(found for found in listed if found["name"] == "web1")
    assert (await admin.delete(entry["id"])).status == 200
    assert (await admin.delete(pair, Prefer="wait=60")).status == 200
    assert (await admin.document(entry["machine"]["href"]))["state"] == "STARTED"


async def test_a_membership_is_renamed(admin: ApiClient, pair: str) -> None:
    entry = (await admin.document(f"{pair}/machines"))["systemMachines"][0]
    changed = await admin.put(f"{entry['id']}?$select=name", {"name": "other"})
    assert (changed.status, changed.json["name"]) == (200, "other")
    assert (await admin.document(entry["machine"]["href"]))["name"] == entry["name"]


async def test_memberships_speak_xml(client: Callable[..., ApiClient], machine: str, pair: str) -> None:
    xml = client("admin", "xml")
    body = f'<SystemMachine xmlns="http://schemas.dmtf.org/cimi/1"><machine href="{machine}"/></SystemMachine>'
    added = await xml.post(f"{pair}/machines", body.encode())
    assert (added.status, added.xml.find("{*}machine").get("href")) == (201, machine)  # type: ignore[union-attr]


async def test_nothing_is_in_a_system_twice(admin: ApiClient, machine: str, pair: str) -> None:
    assert (await admin.post(f"{pair}/machines", {"machine": {"href": machine}})).status == 201
    again = await admin.post(f"{pair}/machines", {"machine": {"href": machine}})
    assert (again.status, "is in this System already" in again.message) == (409, True)


async def test_a_system_is_never_inside_itself(admin: ApiClient) -> None:
    one, other = await made(admin, volume()), await made(admin, volume())
    assert (await admin.post(f"{one}/systems", {"system": {"href": other}})).status == 201
    for inside, outside in ((other, one), (one, one)):
        answer = await admin.post(f"{inside}/systems", {"system": {"href": outside}})
        assert (answer.status, "would be inside itself" in answer.message) == (400, True)


@pytest.mark.parametrize("entry", [{}, {"machine": {"href": "machines/none"}}, {"machine": {"href": "volumes/1"}}])
async def test_a_membership_needs_a_machine(admin: ApiClient, pair: str, entry: dict[str, Any]) -> None:
    answer = await admin.post(f"{pair}/machines", entry)
    assert (answer.status, answer.message.partition(":")[0]) == (400, "machine")


# Delete


async def test_what_others_use_keeps_the_system_from_going(admin: ApiClient, machine: str) -> None:
    url = await made(admin, volume())
    data = (await members(admin, url, "volumes"))["data"]["id"]
    plugged = await admin.post(f"{machine}/volumes", {"volume": {"href": data}}, Prefer="wait=30")
    assert plugged.status == 201, plugged.text
    refused = await admin.delete(url)
    assert refused.status == 409
    assert f"{data.removeprefix(admin.base)}, which goes with the System" in refused.message
    assert (await admin.document(url))["state"] == "MIXED"


async def test_a_delete_that_fails_leaves_the_system_with_what_is_left(
    admin: ApiClient, pair: str, driver: MemoryDriver
) -> None:
    driver.fail_next("domains.undefine", DriverFailed("no"))
    answer = await admin.delete(pair, Prefer="wait=60")
    assert (answer.status, "1 of 2 components failed" in answer.message) == (500, True)
    assert len(await members(admin, pair, "machines")) == 1
    assert (await admin.document(pair))["state"] in ("STOPPED", "STARTED")
    assert (await admin.delete(pair, Prefer="wait=60")).status == 200


async def test_a_system_is_deleted_while_it_is_made(admin: ApiClient, image: str, driver: MemoryDriver) -> None:
    document = system(machine(image, quantity=3, networkInterfaces=on("front")), network())
    answer = await admin.post("systems", document, Prefer="respond-async")
    assert answer.json["state"] == "CREATING"
    assert (await admin.delete(answer.location, Prefer="wait=60")).status == 200
    assert (await admin.ended(answer.job))["state"] in ("STOPPED", "SUCCESS")
    counts = {name: (await admin.document(name))["count"] for name in ("systems", "machines", "networks")}
    assert counts == {"systems": 0, "machines": 0, "networks": 1}
    assert not driver.state.domains

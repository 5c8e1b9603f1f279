"""Event logs: with which resources they come and go, and who sees them."""

from __future__ import annotations

from typing import Any

import pytest

from drivers.base import Power
from drivers.memory import MemoryDriver
from gateway.app import Gateway
from tests.api.client import ApiClient
from tests.api.event_logs import EVENT, Client, events, everything, log_of, of_type, states, until

pytestmark = pytest.mark.slow

# Logs


async def test_the_summary_counts_by_severity(admin: ApiClient, machine: str, driver: MemoryDriver) -> None:
    log = await log_of(admin, machine)
    before = (await admin.document(log))["summary"]
    driver.externally(machine.rpartition("/")[2], Power.CRASHED)
    await admin.state(machine, "ERROR")
    after = (await admin.document(log))["summary"]
    assert after == {**before, "critical": before["critical"] + 1, "high": before["high"] + 1}
    assert sum(after.values()) == (await admin.document(f"{log}/events"))["count"]


async def test_the_log_goes_with_its_machine_and_the_story_stays_with_the_owner(client: Client, image: str) -> None:
    operator, other = client("operator"), client("other")
    machine = (await operator.post("machines", operator.machine(image))).location
    log = await log_of(operator, machine)
    await operator.ended((await operator.delete(machine)).job)
    assert (await operator.get(log)).status == 404
    told = [event for event in await everything(operator) if event["content"]["resource"]["href"] == machine]
    assert of_type(told, "model")[-1]["content"]["change"] == "delete"
    assert not [event for event in await everything(other) if event["content"]["resource"]["href"] == machine]


async def test_a_log_of_somebody_else_is_not_there(client: Client, machine: str, admin: ApiClient) -> None:
    log = await log_of(admin, machine)
    for url in (log, f"{log}/events", f"{log}/events/1"):
        assert (await client("operator").get(url)).status == 404


async def test_a_user_sees_of_everything_only_what_is_theirs(
    admin: ApiClient, client: Client, machine: str, image: str
) -> None:
    operator = client("operator")
    await operator.post("machines", operator.machine(image))
    seen = await everything(operator)
    assert seen
    assert not [event for event in seen if event["content"]["resource"]["href"] == machine]
    hidden = next(event for event in await everything(admin) if event["content"]["resource"]["href"] == machine)
    theirs = {event["id"] for event in seen}
    assert hidden["id"] not in theirs
    assert (await operator.get(hidden["id"])).status == 404


async def test_a_machine_template_says_how_long_events_are_kept(admin: ApiClient, image: str) -> None:
    template = (await admin.post("eventLogTemplates", {"name": "short", "persistence": "Daily"})).location
    by_value = admin.machine(image, eventLogTemplate={"persistence": "hourly"})
    by_reference = admin.machine(image, eventLogTemplate={"href": template})
    overridden = admin.machine(image, eventLogTemplate={"href": template, "persistence": "yearly"})
    kept = []
    for document in (by_value, by_reference, overridden, admin.machine(image)):
        machine = (await admin.post("machines", document)).location
        kept.append((await admin.document(await log_of(admin, machine)))["persistence"])
    assert kept == ["hourly", "daily", "yearly", "monthly"]


async def test_a_stored_machine_template_keeps_its_event_log_template(admin: ApiClient, image: str) -> None:
    config, picture = {"cpu": 1, "memory": 65536}, {"href": image}
    document = {"machineConfig": config, "machineImage": picture, "eventLogTemplate": {"persistence": "weekly"}}
    template = (await admin.post("machineTemplates", document)).location
    machine = (await admin.post("machines", {"machineTemplate": {"href": template}})).location
    assert (await admin.document(await log_of(admin, machine)))["persistence"] == "weekly"


@pytest.mark.parametrize("media", ["json", "xml"])
async def test_a_deleted_log_can_be_made_anew_and_starts_empty(client: Client, machine: str, media: str) -> None:
    admin, asking = client("admin"), client("admin", media)
    await admin.delete(await log_of(admin, machine))
    assert "eventLog" not in await admin.document(machine)
    target = {"targetResource": {"href": machine}, "persistence": "weekly"}
    body: dict[str, Any] | bytes = {"name": "anew", "eventLogTemplate": target}
    if media == "xml":
        body = (
            f'<EventLogCreate xmlns="http://schemas.dmtf.org/cimi/1"><name>anew</name><eventLogTemplate>'
            f'<targetResource href="{machine}"/><persistence>weekly</persistence></eventLogTemplate></EventLogCreate>'
        ).encode()
    made = await asking.post("eventLogs", body)
    assert made.status == 201, made.text
    log = await admin.document(made.location)
    assert (log["name"], log["persistence"], log["targetResource"]["href"]) == ("anew", "weekly", machine)
    assert await log_of(admin, machine) == made.location
    assert states(await events(admin, made.location)) == []
    await admin.acted(machine, "stop")
    assert states(await events(admin, made.location)) == [("STARTED", "STOPPING"), ("STOPPING", "STOPPED")]


@pytest.mark.parametrize(
    ("template", "status", "names"),
    [
        ({}, 400, "eventLogTemplate.targetResource"),
        ({"targetResource": {"href": "machines/none"}}, 400, "eventLogTemplate.targetResource"),
        ({"targetResource": {"href": "machineConfigs"}}, 400, "eventLogTemplate.targetResource"),
        ({"targetResource": {"href": "http://elsewhere/machines/1"}}, 400, "targetResource"),
        ({"persistence": "for ever"}, 400, "eventLogTemplate.persistence"),
        ({"href": "eventLogTemplates/none"}, 400, "eventLogTemplate"),
        ({"targetResource": "MACHINE"}, 409, "has an EventLog already"),
    ],
)
async def test_a_log_that_cannot_be_is_refused_by_name(
    admin: ApiClient, machine: str, template: dict[str, Any], status: int, names: str
) -> None:
    if template.get("targetResource") == "MACHINE":
        template = {"targetResource": {"href": machine}}
    answer = await admin.post("eventLogs", {"eventLogTemplate": template})
    assert answer.status == status, answer.text
    assert names in answer.message


async def test_nobody_gives_a_log_to_a_machine_of_somebody_else(admin: ApiClient, client: Client, machine: str) -> None:
    await admin.delete(await log_of(admin, machine))
    body = {"eventLogTemplate": {"targetResource": {"href": machine}}}
    assert (await client("operator").post("eventLogs", body)).status == 400


async def test_a_target_in_the_template_of_a_machine_is_refused(admin: ApiClient, image: str, machine: str) -> None:
    template = {"targetResource": {"href": machine}}
    answer = await admin.post("machines", admin.machine(image, eventLogTemplate=template))
    assert answer.status == 400
    assert "machineTemplate.eventLogTemplate.targetResource" in answer.message


async def test_the_persistence_of_a_log_can_be_changed(admin: ApiClient, machine: str) -> None:
    log = await log_of(admin, machine)
    assert (await admin.put(f"{log}?$select=persistence", {"persistence": "weekly"})).json["persistence"] == "weekly"
    assert (await admin.put(log, {"name": "mine"})).json["persistence"] == "monthly"


async def test_events_take_no_changes(admin: ApiClient, machine: str) -> None:
    log = await log_of(admin, machine)
    assert (await admin.post(f"{log}/events", {"type": EVENT + "state"})).status == 405
    for answer in (await admin.delete(f"{log}/events/1"), await admin.put(f"{log}/events/1", {"contact": "x"})):
        assert answer.status == 405
    assert "operations" not in (await events(admin, log))[0]


async def test_the_log_of_everything_stays(admin: ApiClient, client: Client) -> None:
    assert (await admin.delete("eventLogs/everything")).status == 409
    rels = [entry["rel"] for entry in (await admin.document("eventLogs/everything"))["operations"]]
    assert rels == ["edit"]
    assert (await client("operator").put("eventLogs/everything", {"persistence": "hourly"})).status == 403


# Other types with a log


async def test_a_volume_has_a_log_by_its_template_too(admin: ApiClient) -> None:
    template = {"volumeConfig": {"capacity": 10_000}, "eventLogTemplate": {"persistence": "daily"}}
    made = await admin.post("volumes", {"name": "v", "volumeTemplate": template})
    assert made.status == 201, made.text
    log = await log_of(admin, made.location)
    assert (await admin.document(log))["persistence"] == "daily"
    assert states(await events(admin, log), "Volume") == [("CREATING", "AVAILABLE")]


async def test_a_volume_that_vanishes_raises_an_alarm(admin: ApiClient, driver: MemoryDriver, gateway: Gateway) -> None:
    made = await admin.post("volumes", {"volumeTemplate": {"volumeConfig": {"capacity": 10_000}}})
    log = await log_of(admin, made.location)
    driver.state.volumes.clear()
    driver.lose()
    driver.regain()

    async def told() -> list[dict[str, Any]]:
        return of_type(await events(admin, log), "alarm")

    [alarm] = await until(told, "the alarm is told")
    assert (alarm["content"]["code"], alarm["severity"]) == ("fault", "critical")


async def test_a_network_and_its_port_have_logs_by_their_templates_too(admin: ApiClient) -> None:
    weekly, daily = {"persistence": "weekly"}, {"persistence": "daily"}
    network = {"networkConfig": {"networkType": "PRIVATE"}, "eventLogTemplate": weekly}
    made = await admin.post("networks", {"networkTemplate": network})
    assert made.status == 201, made.text
    template = {"network": {"href": made.location}, "eventLogTemplate": daily}
    port = await admin.post("networkPorts", {"networkPortTemplate": template})
    assert port.status == 201, port.text
    kept = [(await admin.document(await log_of(admin, url)))["persistence"] for url in (made.location, port.location)]
    assert kept == ["weekly", "daily"]


async def test_a_network_of_the_host_keeps_its_log_while_it_is_compared(admin: ApiClient, driver: MemoryDriver) -> None:
    [network] = [entry for entry in (await admin.document("networks"))["networks"] if entry["name"] == "default"]
    log = await log_of(admin, network["id"])
    driver.lose()
    driver.regain()
    await admin.post("networks", {"networkTemplate": {"networkConfig": {"networkType": "PRIVATE"}}})
    assert await log_of(admin, network["id"]) == log
    assert (await admin.document(log))["targetResource"]["href"] == network["id"]

"""Event logs: what happened to a resource, who asked for it, from where, and how it ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from drivers.base import DriverFailed, Power
from drivers.memory import MemoryDriver
from gateway.app import Gateway
from tests.api.client import ApiClient

EVENT = "http://schemas.dmtf.org/cimi/1/event/"
NAMESPACE = "{http://schemas.dmtf.org/cimi/1}"
Client = Callable[..., ApiClient]


async def log_of(client: ApiClient, url: str) -> str:
    return str((await client.document(url))["eventLog"]["href"])


async def events(client: ApiClient, log: str, query: str = "") -> list[dict[str, Any]]:
    return list((await client.document(f"{log}/events{query}")).get("events", []))


async def everything(client: ApiClient, query: str = "") -> list[dict[str, Any]]:
    return await events(client, "eventLogs/everything", query)


def of_type(found: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [event for event in found if event["type"] == EVENT + kind]


def states(found: list[dict[str, Any]], kind: str = "Machine") -> list[tuple[str | None, str]]:
    told = [event["content"] for event in of_type(found, "state")]
    return [(entry.get("previous"), entry["state"]) for entry in told if entry["resType"].endswith(f"/{kind}")]


async def until(condition: Callable[[], Any], what: str) -> Any:
    for _ in range(500):
        found = await condition()
        if found:
            return found
        await asyncio.sleep(0.02)
    raise AssertionError(what)


# What is told


async def test_every_machine_has_a_log_with_the_states_it_went_through(admin: ApiClient, machine: str) -> None:
    await admin.acted(machine, "stop")
    found = await events(admin, await log_of(admin, machine))
    assert states(found) == [("CREATING", "STARTED"), ("STARTED", "STOPPING"), ("STOPPING", "STOPPED")]
    assert all(event["content"]["resource"]["href"] == machine for event in of_type(found, "model"))


async def test_an_access_event_says_who_did_what_from_where_with_which_outcome(
    admin: ApiClient, machine: str
) -> None:
    await admin.act(machine, "stop", force=True)
    stop = of_type(await events(admin, await log_of(admin, machine)), "access")[-1]
    assert stop["content"]["operation"] == "stop"
    assert stop["content"]["initiator"] == "admin"
    assert stop["content"]["resource"]["href"] == machine
    assert "from 127.0.0.1" in stop["content"]["detail"]
    assert stop["outcome"] == "Pending"


async def test_the_end_of_a_job_is_told_in_the_log_of_its_machine(admin: ApiClient, machine: str) -> None:
    await admin.acted(machine, "stop")
    found = await events(admin, await log_of(admin, machine))
    ends = [event for event in of_type(found, "state") if event["content"]["resType"].endswith("/Job")]
    assert [(end["content"]["state"], end["outcome"]) for end in ends] == [("SUCCESS", "Success")] * 2


async def test_a_failing_job_raises_an_alarm_that_says_why(
    admin: ApiClient, machine: str, driver: MemoryDriver
) -> None:
    driver.fail_next("pause_domain", DriverFailed("the monitor is deaf"))
    await admin.acted(machine, "pause")
    [alarm] = of_type(await events(admin, await log_of(admin, machine)), "alarm")
    assert alarm["content"]["code"] == "pause-failed"
    assert "the monitor is deaf" in alarm["content"]["detail"]
    assert (alarm["outcome"], alarm["severity"]) == ("Failure", "high")


async def test_an_edit_is_a_model_event_with_the_names_of_what_changed(admin: ApiClient, machine: str) -> None:
    await admin.put(f"{machine}?$select=name,description", {"name": "other", "description": "told apart"})
    changes = [event["content"] for event in of_type(await events(admin, await log_of(admin, machine)), "model")]
    assert [(entry["change"], entry.get("detail")) for entry in changes] == [
        ("create", None),
        ("update", "description, name"),
    ]


async def test_a_change_from_outside_is_told_as_one(admin: ApiClient, machine: str, driver: MemoryDriver) -> None:
    driver.externally(machine.rpartition("/")[2], Power.PAUSED)
    await admin.state(machine, "PAUSED")
    last = of_type(await events(admin, await log_of(admin, machine)), "state")[-1]
    assert last["content"]["state"] == "PAUSED"
    assert last["description"] == "changed outside the gateway"


async def test_a_crash_raises_a_critical_alarm(admin: ApiClient, machine: str, driver: MemoryDriver) -> None:
    driver.externally(machine.rpartition("/")[2], Power.CRASHED)
    await admin.state(machine, "ERROR")
    [alarm] = of_type(await events(admin, await log_of(admin, machine)), "alarm")
    assert (alarm["content"]["code"], alarm["severity"]) == ("fault", "critical")


@pytest.mark.parametrize(("code", "severity"), [("watchdog", "high"), ("enospc", "critical")])
async def test_what_the_hypervisor_tells_of_a_guest_in_trouble_is_an_alarm(
    admin: ApiClient, machine: str, driver: MemoryDriver, code: str, severity: str
) -> None:
    log = await log_of(admin, machine)
    driver.complain(machine.rpartition("/")[2], code, "an I/O error on vda")

    async def told() -> list[dict[str, Any]]:
        return of_type(await events(admin, log), "alarm")

    [alarm] = await until(told, "the alarm is told")
    assert (alarm["content"]["code"], alarm["severity"]) == (code, severity)
    assert alarm["content"]["detail"] == "an I/O error on vda"


async def test_a_guest_that_complains_a_thousand_times_is_told_once(
    admin: ApiClient, machine: str, driver: MemoryDriver
) -> None:
    for _ in range(1000):
        driver.complain(machine.rpartition("/")[2], "eio", "an I/O error")
    driver.complain(machine.rpartition("/")[2], "watchdog", "")
    log = await log_of(admin, machine)

    async def told() -> list[dict[str, Any]]:
        found = of_type(await events(admin, log), "alarm")
        return found if found[-1:] and found[-1]["content"]["code"] == "watchdog" else []

    assert len(await until(told, "both are told")) == 2


async def test_a_lost_hypervisor_is_an_alarm_once_and_its_return_too(admin: ApiClient, driver: MemoryDriver) -> None:
    for _ in range(3):
        driver.lose()
    driver.regain()

    async def told() -> list[str]:
        found = [event["content"]["code"] for event in of_type(await everything(admin), "alarm")]
        return found if "hypervisor-back" in found else []

    assert await until(told, "both are told") == ["hypervisor-lost", "hypervisor-back"]


# Refused requests


@pytest.mark.parametrize(
    ("user", "status"), [("viewer", 404), ("other", 404)], ids=["a viewer", "another user"]
)
async def test_who_tried_to_stop_my_machine_stands_in_its_log(
    admin: ApiClient, client: Client, image: str, user: str, status: int
) -> None:
    operator = client("operator")
    machine = (await operator.post("machines", operator.machine(image))).location
    assert (await client(user).act(machine, "stop")).status == status
    refused = of_type(await events(operator, await log_of(operator, machine)), "access")[-1]
    assert refused["content"]["initiator"] == user
    assert refused["content"]["detail"].startswith(f"{status} ")
    assert (refused["outcome"], refused["severity"]) == ("Failure", "medium")


async def test_a_wrong_password_is_told_to_admins_only(admin: ApiClient, client: Client) -> None:
    stranger = ApiClient(admin.session, admin.base, "operator", password="guessed")
    assert (await stranger.get("machines")).status == 401
    refused = of_type(await everything(admin), "access")[-1]
    assert (refused["content"]["initiator"], refused["outcome"]) == ("operator", "Failure")


async def test_a_bad_create_is_told_with_its_reason(admin: ApiClient) -> None:
    assert (await admin.post("machines", {"machineTemplate": {"machineConfig": {"cpu": 0}}})).status == 400
    refused = of_type(await everything(admin), "access")[-1]
    assert refused["content"]["resource"]["href"] == admin.base + "machines"
    assert "machineTemplate.machineConfig.cpu" in refused["content"]["detail"]


async def test_control_characters_in_a_refused_name_break_no_format(admin: ApiClient, client: Client) -> None:
    stranger = ApiClient(admin.session, admin.base, "a\x01b\x0c", password="x")
    assert (await stranger.get("machines")).status == 401
    listed = await client("admin", "xml").get("eventLogs/everything/events?$orderby=timestamp:desc&$last=1")
    assert listed.xml.findtext(f".//{NAMESPACE}initiator") == "a?b?"


async def test_reads_are_not_told(admin: ApiClient, machine: str) -> None:
    before = len(await everything(admin))
    for _ in range(3):
        await admin.get(machine)
        await admin.get("machines/none")
    assert len(await everything(admin)) == before


# Logs


async def test_the_summary_counts_by_severity(admin: ApiClient, machine: str, driver: MemoryDriver) -> None:
    log = await log_of(admin, machine)
    before = (await admin.document(log))["summary"]
    driver.externally(machine.rpartition("/")[2], Power.CRASHED)
    await admin.state(machine, "ERROR")
    after = (await admin.document(log))["summary"]
    assert after == {**before, "critical": before["critical"] + 1, "high": before["high"] + 1}
    assert sum(after.values()) == (await admin.document(f"{log}/events"))["count"]


async def test_the_log_goes_with_its_machine_and_the_story_stays_with_the_owner(
    client: Client, image: str
) -> None:
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


async def test_nobody_gives_a_log_to_a_machine_of_somebody_else(
    admin: ApiClient, client: Client, machine: str
) -> None:
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


# Pages


async def test_pages_filters_and_orders_of_events(admin: ApiClient, machine: str) -> None:
    for _ in range(3):
        await admin.acted(machine, "stop")
        await admin.acted(machine, "start")
    log = await log_of(admin, machine)
    all_of_them = await events(admin, log)
    assert [event["timestamp"] for event in all_of_them] == sorted(event["timestamp"] for event in all_of_them)
    assert await events(admin, log, "?$first=3&$last=5") == all_of_them[2:5]
    assert await events(admin, log, "?$orderby=timestamp:desc&$last=2") == all_of_them[::-1][:2]
    for text in (f"type='{EVENT}access'", "type='access'"):
        assert await events(admin, log, f"?$filter={text}") == of_type(all_of_them, "access")
    page = await admin.document(f"{log}/events?$filter=type='state'%20and%20outcome='Status'&$first=2&$last=3")
    wanted = [event for event in of_type(all_of_them, "state") if event["outcome"] == "Status"]
    assert (page["events"], page["count"]) == (wanted[1:3], len(wanted))


async def test_events_since_a_moment(admin: ApiClient, machine: str) -> None:
    log = await log_of(admin, machine)
    moment = (await events(admin, log))[-1]["timestamp"]
    await admin.acted(machine, "stop")
    later = await admin.document(f"{log}/events?$filter=timestamp>{moment}")
    assert later["count"] == len(later["events"])
    assert states(later["events"]) == [("STARTED", "STOPPING"), ("STOPPING", "STOPPED")]


async def test_an_event_says_the_same_in_xml(client: Client, machine: str) -> None:
    admin, xml = client("admin"), client("admin", "xml")
    told = of_type(await events(admin, await log_of(admin, machine)), "state")[0]
    shown = (await xml.get(told["id"])).xml
    assert shown.findtext(f"{NAMESPACE}type") == EVENT + "state"
    assert shown.findtext(f"{NAMESPACE}content/{NAMESPACE}state") == "STARTED"
    resource = shown.find(f"{NAMESPACE}content/{NAMESPACE}resource")
    assert resource is not None
    assert resource.get("href") == machine


async def test_the_log_can_be_expanded_in_its_machine(admin: ApiClient, machine: str) -> None:
    expanded = await admin.document(f"{machine}?$expand=eventLog")
    assert expanded["eventLog"]["targetResource"]["href"] == machine
    assert sum(expanded["eventLog"]["summary"].values()) > 0


async def test_events_are_there_after_a_restart(admin: ApiClient, machine: str, gateway: Gateway) -> None:
    log = await log_of(admin, machine)
    before = await events(admin, log)
    await gateway.stop()
    await gateway.start()
    assert await events(admin, log) == before


# Other types with a log


async def test_a_volume_has_a_log_by_its_template_too(admin: ApiClient) -> None:
    template = {"volumeConfig": {"capacity": 10_000}, "eventLogTemplate": {"persistence": "daily"}}
    made = await admin.post("volumes", {"name": "v", "volumeTemplate": template})
    assert made.status == 201, made.text
    log = await log_of(admin, made.location)
    assert (await admin.document(log))["persistence"] == "daily"
    assert states(await events(admin, log), "Volume") == [("CREATING", "AVAILABLE")]


async def test_a_volume_that_vanishes_raises_an_alarm(
    admin: ApiClient, driver: MemoryDriver, gateway: Gateway
) -> None:
    made = await admin.post("volumes", {"volumeTemplate": {"volumeConfig": {"capacity": 10_000}}})
    log = await log_of(admin, made.location)
    driver.stored.clear()
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


async def test_a_network_of_the_host_keeps_its_log_while_it_is_compared(
    admin: ApiClient, driver: MemoryDriver
) -> None:
    [network] = [entry for entry in (await admin.document("networks"))["networks"] if entry["name"] == "default"]
    log = await log_of(admin, network["id"])
    driver.lose()
    driver.regain()
    await admin.post("networks", {"networkTemplate": {"networkConfig": {"networkType": "PRIVATE"}}})
    assert await log_of(admin, network["id"]) == log
    assert (await admin.document(log))["targetResource"]["href"] == network["id"]

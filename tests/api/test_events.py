"""Events: what happened to a resource, who asked for it, from where, and how it ended."""

from __future__ import annotations

from typing import Any

import pytest

from drivers.base import DriverFailed, Power
from drivers.memory import MemoryDriver
from gateway.app import Gateway
from tests.api.client import ApiClient
from tests.api.event_logs import EVENT, Client, events, everything, log_of, of_type, states, until
from tests.api.namespaces import NAMESPACE

pytestmark = pytest.mark.slow

# What is told


async def test_every_machine_has_a_log_with_the_states_it_went_through(admin: ApiClient, machine: str) -> None:
    await admin.acted(machine, "stop")
    found = await events(admin, await log_of(admin, machine))
    assert states(found) == [("CREATING", "STARTED"), ("STARTED", "STOPPING"), ("STOPPING", "STOPPED")]
    assert all(event["content"]["resource"]["href"] == machine for event in of_type(found, "model"))


async def test_an_access_event_says_who_did_what_from_where_with_which_outcome(admin: ApiClient, machine: str) -> None:
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
    driver.fail_next("domains.pause", DriverFailed("the monitor is deaf"))
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


@pytest.mark.parametrize(("user", "status"), [("viewer", 404), ("other", 404)], ids=["a viewer", "another user"])
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

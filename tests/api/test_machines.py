"""Machines through the API, with a client's eyes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from drivers.base import DriverFailed, DriverNoSpace, InterfaceAddress, Power
from drivers.memory import MemoryDriver
from gateway.app import Gateway
from tests.api.client import ApiClient
from tests.api.namespaces import NAMESPACE
from tests.api.operations import verbs
from tests.patience import eventually
from tests.urls import uuid_of

pytestmark = pytest.mark.slow


async def test_a_create_that_ends_soon_is_answered_201_with_the_started_machine(admin: ApiClient, image: str) -> None:
    answer = await admin.post("machines", admin.machine(image))
    assert answer.status == 201
    assert answer.json["state"] == "STARTED"
    assert answer.json["id"] == answer.location
    assert (await admin.document(answer.job))["state"] == "SUCCESS"


async def test_a_client_that_prefers_not_to_wait_gets_202_and_a_machine_in_creating(
    admin: ApiClient, image: str
) -> None:
    answer = await admin.post("machines", admin.machine(image), Prefer="respond-async")
    assert answer.status == 202
    assert answer.headers["preference-applied"] == "respond-async"
    assert answer.json["state"] == "CREATING"
    assert (await admin.ended(answer.job))["state"] == "SUCCESS"


async def test_an_action_is_answered_202_with_its_job(admin: ApiClient, machine: str) -> None:
    answer = await admin.act(machine, "stop")
    assert answer.status == 202
    assert answer.json["id"] == answer.job
    assert answer.json["action"].endswith("/action/stop")


async def test_each_stable_state_offers_its_operations(admin: ApiClient, machine: str) -> None:
    always = {"edit", "delete", "restart", "capture", "restore", "console"}
    assert await verbs(admin, machine) == always | {"stop", "pause", "suspend", "snapshot"}
    await admin.acted(machine, "pause")
    assert await verbs(admin, machine) == always | {"start", "stop", "suspend", "snapshot"}
    await admin.acted(machine, "suspend")
    assert await verbs(admin, machine) == always | {"start", "stop"}
    await admin.acted(machine, "stop")
    assert await verbs(admin, machine) == always | {"start", "snapshot"}


async def test_an_action_document_may_go_to_the_machine_itself(admin: ApiClient, machine: str) -> None:
    malformed = " http://http://schemas.dmtf.org/cimi/1/action/stop "
    answer = await admin.post(machine, {"action": malformed, "force": True})
    assert answer.status == 202
    assert (await admin.ended(answer.job))["state"] == "SUCCESS"


async def test_an_illegal_action_is_a_conflict_that_names_the_state(admin: ApiClient, machine: str) -> None:
    answer = await admin.act(machine, "start")
    assert answer.status == 409
    assert "STARTED" in answer.message
    assert answer.json["returnCode"] == 10409


async def test_a_deaf_guest_fails_the_soft_stop_and_force_ends_it(
    admin: ApiClient, machine: str, driver: MemoryDriver
) -> None:
    driver.state.deaf = True
    job = await admin.acted(machine, "stop")
    assert job["state"] == "FAILED"
    assert "force" in job["statusMessage"]
    assert (await admin.document(machine))["state"] == "STARTED"
    assert (await admin.acted(machine, "stop", force=True))["state"] == "SUCCESS"


async def test_force_breaks_off_a_soft_stop_that_waits(admin: ApiClient, machine: str, driver: MemoryDriver) -> None:
    driver.state.deaf = True
    soft = await admin.act(machine, "stop")
    assert (await admin.acted(machine, "stop", force=True))["state"] == "SUCCESS"
    assert (await admin.ended(soft.job))["state"] == "STOPPED"
    assert (await admin.document(machine))["state"] == "STOPPED"


async def test_of_two_starts_at_once_one_is_a_conflict(admin: ApiClient, machine: str) -> None:
    await admin.acted(machine, "stop")
    answers = await asyncio.gather(*(admin.act(machine, "start") for _ in range(2)))
    assert sorted(answer.status for answer in answers) == [202, 409]


async def test_delete_answers_200_and_leaves_only_the_image(
    admin: ApiClient, machine: str, driver: MemoryDriver
) -> None:
    answer = await admin.delete(machine)
    assert answer.status == 200
    assert (await admin.get(machine)).status == 404
    assert [name for _, name in driver.state.volumes if not name.startswith("cimi-image-")] == []
    assert driver.state.domains == {}


async def test_a_failing_create_is_undone_and_answers_with_its_job(
    admin: ApiClient, image: str, driver: MemoryDriver
) -> None:
    driver.fail_next("domains.start", DriverFailed("QEMU said no"))
    answer = await admin.post("machines", admin.machine(image))
    assert answer.status == 500
    assert "QEMU said no" in answer.message
    assert answer.json["id"] == answer.job
    assert (await admin.document("machines"))["count"] == 0
    assert driver.state.domains == {}
    assert [name for _, name in driver.state.volumes if not name.startswith("cimi-image-")] == []


async def test_a_full_pool_answers_507(admin: ApiClient, image: str, driver: MemoryDriver) -> None:
    driver.fail_next("storage.overlay_volume", DriverNoSpace("the pool is full"))
    answer = await admin.post("machines", admin.machine(image))
    assert answer.status == 507


async def test_what_happens_outside_shows_without_a_request_to_the_hypervisor(
    admin: ApiClient, machine: str, driver: MemoryDriver
) -> None:
    driver.externally(uuid_of(machine), Power.CRASHED)
    await admin.state(machine, "ERROR")
    driver.externally(uuid_of(machine), Power.OFF)
    await admin.state(machine, "STOPPED")


async def test_reads_go_on_while_the_hypervisor_is_away_and_changes_are_503(
    admin: ApiClient, machine: str, driver: MemoryDriver
) -> None:
    driver.lose()
    assert (await admin.document(machine))["state"] == "STARTED"
    answer = await admin.act(machine, "stop")
    assert answer.status == 503
    assert int(answer.headers["retry-after"]) > 0
    driver.regain()
    assert (await admin.acted(machine, "stop"))["state"] == "SUCCESS"


async def test_the_guests_address_leads_from_machine_to_ip(
    admin: ApiClient, machine: str, driver: MemoryDriver
) -> None:
    mac = driver.state.domains[uuid_of(machine)].interfaces[0].mac
    driver.state.interface_addresses[uuid_of(machine)] = (InterfaceAddress(mac, "192.0.2.7", 24, "lease"),)
    interfaces = await admin.document(f"{machine}/networkInterfaces")
    href = interfaces["machineNetworkInterfaces"][0]["addresses"]["href"]

    async def addresses() -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = (await admin.document(href)).get("machineNetworkInterfaceAddresses", [])
        return listed

    listed = await eventually(addresses, "the guest's address shows")
    address = await admin.document(listed[0]["address"]["href"])
    assert (address["ip"], address["mask"], address["protocol"]) == ("192.0.2.7", "255.255.255.0", "IPv4")


async def test_the_console_is_plain_text(admin: ApiClient, machine: str) -> None:
    answer = await admin.get(f"{machine}/console")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain")
    assert "READY" in answer.text


async def test_the_console_may_be_read_or_asked_for_as_an_action(admin: ApiClient, machine: str) -> None:
    read = await admin.get(f"{machine}/console")
    posted = await admin.act(machine, "console")
    named = await admin.post(machine, {"action": "http://cimi-gateway.org/ns/1/action/console"})
    assert (posted.status, named.status) == (200, 200)
    assert read.text == posted.text == named.text == "READY\r\n"


async def test_cpu_and_memory_beyond_the_host_are_refused_by_name(admin: ApiClient, image: str) -> None:
    for name, value in (("cpu", 9), ("memory", 17 * 1024**2)):
        config = {"cpu": 1, "memory": 131072, name: value}
        answer = await admin.post("machines", admin.machine(image, machineConfig=config))
        assert answer.status == 400
        assert answer.message.startswith(name)


async def test_an_edit_of_memory_that_waits_for_a_boot_says_so(admin: ApiClient, machine: str) -> None:
    answer = await admin.put(f"{machine}?$select=memory", {"memory": 262144})
    assert answer.status == 200
    assert answer.json["memory"] == 262144
    assert "next boot" in (await admin.document(answer.job))["statusMessage"]


async def test_a_full_update_without_a_description_removes_it(admin: ApiClient, machine: str) -> None:
    await admin.put(f"{machine}?$select=description", {"description": "old"})
    assert (await admin.document(machine))["description"] == "old"
    document = await admin.document(machine)
    del document["description"]
    answer = await admin.put(machine, document)
    assert answer.status == 200
    assert "description" not in (await admin.document(machine))


async def test_a_partial_update_refuses_attributes_outside_of_select(admin: ApiClient, machine: str) -> None:
    answer = await admin.put(f"{machine}?$select=name", {"name": "x", "description": "y"})
    assert answer.status == 400
    assert answer.message.startswith("description")


async def test_a_template_with_overrides_and_an_erased_attribute_makes_the_machine(
    admin: ApiClient, image: str
) -> None:
    template = {
        "name": "t",
        "initialState": "STARTED",
        "machineConfig": {"cpu": 1, "memory": 131072},
        "machineImage": {"href": image},
        "userData": "aGVsbG8=",
    }
    made = await admin.post("machineTemplates", template)
    assert made.status == 201, made.text
    assert "userData" not in made.text
    overrides = {"href": made.location, "initialState": "STOPPED", "userData": None}
    answer = await admin.post("machines", {"name": "from template", "machineTemplate": overrides})
    assert answer.status == 201, answer.text
    assert answer.json["state"] == "STOPPED"
    assert answer.json["name"] == "from template"


async def test_a_retried_create_with_one_key_makes_one_machine(admin: ApiClient, image: str) -> None:
    document = admin.machine(image)
    first, second = [await admin.post("machines", document, Idempotency_Key="k") for _ in range(2)]
    assert (first.location, first.job) == (second.location, second.job)
    other = await admin.post("machines", {**document, "name": "other"}, Idempotency_Key="k")
    assert other.status == 409


@pytest.mark.parametrize("collection", ["machines", "machineConfigs"])
async def test_a_key_whose_resource_was_deleted_since_is_a_conflict_that_says_so(
    admin: ApiClient, image: str, collection: str
) -> None:
    document = admin.machine(image) if collection == "machines" else {"cpu": 1, "memory": 1}
    made = await admin.post(collection, document, Idempotency_Key="k")
    assert (await admin.delete(made.location)).status == 200
    before = (await admin.document(collection))["count"]
    again = await admin.post(collection, document, Idempotency_Key="k")
    assert again.status == 409
    assert made.location.removeprefix(admin.base) in again.message
    assert "deleted since" in again.message
    assert (await admin.document(collection))["count"] == before


async def test_a_key_whose_create_failed_gives_that_failure_again(
    admin: ApiClient, image: str, driver: MemoryDriver
) -> None:
    driver.fail_next("domains.define", DriverFailed("no such luck"))
    first, second = [await admin.post("machines", admin.machine(image), Idempotency_Key="k") for _ in range(2)]
    assert first.status == second.status == 500
    assert (first.job, first.message) == (second.job, second.message)
    assert (await admin.document("machines"))["count"] == 0


async def test_a_key_whose_job_is_kept_no_longer_makes_nothing_twice(
    admin: ApiClient, image: str, gateway: Gateway
) -> None:
    made = await admin.post("machines", admin.machine(image), Idempotency_Key="k")
    async with gateway.store.transaction() as transaction:
        await transaction.delete(made.job.removeprefix(admin.base))
    again = await admin.post("machines", admin.machine(image), Idempotency_Key="k")
    assert again.status == 409
    assert made.location.removeprefix(admin.base) in again.message
    assert (await admin.document("machines"))["count"] == 1


async def test_xml_clients_may_leave_out_namespaces_and_pad_their_values(
    client: Callable[..., ApiClient], image: str
) -> None:
    xml = client("admin", "xml")
    body = f"""<MachineCreate><name> padded </name><property key="tier">web</property><machineTemplate>
      <machineConfig><memory> 131072 </memory><cpu>1</cpu></machineConfig>
      <machineImage href="{image}"/></machineTemplate></MachineCreate>"""
    answer = await xml.post("machines", body.encode())
    assert answer.status == 201, answer.text
    assert answer.xml.tag == f"{NAMESPACE}Machine"
    assert answer.xml.findtext(f"{NAMESPACE}name") == "padded"
    assert answer.xml.find(f"{NAMESPACE}property").get("key") == "tier"  # type: ignore[union-attr]

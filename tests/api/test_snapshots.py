"""Snapshots and restore through the API, with a client's eyes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from drivers.base import DriverFailed, DriverNoSpace
from drivers.memory import MemoryDriver
from gateway.jobs import execution
from tests.api.client import ACTION, ApiClient
from tests.api.namespaces import NAMESPACE
from tests.api.operations import verbs
from tests.api.snapshots import latest, listed, make_uefi, related, snapshot
from tests.urls import uuid_of

pytestmark = pytest.mark.slow


async def test_a_snapshot_is_an_available_image_and_the_machines_latest(admin: ApiClient, machine: str) -> None:
    made = await snapshot(admin, machine, name="before upgrade", description="d", properties={"k": "v"})
    document = await admin.document(made)
    assert (document["state"], document["type"], document["name"]) == ("AVAILABLE", "SNAPSHOT", "before upgrade")
    assert document["properties"] == {"k": "v"}
    assert document["imageLocation"] == made
    assert "relatedImage" not in document
    assert await latest(admin, machine) == made
    assert await listed(admin, machine) == [made]
    assert (await admin.document(machine))["state"] == "STARTED"


async def test_a_machine_says_where_snapshots_and_captures_are_asked(admin: ApiClient, machine: str) -> None:
    operations = (await admin.document(machine))["operations"]
    offered = {entry["rel"]: entry["href"] for entry in operations}
    for verb in ("snapshot", "capture", "restore"):
        assert offered[ACTION + verb] == f"{machine}/{verb}"


@pytest.mark.parametrize("uri", ["machineImages", "snapshot"])
async def test_old_clients_ask_for_a_snapshot_in_xml_with_padding_and_another_root(
    client: Callable[..., ApiClient], machine: str, uri: str
) -> None:
    xml = client("admin", "xml")
    body = f"""<machineImageCreate><name> s </name><type> SNAPSHOT </type>
      <imageLocation> {machine} </imageLocation></machineImageCreate>"""
    answer = await xml.post(uri if uri == "machineImages" else f"{machine}/{uri}", body.encode())
    assert answer.status == 201, answer.text
    assert answer.xml.tag == f"{NAMESPACE}MachineImage"
    assert answer.xml.findtext(f"{NAMESPACE}id") == answer.location
    assert answer.xml.findtext(f"{NAMESPACE}type") == "SNAPSHOT"
    entries = await xml.get(f"{machine}/snapshots")
    # The official schema spells it so.
    assert entries.xml.find(f".//{NAMESPACE}shapshot").get("href") == answer.location  # type: ignore[union-attr]


@pytest.mark.parametrize("document", [{}, {"action": ACTION + "snapshot"}, {"resourceURI": "x/Action", "name": "n"}])
async def test_an_action_document_at_the_snapshots_uri_will_do(
    admin: ApiClient, machine: str, document: dict[str, str]
) -> None:
    assert (await admin.document(await snapshot(admin, machine, **document)))["type"] == "SNAPSHOT"


async def test_an_action_document_at_the_machine_itself_takes_a_snapshot(admin: ApiClient, machine: str) -> None:
    answer = await admin.post(machine, {"action": ACTION + "snapshot", "name": "by action"})
    assert answer.status == 201, answer.text
    assert answer.json["name"] == "by action"


async def test_an_empty_body_takes_a_snapshot_without_a_name(admin: ApiClient, machine: str) -> None:
    answer = await admin.post(f"{machine}/snapshot", b"")
    assert answer.status == 201, answer.text
    assert "name" not in answer.json


async def test_each_snapshot_relates_to_the_one_before(admin: ApiClient, machine: str) -> None:
    first, second = await snapshot(admin, machine), await snapshot(admin, machine)
    assert await related(admin, second) == first
    assert await listed(admin, machine) == [first, second]


async def test_restore_brings_state_and_sizes_back_and_moves_latest(
    admin: ApiClient, machine: str, driver: MemoryDriver
) -> None:
    first = await snapshot(admin, machine)
    second = await snapshot(admin, machine)
    await admin.acted(machine, "stop")
    await admin.put(f"{machine}?$select=cpu,memory", {"cpu": 2, "memory": 262144})
    assert (await admin.acted(machine, "restore", image={"href": first}))["state"] == "SUCCESS"
    document = await admin.document(machine)
    assert (document["state"], document["cpu"], document["memory"]) == ("STARTED", 1, 131072)
    assert document["latestSnapshot"]["href"] == first
    assert await related(admin, await snapshot(admin, machine)) == first
    assert await related(admin, second) == first


@pytest.mark.parametrize(("verb", "state"), [("stop", "STOPPED"), ("pause", "PAUSED")])
async def test_a_machine_goes_back_to_the_state_it_was_in(
    admin: ApiClient, machine: str, verb: str, state: str
) -> None:
    await admin.acted(machine, verb)
    taken = await snapshot(admin, machine)
    await admin.acted(machine, "start")
    await admin.acted(machine, "restore", image={"href": taken})
    assert (await admin.document(machine))["state"] == state


async def test_a_snapshot_of_the_disks_only_goes_back_to_stopped(admin: ApiClient, machine: str) -> None:
    taken = await snapshot(admin, machine, properties={"disksOnly": "true"})
    assert (await admin.document(machine))["state"] == "STARTED"
    await admin.acted(machine, "restore", image={"href": taken})
    assert (await admin.document(machine))["state"] == "STOPPED"


async def test_an_old_sdk_names_the_image_to_restore_by_a_bare_uri(
    client: Callable[..., ApiClient], admin: ApiClient, machine: str
) -> None:
    taken = await snapshot(admin, machine)
    assert (await admin.acted(machine, "restore", image=taken))["state"] == "SUCCESS"
    body = f"<Action><action>{ACTION}restore</action><image>{taken}</image></Action>"
    answer = await client("admin", "xml").post(machine, body.encode())
    assert answer.status == 202, answer.text
    assert (await admin.ended(answer.job))["state"] == "SUCCESS"


async def test_deleting_the_middle_of_a_chain_relinks_it(admin: ApiClient, machine: str) -> None:
    first, second, third = [await snapshot(admin, machine) for _ in range(3)]
    assert (await admin.delete(second)).status == 200
    assert await related(admin, third) == first
    assert await listed(admin, machine) == [first, third]
    assert await latest(admin, machine) == third


async def test_deleting_the_latest_makes_the_one_before_it_the_latest(
    admin: ApiClient, machine: str, driver: MemoryDriver
) -> None:
    first, second = await snapshot(admin, machine), await snapshot(admin, machine)
    await admin.delete(second)
    assert await latest(admin, machine) == first
    await admin.delete(first)
    assert await latest(admin, machine) is None
    assert driver.state.snapshots[uuid_of(machine)] == {}


async def test_a_partial_snapshot_falls_with_the_one_it_builds_on(
    admin: ApiClient, machine: str, driver: MemoryDriver
) -> None:
    base = await snapshot(admin, machine)
    partial = await snapshot(admin, machine, type="PARTIAL_SNAPSHOT", relatedImage={"href": base})
    above = await snapshot(admin, machine)
    assert await related(admin, partial) == base
    assert (await admin.delete(base)).status == 200
    assert (await admin.get(partial)).status == 404
    assert await related(admin, above) is None
    assert list(driver.state.snapshots[uuid_of(machine)]) == [uuid_of(above)]


async def test_the_first_snapshot_cannot_be_partial(admin: ApiClient, machine: str) -> None:
    answer = await admin.post(f"{machine}/snapshot", {"type": "PARTIAL_SNAPSHOT"})
    assert answer.status == 400
    assert answer.message.startswith("type:")


async def test_a_partial_snapshot_builds_on_the_latest_only(admin: ApiClient, machine: str) -> None:
    first = await snapshot(admin, machine)
    await snapshot(admin, machine)
    document = {"type": "PARTIAL_SNAPSHOT", "relatedImage": {"href": first}}
    answer = await admin.post(f"{machine}/snapshot", document)
    assert answer.status == 400
    assert answer.message.startswith("relatedImage:")


async def test_deleting_the_machine_takes_its_snapshots_along(
    admin: ApiClient, machine: str, driver: MemoryDriver
) -> None:
    taken = await snapshot(admin, machine)
    assert (await admin.delete(machine)).status == 200
    assert (await admin.get(taken)).status == 404
    assert driver.state.snapshots == {}


async def test_a_failed_snapshot_leaves_no_image_and_the_machine_as_it_was(
    admin: ApiClient, machine: str, driver: MemoryDriver
) -> None:
    driver.fail_next("snapshots.take", DriverNoSpace("the pool is full"))
    answer = await admin.post(f"{machine}/snapshot", {})
    assert answer.status == 507
    assert (await admin.document("machineImages?$filter=type='SNAPSHOT'"))["count"] == 0
    assert (await admin.document(machine))["state"] == "STARTED"
    assert await latest(admin, machine) is None


async def test_a_snapshot_that_cannot_be_dropped_may_be_dropped_later(
    admin: ApiClient, machine: str, driver: MemoryDriver
) -> None:
    taken = await snapshot(admin, machine)
    driver.fail_next("snapshots.delete", DriverFailed("QEMU said no"))
    assert (await admin.delete(taken)).status == 500
    assert (await admin.document(taken))["state"] == "AVAILABLE"
    assert (await admin.delete(taken)).status == 200


async def test_a_snapshot_that_cannot_be_undone_stays_in_sight_and_may_be_deleted(
    admin: ApiClient, machine: str, driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_arguments: Any) -> None:
        raise DriverFailed("QEMU said no")

    driver.fail_next("snapshots.take", DriverFailed("QEMU said no"))
    with monkeypatch.context() as patch:
        patch.setattr(driver.snapshots, "delete", broken)
        patch.setattr(execution, "UNDO_TRIES", 1)
        answer = await admin.post(f"{machine}/snapshot", {}, Prefer="wait=30")
    assert answer.status == 500
    (left,) = await listed(admin, machine)
    assert (await admin.document(left))["state"] == "ERROR"
    assert await latest(admin, machine) is None
    assert (await admin.delete(left)).status == 200
    assert await listed(admin, machine) == []


async def test_a_failed_restore_leaves_latest_where_it_was(
    admin: ApiClient, machine: str, driver: MemoryDriver
) -> None:
    first, second = await snapshot(admin, machine), await snapshot(admin, machine)
    driver.fail_next("snapshots.revert", DriverFailed("QEMU said no"))
    assert (await admin.acted(machine, "restore", image={"href": first}))["state"] == "FAILED"
    assert await latest(admin, machine) == second
    assert (await admin.document(machine))["state"] == "STARTED"


async def test_a_retried_snapshot_with_one_key_is_taken_once(admin: ApiClient, machine: str) -> None:
    answers = [await admin.post(f"{machine}/snapshot", {"name": "s"}, Idempotency_Key="k") for _ in range(2)]
    assert answers[0].location == answers[1].location
    assert len(await listed(admin, machine)) == 1


# What is impossible is not offered


async def test_a_machine_with_uefi_firmware_offers_no_snapshot(
    admin: ApiClient, machine: str, driver: MemoryDriver, gateway: object
) -> None:
    await make_uefi(gateway, machine)
    offered = await verbs(admin, machine)
    assert "snapshot" not in offered
    assert "capture" in offered
    answer = await admin.post(f"{machine}/snapshot", {})
    assert answer.status == 501
    assert "UEFI" in answer.message


async def test_a_raw_disk_refuses_the_snapshot_with_the_reason(
    admin: ApiClient, machine: str, driver: MemoryDriver
) -> None:
    facts = driver.state.domains[uuid_of(machine)]
    driver.state.domains[uuid_of(machine)] = replace(facts, disks=(replace(facts.disks[0], format="raw"),))
    answer = await admin.post(f"{machine}/snapshot", {})
    assert answer.status == 501
    assert "qcow2" in answer.message


async def test_external_snapshots_of_an_admin_are_not_mixed_with(
    admin: ApiClient, machine: str, driver: MemoryDriver
) -> None:
    taken = await driver.snapshots.take(uuid_of(machine), "of an admin")
    driver.state.snapshots[uuid_of(machine)]["of an admin"] = (
        replace(taken, inside=False),
        driver.state.domains[uuid_of(machine)],
    )
    answer = await admin.post(f"{machine}/snapshot", {})
    assert answer.status == 409
    assert "external" in answer.message

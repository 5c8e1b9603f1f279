"""Snapshots, restore and capture through the API, with a client's eyes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from drivers.base import DriverFailed, DriverNoSpace, Power, VolumeFacts
from drivers.memory import MemoryDriver
from gateway.jobs import execution
from tests.api.client import ACTION, Answer, ApiClient
from tests.api.conftest import qcow2
from tests.api.test_machines import NAMESPACE, uuid_of, verbs


async def snapshot(client: ApiClient, machine: str, **document: object) -> str:
    """URL of a finished snapshot."""
    answer = await client.post(f"{machine}/snapshot", document)
    assert answer.status == 201, answer.text
    return answer.location


async def related(client: ApiClient, image: str) -> str | None:
    href: str | None = (await client.document(image)).get("relatedImage", {}).get("href")
    return href


async def latest(client: ApiClient, machine: str) -> str | None:
    href: str | None = (await client.document(machine)).get("latestSnapshot", {}).get("href")
    return href


async def listed(client: ApiClient, machine: str) -> list[str]:
    collection = await client.document(f"{machine}/snapshots")
    return [entry["snapshot"]["href"] for entry in collection.get("machineSnapshots", [])]


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
    assert driver.taken[uuid_of(machine)] == {}


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
    assert list(driver.taken[uuid_of(machine)]) == [uuid_of(above)]


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
    assert driver.taken == {}


async def test_a_failed_snapshot_leaves_no_image_and_the_machine_as_it_was(
    admin: ApiClient, machine: str, driver: MemoryDriver
) -> None:
    driver.fail_next("take_snapshot", DriverNoSpace("the pool is full"))
    answer = await admin.post(f"{machine}/snapshot", {})
    assert answer.status == 507
    assert (await admin.document("machineImages?$filter=type='SNAPSHOT'"))["count"] == 0
    assert (await admin.document(machine))["state"] == "STARTED"
    assert await latest(admin, machine) is None


async def test_a_snapshot_that_cannot_be_dropped_may_be_dropped_later(
    admin: ApiClient, machine: str, driver: MemoryDriver
) -> None:
    taken = await snapshot(admin, machine)
    driver.fail_next("delete_snapshot", DriverFailed("QEMU said no"))
    assert (await admin.delete(taken)).status == 500
    assert (await admin.document(taken))["state"] == "AVAILABLE"
    assert (await admin.delete(taken)).status == 200


async def test_a_snapshot_that_cannot_be_undone_stays_in_sight_and_may_be_deleted(
    admin: ApiClient, machine: str, driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_arguments: Any) -> None:
        raise DriverFailed("QEMU said no")

    driver.fail_next("take_snapshot", DriverFailed("QEMU said no"))
    with monkeypatch.context() as patch:
        patch.setattr(driver, "delete_snapshot", broken)
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
    driver.fail_next("revert_snapshot", DriverFailed("QEMU said no"))
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


async def make_uefi(gateway: object, machine: str) -> None:
    store = gateway.store  # type: ignore[attr-defined]
    path = "machines/" + uuid_of(machine)
    async with store.transaction() as transaction:
        await transaction.update((await transaction.get(path)).with_internal(uefi=True))


async def test_a_raw_disk_refuses_the_snapshot_with_the_reason(
    admin: ApiClient, machine: str, driver: MemoryDriver
) -> None:
    facts = driver.known[uuid_of(machine)]
    driver.known[uuid_of(machine)] = replace(facts, disks=(replace(facts.disks[0], format="raw"),))
    answer = await admin.post(f"{machine}/snapshot", {})
    assert answer.status == 501
    assert "qcow2" in answer.message


async def test_external_snapshots_of_an_admin_are_not_mixed_with(
    admin: ApiClient, machine: str, driver: MemoryDriver
) -> None:
    taken = await driver.take_snapshot(uuid_of(machine), "of an admin")
    driver.taken[uuid_of(machine)]["of an admin"] = (replace(taken, inside=False), driver.known[uuid_of(machine)])
    answer = await admin.post(f"{machine}/snapshot", {})
    assert answer.status == 409
    assert "external" in answer.message


# Bad input


async def test_a_suspended_machine_can_be_restored_and_captured_and_not_snapshot(
    admin: ApiClient, machine: str
) -> None:
    taken = await snapshot(admin, machine)
    await admin.acted(machine, "suspend")
    assert (await verbs(admin, machine)) & {"snapshot", "restore", "capture"} == {"restore", "capture"}
    answer = await admin.post(f"{machine}/snapshot", {})
    assert answer.status == 409
    assert "SUSPENDED" in answer.message
    await admin.acted(machine, "restore", image={"href": taken})
    assert (await admin.document(machine))["state"] == "STARTED"


async def refused(answer: Answer, status: int, words: str) -> None:
    assert answer.status == status, answer.text
    assert words in answer.message


async def test_restore_without_an_image_names_what_is_missing(admin: ApiClient, machine: str) -> None:
    await refused(await admin.act(machine, "restore"), 400, "image: is missing")


async def test_restore_from_another_machines_snapshot_is_refused(
    admin: ApiClient, machine: str, image: str
) -> None:
    other = (await admin.post("machines", admin.machine(image))).location
    taken = await snapshot(admin, other)
    await refused(await admin.act(machine, "restore", image={"href": taken}), 400, "image: is a snapshot of another")


async def test_restore_from_what_is_no_image_is_refused(admin: ApiClient, machine: str) -> None:
    for href in (machine, "http://elsewhere.example/machineImages/1", "machineImages/none"):
        await refused(await admin.act(machine, "restore", image={"href": href}), 400, "image")


async def test_another_user_neither_takes_nor_restores_nor_deletes(
    client: Callable[..., ApiClient], admin: ApiClient, machine: str
) -> None:
    taken = await snapshot(admin, machine)
    other = client("other")
    assert (await other.post(f"{machine}/snapshot", {})).status == 404
    body = {"type": "SNAPSHOT", "imageLocation": machine}
    await refused(await other.post("machineImages", body), 400, "imageLocation: there is no Machine")
    assert (await other.delete(taken)).status == 404
    assert (await client("viewer").post(f"{machine}/snapshot", {})).status in (403, 404)


async def test_the_owner_sees_and_restores_the_snapshot_which_an_admin_took(
    client: Callable[..., ApiClient], admin: ApiClient, image: str
) -> None:
    owner = client("operator")
    machine = (await owner.post("machines", owner.machine(image))).location
    taken = await snapshot(admin, machine)
    assert (await owner.acted(machine, "restore", image={"href": taken}))["state"] == "SUCCESS"


async def test_the_snapshots_uri_makes_no_image_of_another_type_or_machine(
    admin: ApiClient, machine: str, image: str
) -> None:
    await refused(await admin.post(f"{machine}/snapshot", {"type": "IMAGE"}), 400, "type: snapshot does not make")
    await refused(await admin.post(f"{machine}/capture", {"type": "SNAPSHOT"}), 400, "type: capture does not make")
    body = {"imageLocation": image}
    await refused(await admin.post(f"{machine}/snapshot", body), 400, "imageLocation: is not the Machine")


async def test_a_snapshot_of_something_else_than_a_machine_is_refused(
    admin: ApiClient, machine: str, image: str
) -> None:
    body = {"type": "SNAPSHOT", "imageLocation": "file:///etc/passwd"}
    await refused(await admin.post("machineImages", body), 400, "type: only what is taken from a Machine")


async def test_disks_only_must_be_true_or_false(admin: ApiClient, machine: str) -> None:
    answer = await admin.post(f"{machine}/snapshot", {"properties": {"disksOnly": "perhaps"}})
    await refused(answer, 400, "properties.disksOnly")


async def test_memory_that_does_not_fit_the_pool_is_refused_before_anything_happens(
    admin: ApiClient, machine: str, driver: MemoryDriver
) -> None:
    driver.pool_capacity = 1024**2
    await refused(await admin.post(f"{machine}/snapshot", {}), 507, "disksOnly")
    assert (await admin.document(machine))["state"] == "STARTED"


async def test_a_snapshot_has_no_bytes_to_download(admin: ApiClient, machine: str) -> None:
    taken = await snapshot(admin, machine)
    assert "download" not in await verbs(admin, taken)
    await refused(await admin.get(f"{taken}/download"), 409, "no bytes of its own")


async def test_a_volume_which_a_snapshot_covers_stays_connected_until_that_is_deleted(
    admin: ApiClient, machine: str
) -> None:
    volume = (await admin.post("volumes", volume_create())).location
    attached = (await admin.post(f"{machine}/volumes", {"volume": {"href": volume}})).location
    taken = await snapshot(admin, machine)
    await refused(await admin.delete(attached), 409, "is a snapshot of this disk too")
    await admin.delete(taken)
    assert (await admin.delete(attached)).status == 200


async def test_a_machine_with_a_raw_volume_offers_no_snapshot(admin: ApiClient, machine: str) -> None:
    volume = (await admin.post("volumes", volume_create(format="raw"))).location
    attached = await admin.post(f"{machine}/volumes", {"volume": {"href": volume}})
    assert attached.status == 201, attached.text
    assert "snapshot" not in await verbs(admin, machine)
    await refused(await admin.post(f"{machine}/snapshot", {}), 501, "qcow2")
    await admin.delete(attached.location)
    assert "snapshot" in await verbs(admin, machine)


def volume_create(**configuration: str) -> dict[str, Any]:
    return {"volumeTemplate": {"volumeConfig": {"type": "mapped", "capacity": 1000, **configuration}}}


async def test_a_machine_is_not_made_from_a_snapshot(admin: ApiClient, machine: str) -> None:
    taken = await snapshot(admin, machine)
    answer = await admin.post("machines", admin.machine(taken))
    await refused(answer, 400, "machineTemplate.machineImage: is a snapshot")


async def test_restore_is_refused_while_other_disks_are_plugged_in(
    admin: ApiClient, machine: str, driver: MemoryDriver
) -> None:
    taken = await snapshot(admin, machine)
    facts = driver.known[uuid_of(machine)]
    added = replace(facts.disks[0], target="vdz", source="volume.qcow2")
    driver.known[uuid_of(machine)] = replace(facts, disks=(*facts.disks, added))
    await refused(await admin.act(machine, "restore", image={"href": taken}), 409, "vdz")


async def test_restore_is_refused_when_the_snapshot_was_deleted_outside(
    admin: ApiClient, machine: str, driver: MemoryDriver
) -> None:
    taken = await snapshot(admin, machine)
    driver.taken[uuid_of(machine)].clear()
    await refused(await admin.act(machine, "restore", image={"href": taken}), 409, "does not have this snapshot")
    assert (await admin.delete(taken)).status == 200


# Capture


async def test_a_capture_of_a_running_machine_leaves_it_started_and_makes_a_usable_image(
    admin: ApiClient, machine: str
) -> None:
    answer = await admin.post(f"{machine}/capture", {"name": "gold"})
    assert answer.status == 201, answer.text
    document = await admin.document(answer.location)
    assert (document["type"], document["state"], document["name"]) == ("IMAGE", "AVAILABLE", "gold")
    assert document["imageLocation"] == f"{answer.location}/download"
    assert "relatedImage" not in document
    assert (await admin.document(machine))["state"] == "STARTED"
    assert (await admin.post("machines", admin.machine(answer.location))).status == 201


@pytest.mark.parametrize(("verb", "state"), [("stop", "STOPPED"), ("suspend", "SUSPENDED")])
async def test_a_capture_of_a_machine_that_is_off_leaves_it_so(
    admin: ApiClient, machine: str, verb: str, state: str
) -> None:
    await admin.acted(machine, verb)
    answer = await admin.post("machineImages", {"type": "IMAGE", "imageLocation": machine})
    assert answer.status == 201, answer.text
    assert (await admin.document(machine))["state"] == state


async def test_a_captured_image_belongs_to_who_captured_it_and_is_not_shared(
    client: Callable[..., ApiClient], admin: ApiClient, machine: str
) -> None:
    made = (await admin.post(f"{machine}/capture", {})).location
    assert (await client("operator").get(made)).status == 404


async def test_a_captured_image_outlives_its_machine(admin: ApiClient, machine: str) -> None:
    made = (await admin.post(f"{machine}/capture", {})).location
    await admin.delete(machine)
    assert (await admin.document(made))["state"] == "AVAILABLE"


async def test_a_failed_capture_leaves_nothing(admin: ApiClient, machine: str, driver: MemoryDriver) -> None:
    before = set(driver.stored)
    driver.fail_next("copy_active_disk", DriverFailed("QEMU ended"))
    answer = await admin.post(f"{machine}/capture", {})
    assert answer.status == 500
    assert set(driver.stored) == before
    assert (await admin.document("machineImages"))["count"] == 1
    assert (await admin.document(machine))["state"] == "STARTED"


async def test_a_capture_that_does_not_fit_the_pool_is_refused(
    admin: ApiClient, machine: str, driver: MemoryDriver
) -> None:
    driver.pool_capacity = 1024**2
    await refused(await admin.post(f"{machine}/capture", {}), 507, "bytes free")


async def test_a_guest_that_powered_off_before_its_live_capture_fails_it(
    admin: ApiClient, machine: str, driver: MemoryDriver
) -> None:
    facts = driver.known[uuid_of(machine)]
    driver.known[uuid_of(machine)] = replace(facts, power=Power.OFF)
    await refused(await admin.post(f"{machine}/capture", {}), 409, "stopped")
    assert (await admin.document("machineImages"))["count"] == 1



async def test_a_machine_that_is_off_is_capturing_until_its_disk_is_copied(
    admin: ApiClient, machine: str, driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    await admin.acted(machine, "stop")
    copied, clone = asyncio.Event(), driver.clone_volume

    async def slow(*arguments: Any) -> VolumeFacts:
        await copied.wait()
        return await clone(*arguments)

    monkeypatch.setattr(driver, "clone_volume", slow)
    answer = await admin.post(f"{machine}/capture", {}, Prefer="respond-async")
    assert (await admin.document(machine))["state"] == "CAPTURING"
    assert await verbs(admin, machine) == {"console"}
    await refused(await admin.act(machine, "start"), 409, "CAPTURING")
    copied.set()
    assert (await admin.ended(answer.job))["state"] == "SUCCESS"
    assert (await admin.document(machine))["state"] == "STOPPED"


async def test_deleting_an_image_that_is_being_captured_ends_the_copy(
    admin: ApiClient, machine: str, driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def endless(*_arguments: Any) -> VolumeFacts:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(driver, "copy_active_disk", endless)
    answer = await admin.post(f"{machine}/capture", {}, Prefer="respond-async")
    await refused(await admin.post(f"{machine}/snapshot", {}), 409, "is being copied")
    removed = await admin.delete(answer.location)
    assert removed.status == 200, removed.text
    assert (await admin.get(answer.location)).status == 404
    assert (await admin.ended(answer.job))["state"] == "STOPPED"


# Restore from an image that is no snapshot


async def test_restore_from_an_image_gives_a_new_boot_disk_and_boots_from_it(
    admin: ApiClient, machine: str, image: str, driver: MemoryDriver
) -> None:
    before = {name for _, name in driver.stored}
    assert (await admin.acted(machine, "restore", image={"href": image}))["state"] == "SUCCESS"
    assert (await admin.document(machine))["state"] == "STARTED"
    after = {name for _, name in driver.stored}
    assert len(after) == len(before)
    (made,) = after - before
    assert driver.known[uuid_of(machine)].disks[0].source.endswith(made)
    await admin.delete(machine)
    assert {name for _, name in driver.stored} == {f"cimi-image-{uuid_of(image)}.qcow2"}


async def test_a_stopped_machine_restored_from_an_image_stays_stopped(
    admin: ApiClient, machine: str, image: str
) -> None:
    await admin.acted(machine, "stop")
    await admin.acted(machine, "restore", image={"href": image})
    assert (await admin.document(machine))["state"] == "STOPPED"


async def test_a_larger_image_makes_the_disk_larger(admin: ApiClient, machine: str, images: Path) -> None:
    (images / "large.qcow2").write_bytes(qcow2(64 * 1024**2))
    location = f"file://{images / 'large.qcow2'}"
    large = (await admin.post("machineImages", {"imageLocation": location})).location
    await admin.acted(machine, "restore", image={"href": large})
    (disk,) = (await admin.document(f"{machine}/disks"))["disks"]
    assert disk["capacity"] == -(-64 * 1024**2 // 1000)


async def test_a_failed_restore_from_an_image_leaves_the_old_disk_in_its_place(
    admin: ApiClient, machine: str, image: str, driver: MemoryDriver
) -> None:
    stored, disks = set(driver.stored), driver.known[uuid_of(machine)].disks
    driver.fail_next("start_domain", DriverFailed("QEMU said no"))
    assert (await admin.acted(machine, "restore", image={"href": image}))["state"] == "FAILED"
    assert set(driver.stored) == stored
    assert driver.known[uuid_of(machine)].disks == disks
    assert (await admin.document(machine))["state"] == "STOPPED"
    assert (await admin.acted(machine, "start"))["state"] == "SUCCESS"


async def test_an_image_is_not_deleted_while_a_disk_is_made_from_it(
    admin: ApiClient, machine: str, image: str, driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = (await admin.post(f"{machine}/capture", {})).location
    made, overlay = asyncio.Event(), driver.overlay_volume

    async def slow(*arguments: Any) -> VolumeFacts:
        await made.wait()
        return await overlay(*arguments)

    monkeypatch.setattr(driver, "overlay_volume", slow)
    answer = await admin.act(machine, "restore", image={"href": other})
    await refused(await admin.delete(other), 409, "overlays of this image")
    made.set()
    assert (await admin.ended(answer.job))["state"] == "SUCCESS"
    await refused(await admin.delete(other), 409, "overlays of this image")
    assert (await admin.delete(image)).status == 200


async def test_a_machine_with_snapshots_is_not_restored_from_another_image(
    admin: ApiClient, machine: str, image: str
) -> None:
    await snapshot(admin, machine)
    await refused(await admin.act(machine, "restore", image={"href": image}), 409, "delete them first")


async def test_the_firmware_of_image_and_machine_must_agree(
    admin: ApiClient, machine: str, image: str, gateway: object
) -> None:
    await make_uefi(gateway, machine)
    await refused(await admin.act(machine, "restore", image={"href": image}), 400, "firmware")

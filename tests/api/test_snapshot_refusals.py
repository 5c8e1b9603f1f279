"""Snapshots and restores that cannot be, and who may not: refused with the reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from drivers.memory import MemoryDriver
from tests.api.client import ApiClient
from tests.api.operations import verbs
from tests.api.snapshots import refused, snapshot, volume_create
from tests.urls import uuid_of

pytestmark = pytest.mark.slow

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


async def test_restore_without_an_image_names_what_is_missing(admin: ApiClient, machine: str) -> None:
    await refused(await admin.act(machine, "restore"), 400, "image: is missing")


async def test_restore_from_another_machines_snapshot_is_refused(admin: ApiClient, machine: str, image: str) -> None:
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
    driver.state.pool_capacity = 1024**2
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


async def test_a_machine_is_not_made_from_a_snapshot(admin: ApiClient, machine: str) -> None:
    taken = await snapshot(admin, machine)
    answer = await admin.post("machines", admin.machine(taken))
    await refused(answer, 400, "machineTemplate.machineImage: is a snapshot")


async def test_restore_is_refused_while_other_disks_are_plugged_in(
    admin: ApiClient, machine: str, driver: MemoryDriver
) -> None:
    taken = await snapshot(admin, machine)
    facts = driver.state.domains[uuid_of(machine)]
    added = replace(facts.disks[0], target="vdz", source="volume.qcow2")
    driver.state.domains[uuid_of(machine)] = replace(facts, disks=(*facts.disks, added))
    await refused(await admin.act(machine, "restore", image={"href": taken}), 409, "vdz")


async def test_restore_is_refused_when_the_snapshot_was_deleted_outside(
    admin: ApiClient, machine: str, driver: MemoryDriver
) -> None:
    taken = await snapshot(admin, machine)
    driver.state.snapshots[uuid_of(machine)].clear()
    await refused(await admin.act(machine, "restore", image={"href": taken}), 409, "does not have this snapshot")
    assert (await admin.delete(taken)).status == 200

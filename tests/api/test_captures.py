"""Images captured from Machines, and Machines restored from images that are no snapshots."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from drivers.base import DriverFailed, Power, VolumeFacts
from drivers.memory import MemoryDriver
from tests.api.client import ApiClient
from tests.api.operations import verbs
from tests.api.snapshots import make_uefi, refused, snapshot
from tests.empty_image import qcow2
from tests.urls import uuid_of

pytestmark = pytest.mark.slow

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
    before = set(driver.state.volumes)
    driver.fail_next("copies.make", DriverFailed("QEMU ended"))
    answer = await admin.post(f"{machine}/capture", {})
    assert answer.status == 500
    assert set(driver.state.volumes) == before
    assert (await admin.document("machineImages"))["count"] == 1
    assert (await admin.document(machine))["state"] == "STARTED"


async def test_a_capture_that_does_not_fit_the_pool_is_refused(
    admin: ApiClient, machine: str, driver: MemoryDriver
) -> None:
    driver.state.pool_capacity = 1024**2
    await refused(await admin.post(f"{machine}/capture", {}), 507, "bytes free")


async def test_a_guest_that_powered_off_before_its_live_capture_fails_it(
    admin: ApiClient, machine: str, driver: MemoryDriver
) -> None:
    facts = driver.state.domains[uuid_of(machine)]
    driver.state.domains[uuid_of(machine)] = replace(facts, power=Power.OFF)
    await refused(await admin.post(f"{machine}/capture", {}), 409, "stopped")
    assert (await admin.document("machineImages"))["count"] == 1


async def test_a_machine_that_is_off_is_capturing_until_its_disk_is_copied(
    admin: ApiClient, machine: str, driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    await admin.acted(machine, "stop")
    copied, clone = asyncio.Event(), driver.storage.clone_volume

    async def slow(*arguments: Any) -> VolumeFacts:
        await copied.wait()
        return await clone(*arguments)

    monkeypatch.setattr(driver.storage, "clone_volume", slow)
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

    monkeypatch.setattr(driver.copies, "make", endless)
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
    before = {name for _, name in driver.state.volumes}
    assert (await admin.acted(machine, "restore", image={"href": image}))["state"] == "SUCCESS"
    assert (await admin.document(machine))["state"] == "STARTED"
    after = {name for _, name in driver.state.volumes}
    assert len(after) == len(before)
    (made,) = after - before
    assert driver.state.domains[uuid_of(machine)].disks[0].source.endswith(made)
    await admin.delete(machine)
    assert {name for _, name in driver.state.volumes} == {f"cimi-image-{uuid_of(image)}.qcow2"}


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
    stored, disks = set(driver.state.volumes), driver.state.domains[uuid_of(machine)].disks
    driver.fail_next("domains.start", DriverFailed("QEMU said no"))
    assert (await admin.acted(machine, "restore", image={"href": image}))["state"] == "FAILED"
    assert set(driver.state.volumes) == stored
    assert driver.state.domains[uuid_of(machine)].disks == disks
    assert (await admin.document(machine))["state"] == "STOPPED"
    assert (await admin.acted(machine, "start"))["state"] == "SUCCESS"


async def test_an_image_is_not_deleted_while_a_disk_is_made_from_it(
    admin: ApiClient, machine: str, image: str, driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = (await admin.post(f"{machine}/capture", {})).location
    made, overlay = asyncio.Event(), driver.storage.overlay_volume

    async def slow(*arguments: Any) -> VolumeFacts:
        await made.wait()
        return await overlay(*arguments)

    monkeypatch.setattr(driver.storage, "overlay_volume", slow)
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

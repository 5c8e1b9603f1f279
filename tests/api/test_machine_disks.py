"""Disks of a Machine: added, grown and removed, while it runs and while it is off."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from drivers.base import DriverFailed
from drivers.memory import MemoryDriver
from tests.api.client import ApiClient
from tests.api.namespaces import NAMESPACE
from tests.api.operations import rels
from tests.api.volumes import targets

pytestmark = pytest.mark.slow


async def test_a_disk_is_added_and_removed_while_the_machine_runs(
    admin: ApiClient, machine: str, driver: MemoryDriver
) -> None:
    made = await admin.post(f"{machine}/disks", {"capacity": 30_000, "initialLocation": "/dev/vdk"})
    assert made.status == 201, made.text
    assert (made.json["capacity"], made.json["initialLocation"]) == (30_000, "/dev/vdk")
    assert targets(driver, machine) == ["sda", "vda", "vdk"]
    before = len(driver.state.volumes)
    assert (await admin.delete(made.location)).status == 200
    assert targets(driver, machine) == ["sda", "vda"]
    assert len(driver.state.volumes) == before - 1
    assert (await admin.document(f"{machine}/disks"))["count"] == 1


async def test_an_added_disk_goes_with_its_machine(admin: ApiClient, machine: str, driver: MemoryDriver) -> None:
    await admin.post(f"{machine}/disks", {"capacity": 30_000})
    assert (await admin.delete(machine)).status == 200
    assert [name for _, name in driver.state.volumes if not name.startswith("cimi-image")] == []


async def test_the_boot_disk_is_not_removed_and_offers_no_delete(admin: ApiClient, machine: str) -> None:
    assert await rels(admin, f"{machine}/disks/vda") == {"edit"}
    assert (await admin.delete(f"{machine}/disks/vda")).status == 409


@pytest.mark.parametrize(
    ("document", "status", "named"),
    [
        ({}, 400, "capacity"),
        ({"capacity": 0}, 400, "capacity"),
        ({"capacity": 9 * 10**12}, 400, "capacity"),
        ({"capacity": 9, "initialLocation": "C:"}, 400, "initialLocation"),
        ({"capacity": 9, "initialLocation": "/dev/vda"}, 409, "initialLocation"),
    ],
)
async def test_a_disk_that_cannot_be_is_refused_and_named(
    admin: ApiClient, machine: str, document: dict[str, Any], status: int, named: str
) -> None:
    answer = await admin.post(f"{machine}/disks", document)
    assert answer.status == status
    assert answer.message.startswith(f"{named}:")
    assert (await admin.document(f"{machine}/disks"))["count"] == 1


async def test_a_failed_disk_leaves_neither_record_nor_storage(
    admin: ApiClient, machine: str, driver: MemoryDriver
) -> None:
    before = dict(driver.state.volumes)
    driver.fail_next("devices.attach_disk", DriverFailed("QEMU said no"))
    assert (await admin.post(f"{machine}/disks", {"capacity": 30_000})).status == 500
    assert driver.state.volumes == before
    assert (await admin.document(f"{machine}/disks"))["count"] == 1


def size_of(driver: MemoryDriver, machine: str, target: str) -> int:
    """Of the storage behind the Machine's disk, in bytes."""
    uuid = machine.rpartition("/")[2]
    source = next(disk.source for disk in driver.state.domains[uuid].disks if disk.target == target)
    return next(volume.capacity for volume in driver.state.volumes.values() if volume.path == source)


@pytest.mark.parametrize("state", ["STARTED", "STOPPED"])
async def test_disks_grow_while_the_machine_runs_and_while_it_is_off(
    admin: ApiClient, machine: str, driver: MemoryDriver, state: str
) -> None:
    disk = (await admin.post(f"{machine}/disks", {"capacity": 30_000})).location
    if state == "STOPPED":
        await admin.acted(machine, "stop", force=True)
    else:
        driver.fail_next("storage.grow_volume", DriverFailed("a running guest has it"))
    for url, target in ((f"{machine}/disks/vda", "vda"), (disk, "vdb")):
        assert "edit" in await rels(admin, url)
        grown = await admin.put(url, {"capacity": 90_000})
        assert (grown.status, grown.json["capacity"]) == (200, 90_000)
        assert size_of(driver, machine, target) >= 90_000_000


async def test_an_xml_client_grows_a_disk(client: Callable[..., ApiClient], machine: str, driver: MemoryDriver) -> None:
    xml = client("admin", "xml")
    grown = await xml.put(f"{machine}/disks/vda?$select=capacity", b"<Disk><capacity>90000</capacity></Disk>")
    assert grown.status == 200, grown.text
    assert grown.xml.findtext(f"{NAMESPACE}capacity") == "90000"
    assert size_of(driver, machine, "vda") >= 90_000_000


async def test_a_disk_grows_into_nothing_that_volumes_were_promised(admin: ApiClient, machine: str) -> None:
    promised = {"volumeTemplate": {"volumeConfig": {"capacity": 6 * 10**6}}}
    assert (await admin.post("volumes", promised, Prefer="wait=30")).status == 201
    answer = await admin.put(f"{machine}/disks/vda?$select=capacity", {"capacity": 6 * 10**6})
    assert (answer.status, answer.message.partition(":")[0]) == (507, "capacity")


@pytest.mark.parametrize(("capacity", "status"), [(29_000, 400), (0, 400), ("much", 400), (9 * 10**12, 400)])
async def test_a_disk_that_would_shrink_or_has_no_room_stays_as_it_is(
    admin: ApiClient, machine: str, driver: MemoryDriver, capacity: object, status: int
) -> None:
    disk = (await admin.post(f"{machine}/disks", {"capacity": 30_000})).location
    before = dict(driver.state.volumes)
    answer = await admin.put(disk, {"capacity": capacity})
    assert answer.status == status
    assert answer.message.startswith("capacity:")
    assert ((await admin.document(disk))["capacity"], driver.state.volumes) == (30_000, before)


async def test_an_edit_of_a_disk_that_changes_nothing_is_done_at_once(admin: ApiClient, machine: str) -> None:
    disk = await admin.document(f"{machine}/disks/vda")
    answer = await admin.put(disk["id"], {"name": "other", "initialLocation": "/dev/vdz"})
    assert (answer.status, answer.json) == (200, disk)


async def test_a_failed_growth_of_a_disk_tells_the_truth(admin: ApiClient, machine: str, driver: MemoryDriver) -> None:
    before = await admin.document(f"{machine}/disks/vda")
    driver.fail_next("devices.grow_disk", DriverFailed("QEMU said no"))
    assert (await admin.put(f"{machine}/disks/vda", {"capacity": 90_000})).status == 500
    after = await admin.document(f"{machine}/disks/vda")
    assert (after["capacity"], "edit" in await rels(admin, after["id"])) == (before["capacity"], True)


async def test_a_disk_of_a_suspended_machine_and_one_that_a_snapshot_holds_do_not_grow(
    admin: ApiClient, machine: str
) -> None:
    taken = await admin.post(f"{machine}/snapshot", {})
    held = await admin.put(f"{machine}/disks/vda", {"capacity": 90_000})
    assert (held.status, "snapshot" in held.message) == (409, True)
    assert (await admin.delete(taken.location)).status == 200
    await admin.acted(machine, "suspend")
    assert (await admin.put(f"{machine}/disks/vda", {"capacity": 90_000})).status == 409
    assert "edit" not in await rels(admin, f"{machine}/disks/vda")


async def test_others_do_not_grow_a_disk(client: Callable[..., ApiClient], admin: ApiClient, machine: str) -> None:
    assert (await client("operator").put(f"{machine}/disks/vda", {"capacity": 90_000})).status == 404

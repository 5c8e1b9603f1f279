"""Machines whose default pool holds no files: their disks are raw, and the first is a full copy of the image."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.memory import MemoryDriver
from tests.api.client import ApiClient

GIB = 1024**3


@pytest.fixture
def driver() -> MemoryDriver:
    driver = MemoryDriver()
    driver.state.pool_kinds["default"] = "logical"
    return driver


@pytest.fixture
async def image(admin: ApiClient, images: Path) -> str:
    """It begins with a boot sector."""
    (images / "guest.raw").write_bytes((b"\xfa" * 510 + b"\x55\xaa").ljust(1024**2, b"\0"))
    made = await admin.post("machineImages", {"imageLocation": f"file://{images / 'guest.raw'}"})
    assert made.status == 201, made.text
    return made.location


def disks(driver: MemoryDriver, machine: str) -> dict[str, tuple[str, str | None]]:
    """Format and base of the Machine's disks, by target."""
    made = [volume for (_, name), volume in driver.state.volumes.items() if machine.rpartition("/")[2] in name]
    named = {volume.name.rpartition("-")[2].partition(".")[0]: (volume.format, volume.backing) for volume in made}
    return {target: facts for target, facts in named.items() if target != "seed"}


async def test_the_boot_disk_is_a_raw_copy_and_no_overlay(admin: ApiClient, machine: str, driver: MemoryDriver) -> None:
    assert disks(driver, machine) == {"vda": ("raw", None)}
    assert (await admin.document(machine))["state"] == "STARTED"


async def test_further_disks_are_raw_too(admin: ApiClient, image: str, driver: MemoryDriver) -> None:
    config = {"cpu": 1, "memory": 131072, "disks": [{"capacity": 40_000}, {"capacity": 20_000}]}
    made = await admin.post("machines", admin.machine(image, machineConfig=config))
    assert made.status == 201, made.text
    await admin.post(f"{made.location}/disks", {"capacity": 20_000})
    assert disks(driver, made.location) == dict.fromkeys(("vda", "vdb", "vdc"), ("raw", None))


async def test_the_domain_reads_its_disk_as_raw(machine: str, driver: MemoryDriver) -> None:
    found = driver.state.domains[machine.rpartition("/")[2]].disks
    assert next(disk.format for disk in found if disk.target == "vda") == "raw"


async def test_raw_disks_must_fit_into_the_pool_together(admin: ApiClient, image: str, driver: MemoryDriver) -> None:
    six = {"capacity": 6 * GIB // 1000}
    config = {"cpu": 1, "memory": 131072, "disks": [six, six]}
    refused = await admin.post("machines", admin.machine(image, machineConfig=config))
    assert refused.status == 409
    assert "bytes free" in refused.message


async def test_such_a_machine_is_deleted_without_a_rest(admin: ApiClient, machine: str, driver: MemoryDriver) -> None:
    assert (await admin.delete(machine)).status == 200
    assert [name for _, name in driver.state.volumes if not name.startswith("cimi-image")] == []


async def test_a_disk_of_a_pool_that_cannot_grow_volumes_says_so(admin: ApiClient, machine: str) -> None:
    answer = await admin.put(f"{machine}/disks/vda", {"capacity": 90_000})
    assert (answer.status, answer.message.startswith("capacity:")) == (501, True)


async def test_volumes_that_took_their_room_are_not_counted_twice(admin: ApiClient) -> None:
    """The pool has 10 GiB, and shows at once what a Volume took."""
    template = {"volumeTemplate": {"volumeConfig": {"capacity": 4_000_000}}}
    made = [await admin.post("volumes", template) for _ in range(3)]
    assert [answer.status for answer in made] == [201, 201, 507]
    assert (await admin.delete(made[0].location)).status == 200
    assert (await admin.post("volumes", template)).status == 201

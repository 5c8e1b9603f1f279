"""A Volume on two Machines at once: only in a pool that is configured as shareable (capability SharedVolumeSupport)."""

from __future__ import annotations

from typing import Any

import pytest

from drivers.base import PoolSettings
from drivers.memory import MemoryDriver
from tests.api.client import ApiClient
from tests.api.volumes import by_value, connected, targets

SHARED = "http://example.org/shared"


@pytest.fixture
def hypervisor() -> dict[str, Any]:
    return {"pools": (PoolSettings("shared", types=[SHARED], formats=["raw"], shareable=True),)}


@pytest.fixture(autouse=True)
def pool(driver: MemoryDriver) -> None:
    driver.state.pools.add("shared")


@pytest.fixture
async def second(admin: ApiClient, image: str) -> str:
    return (await admin.post("machines", admin.machine(image))).location


async def volume_of(admin: ApiClient, **config: Any) -> str:
    made = await admin.post("volumes", by_value(**config))
    assert made.status == 201, made.text
    return made.location


async def test_a_volume_of_a_shareable_pool_is_connected_to_two_machines(
    admin: ApiClient, machine: str, second: str, driver: MemoryDriver
) -> None:
    volume = await volume_of(admin, type=SHARED)
    for one in (machine, second):
        made = await admin.post(f"{one}/volumes", connected(volume))
        assert made.status == 201, made.text
        assert targets(driver, one) == ["sda", "vda", "vdb"]


async def test_it_stays_with_the_other_machine_when_one_lets_it_go(
    admin: ApiClient, machine: str, second: str, driver: MemoryDriver
) -> None:
    volume = await volume_of(admin, type=SHARED)
    first, other = [(await admin.post(f"{one}/volumes", connected(volume))).location for one in (machine, second)]
    assert (await admin.delete(first)).status == 200
    assert targets(driver, second) == ["sda", "vda", "vdb"]
    assert (await admin.delete(volume)).status == 409
    assert (await admin.delete(other)).status == 200
    assert (await admin.delete(volume)).status == 200


async def test_a_volume_of_another_pool_is_refused_to_the_second_machine(
    admin: ApiClient, machine: str, second: str, driver: MemoryDriver
) -> None:
    volume = await volume_of(admin)
    assert (await admin.post(f"{machine}/volumes", connected(volume))).status == 201
    refused = await admin.post(f"{second}/volumes", connected(volume))
    assert refused.status == 409
    assert refused.message.startswith("volume:")
    assert targets(driver, second) == ["sda", "vda"]


async def test_it_is_refused_to_a_new_machine_too(admin: ApiClient, image: str, machine: str) -> None:
    volume = await volume_of(admin)
    assert (await admin.post(f"{machine}/volumes", connected(volume))).status == 201
    refused = await admin.post("machines", admin.machine(image, volumes=[{"href": volume}]))
    assert refused.status == 409
    assert refused.message.startswith("machineTemplate.volumes.0:")


async def test_the_hypervisor_is_told_that_the_disk_is_shared(
    admin: ApiClient, machine: str, driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, attach = [], driver.devices.attach_disk

    async def noted(uuid: str, disk: Any) -> None:
        told.append((disk.shareable, disk.format))
        await attach(uuid, disk)

    monkeypatch.setattr(driver.devices, "attach_disk", noted)
    await admin.post(f"{machine}/volumes", connected(await volume_of(admin, type=SHARED)))
    await admin.post(f"{machine}/volumes", connected(await volume_of(admin)))
    assert told == [(True, "raw"), (False, "qcow2")]

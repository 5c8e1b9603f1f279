"""Volumes are as the pools say: what an admin does with virsh shows with the next comparison."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from drivers.base import DiskSpec, DriverFailed, PoolSettings, VolumeFacts
from drivers.memory import MemoryDriver
from gateway.app import Gateway
from gateway.orchestration.volumes.reconcile import VolumeReconciler
from tests.api.client import ACTION, ApiClient
from tests.api.operations import rels
from tests.api.volumes import by_value, stored
from tests.patience import PATIENCE

pytestmark = pytest.mark.slow

MIB = 1024**2


@pytest.fixture
def compare(gateway: Gateway, driver: MemoryDriver) -> Callable[[], Awaitable[None]]:
    return lambda: gateway.reconciliation.volumes.compare(driver)


def foreign(driver: MemoryDriver, name: str = "admins.qcow2", format: str = "qcow2") -> None:
    driver.state.volumes[("default", name)] = VolumeFacts("default", name, f"/default/{name}", format, 64 * MIB, MIB)


async def test_a_volume_that_was_resized_shows_its_size(
    admin: ApiClient, volume: str, driver: MemoryDriver, compare: Callable[[], Awaitable[None]]
) -> None:
    facts = stored(driver, volume)
    driver.state.volumes[(facts.pool, facts.name)] = replace(facts, capacity=100 * MIB)
    await compare()
    assert (await admin.document(volume))["capacity"] == 100 * MIB // 1000


async def test_a_missing_volume_is_in_error_with_a_reason_and_can_be_deleted(
    admin: ApiClient, volume: str, machine: str, driver: MemoryDriver, compare: Callable[[], Awaitable[None]]
) -> None:
    driver.state.volumes.clear()
    await compare()
    document = await admin.document(volume)
    assert document["state"] == "ERROR"
    assert "no storage volume" in document["statusMessage"]
    refused = await admin.post(f"{machine}/volumes", {"volume": {"href": volume}})
    assert refused.status == 409
    assert "no storage volume" in refused.message
    assert (await admin.delete(volume)).status == 200


async def test_the_reason_stands_in_xml_too(
    client: Callable[..., ApiClient], volume: str, driver: MemoryDriver, compare: Callable[[], Awaitable[None]]
) -> None:
    driver.state.volumes.clear()
    await compare()
    shown = (await client("admin", "xml").get(volume)).xml
    assert "no storage volume" in (shown.findtext("{http://cimi-gateway.org/ns/1}statusMessage") or "")


async def test_a_volume_that_comes_back_is_available_again(
    admin: ApiClient, volume: str, driver: MemoryDriver, compare: Callable[[], Awaitable[None]]
) -> None:
    kept = dict(driver.state.volumes)
    driver.state.volumes.clear()
    await compare()
    driver.state.volumes.update(kept)
    await compare()
    document = await admin.document(volume)
    assert document["state"] == "AVAILABLE"
    assert "statusMessage" not in document


async def test_volumes_of_an_inactive_pool_are_in_error_until_it_runs(
    admin: ApiClient, volume: str, driver: MemoryDriver, compare: Callable[[], Awaitable[None]]
) -> None:
    driver.state.inactive_pools.add("default")
    await compare()
    assert "inactive" in (await admin.document(volume))["statusMessage"]
    driver.state.inactive_pools.clear()
    await compare()
    assert (await admin.document(volume))["state"] == "AVAILABLE"


async def test_a_foreign_volume_shows_to_admins_and_is_never_deleted_or_grown(
    admin: ApiClient, client: Callable[..., ApiClient], driver: MemoryDriver, compare: Callable[[], Awaitable[None]]
) -> None:
    foreign(driver)
    foreign(driver, "cd.iso", "iso")
    foreign(driver, "cimi-volume-of-another-gateway.qcow2")
    await compare()
    await compare()
    shown = (await admin.document("volumes"))["volumes"]
    assert [entry["name"] for entry in shown] == ["admins.qcow2"]
    url = shown[0]["id"]
    assert await rels(admin, url) == {"edit", f"{ACTION}snapshot"}
    assert (await admin.delete(url)).status == 409
    assert (await admin.put(f"{url}?$select=capacity", {"capacity": 10**6})).status == 409
    assert (await client("operator").document("volumes"))["count"] == 0
    assert (await client("operator").get(url)).status == 404
    assert ("default", "admins.qcow2") in driver.state.volumes


async def test_a_foreign_volume_is_shown_once_when_it_is_found_by_comparisons_at_once(
    admin: ApiClient, driver: MemoryDriver, compare: Callable[[], Awaitable[None]]
) -> None:
    foreign(driver)
    await asyncio.gather(*(compare() for _ in range(5)))
    assert (await admin.document("volumes"))["count"] == 1


async def test_a_foreign_volume_that_is_gone_is_forgotten(
    admin: ApiClient, driver: MemoryDriver, compare: Callable[[], Awaitable[None]]
) -> None:
    foreign(driver)
    await compare()
    driver.state.volumes.clear()
    await compare()
    assert (await admin.document("volumes"))["count"] == 0


async def test_a_size_that_a_guest_wrote_into_its_raw_disk_is_not_believed(
    admin: ApiClient, driver: MemoryDriver, compare: Callable[[], Awaitable[None]]
) -> None:
    raw = (await admin.post("volumes", by_value(format="raw"))).location
    facts = stored(driver, raw)
    driver.state.volumes[(facts.pool, facts.name)] = replace(facts, format="qcow2", capacity=10**15)
    await compare()
    assert (await admin.document(raw))["capacity"] == 50_000


async def test_a_volume_plugged_in_and_out_beside_the_gateway_shows_so(
    admin: ApiClient, machine: str, volume: str, driver: MemoryDriver
) -> None:
    uuid, facts = machine.rpartition("/")[2], stored(driver, volume)
    await driver.devices.attach_disk(uuid, DiskSpec(facts.pool, facts.name, facts.format, "vdc"))

    async def listed() -> int:
        return int((await admin.document(f"{machine}/volumes"))["count"])

    await _until(listed, 1)
    entry = (await admin.document(f"{machine}/volumes"))["machineVolumes"][0]
    assert (entry["volume"]["href"], entry["initialLocation"]) == (volume, "/dev/vdc")
    assert (await admin.delete(volume)).status == 409
    await driver.devices.detach_disk(uuid, "vdc", 1)
    await _until(listed, 0)
    assert (await admin.delete(volume)).status == 200


async def test_a_foreign_volume_that_was_plugged_in_before_it_was_seen_is_connected_once_it_is(
    admin: ApiClient, machine: str, gateway: Gateway, driver: MemoryDriver, compare: Callable[[], Awaitable[None]]
) -> None:
    foreign(driver)
    uuid = machine.rpartition("/")[2]
    await driver.devices.attach_disk(uuid, DiskSpec("default", "admins.qcow2", "qcow2", "vdc"))
    unknown = gateway.reconciliation.machines.attachments._unknown
    async with asyncio.timeout(PATIENCE):
        while not unknown:
            await asyncio.sleep(0.02)
    await compare()
    driver.state.tell(uuid)

    async def listed() -> int:
        return int((await admin.document(f"{machine}/volumes"))["count"])

    await _until(listed, 1)


async def test_a_volume_whose_host_does_not_tell_stays_what_it_is(
    admin: ApiClient, volume: str, driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_arguments: object) -> VolumeFacts:
        raise DriverFailed("libvirt says no")

    driver.fail_next("storage.grow_volume", DriverFailed("no growth today"))
    monkeypatch.setattr(driver.storage, "read_volume", fail)
    answer = await admin.put(f"{volume}?$select=capacity", {"capacity": 60_000})
    assert answer.status == 500, answer.text
    shown = await admin.document(volume)
    assert (shown["state"], shown["capacity"]) == ("AVAILABLE", 50_000)


async def test_a_guest_that_lets_go_late_finishes_the_detachment(
    admin: ApiClient, machine: str, volume: str, driver: MemoryDriver
) -> None:
    made = await admin.post(f"{machine}/volumes", {"volume": {"href": volume}})
    driver.state.clinging = True
    assert (await admin.delete(made.location)).status == 409
    driver.state.clinging = False
    uuid = machine.rpartition("/")[2]
    known = driver.state.domains[uuid]
    disks = tuple(replace(disk, plugged=disk.target != "vdb") for disk in known.disks)
    driver.state.domains[uuid] = replace(known, disks=disks)
    driver.state.tell(uuid)

    async def listed() -> int:
        return int((await admin.document(f"{machine}/volumes"))["count"])

    await _until(listed, 0)
    assert [disk.target for disk in driver.state.domains[uuid].disks] == ["vda", "sda"]


async def test_described_pools_are_made_once_for_each_connection(gateway: Gateway, driver: MemoryDriver) -> None:
    described = PoolSettings("fast", kind="dir", path="/fast")
    gateway.reconciliation.room.hypervisors["local"] = replace(
        gateway.reconciliation.room.hypervisors["local"], pools=(described,)
    )
    drift = VolumeReconciler(gateway.reconciliation.room)
    await drift.compare(driver)
    await drift.compare(driver)
    assert driver.state.ensured_pools == [described]
    drift.reconnected("local")
    await drift.compare(driver)
    assert driver.state.ensured_pools == [described, described]


async def _until(read: Callable[[], Awaitable[int]], wanted: int) -> None:
    for _ in range(250):
        if await read() == wanted:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"did not become {wanted}")

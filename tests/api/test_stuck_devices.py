"""A guest that lets go of no device holds up neither a forced stop of its Machine nor its delete."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from drivers.memory import MemoryDriver
from tests.api.client import ApiClient
from tests.api.volumes import by_value, connected

pytestmark = pytest.mark.slow

LATER = "respond-async"
PATIENCE = 30.0


class Stuck:
    """A detach that never ends by itself."""

    def __init__(self) -> None:
        self._asked = asyncio.Event()

    async def detach(self, _uuid: str, _device: str, _seconds: float) -> None:
        self._asked.set()
        await asyncio.Event().wait()

    async def asked(self) -> None:
        await asyncio.wait_for(self._asked.wait(), PATIENCE)


@pytest.fixture
def stuck(driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch) -> Stuck:
    device = Stuck()
    monkeypatch.setattr(driver.devices, "detach_disk", device.detach)
    monkeypatch.setattr(driver.devices, "detach_interface", device.detach)
    return device


async def a_volume(admin: ApiClient, machine: str) -> str:
    volume = (await admin.post("volumes", by_value())).location
    return (await admin.post(f"{machine}/volumes", connected(volume))).location


async def a_disk(admin: ApiClient, machine: str) -> str:
    return (await admin.post(f"{machine}/disks", {"capacity": 30_000})).location


async def an_interface(admin: ApiClient, machine: str) -> str:
    listed = await admin.document(f"{machine}/networkInterfaces")
    return str(listed["machineNetworkInterfaces"][0]["id"])


Device = Callable[[ApiClient, str], Awaitable[str]]
DEVICES = pytest.mark.parametrize("device", [a_volume, a_disk, an_interface])


async def leaving(admin: ApiClient, machine: str, device: Device, stuck: Stuck) -> tuple[str, str]:
    """The device that was asked to go and does not, and the Job that waits for it."""
    path = await device(admin, machine)
    answer = await admin.delete(path, Prefer=LATER)
    assert answer.status == 202, answer.text
    await stuck.asked()
    return path, answer.job


@DEVICES
async def test_a_forced_stop_breaks_off_the_removal_and_keeps_the_device(
    admin: ApiClient, machine: str, device: Device, stuck: Stuck
) -> None:
    path, removal = await leaving(admin, machine, device, stuck)
    assert (await admin.acted(machine, "stop", force=True))["state"] == "SUCCESS"
    assert (await admin.document(removal))["state"] == "STOPPED"
    assert (await admin.document(machine))["state"] == "STOPPED"
    assert (await admin.get(path)).status == 200


@DEVICES
async def test_a_delete_of_the_machine_breaks_off_the_removal(
    admin: ApiClient, machine: str, device: Device, stuck: Stuck
) -> None:
    _, removal = await leaving(admin, machine, device, stuck)
    deleted = await admin.delete(machine, Prefer=LATER)
    assert (await admin.ended(deleted.job))["state"] == "SUCCESS"
    assert (await admin.document(removal))["state"] == "STOPPED"
    assert (await admin.get(machine)).status == 404


async def test_a_device_whose_removal_was_broken_off_is_removed_from_the_stopped_machine(
    admin: ApiClient, machine: str, stuck: Stuck, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = await leaving(admin, machine, a_volume, stuck)
    await admin.acted(machine, "stop", force=True)
    monkeypatch.undo()
    assert (await admin.delete(path)).status == 200
    assert (await admin.document(f"{machine}/volumes"))["count"] == 0


async def test_a_stop_without_force_leaves_the_removal_its_time(admin: ApiClient, machine: str, stuck: Stuck) -> None:
    _, removal = await leaving(admin, machine, a_disk, stuck)
    answer = await admin.act(machine, "stop")
    assert answer.status == 202, answer.text
    assert (await admin.document(removal))["state"] == "RUNNING"


async def test_a_forced_stop_comes_through_after_a_stop_that_waits_for_the_removal(
    admin: ApiClient, machine: str, stuck: Stuck
) -> None:
    await leaving(admin, machine, a_disk, stuck)
    assert (await admin.act(machine, "stop")).status == 202
    assert (await admin.acted(machine, "stop", force=True))["state"] == "SUCCESS"
    assert (await admin.document(machine))["state"] == "STOPPED"

"""Requests at the same time: an image never goes while something begins to stand on it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from drivers.memory import MemoryDriver
from gateway.app import Gateway
from gateway.orchestration.images.sweeping import StagingSweeper
from gateway.orchestration.snapshots import restore
from gateway.orchestration.snapshots.image_service import MachineImageService
from tests.api.client import ApiClient

PATIENCE = 30.0


class Gate:
    """Holds the first call of a coroutine function once it has its result, until it is opened."""

    def __init__(self, held: Callable[..., Awaitable[Any]]) -> None:
        self._held = held
        self._opened = asyncio.Event()
        self._reached = asyncio.Event()

    async def call(self, *arguments: Any) -> Any:
        result = await self._held(*arguments)
        if not self._reached.is_set():
            self._reached.set()
            await self._opened.wait()
        return result

    async def reached(self) -> None:
        await asyncio.wait_for(self._reached.wait(), PATIENCE)

    def open(self) -> None:
        self._opened.set()


async def test_a_machine_is_refused_whose_image_was_deleted_while_it_was_checked(
    admin: ApiClient, image: str, driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(driver.host)
    monkeypatch.setattr(driver, "host", gate.call)
    creating = asyncio.create_task(admin.post("machines", admin.machine(image)))
    await gate.reached()
    assert (await admin.delete(image)).status == 200
    gate.open()
    refused = await creating
    assert refused.status == 409
    assert refused.message.startswith("machineTemplate.machineImage:")
    assert (await admin.document("machines"))["count"] == 0
    assert driver.state.volumes == {}


async def test_an_image_stays_that_a_machine_began_to_use_while_its_delete_was_checked(
    admin: ApiClient, image: str, driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(MachineImageService.may_go)
    monkeypatch.setattr(MachineImageService, "may_go", lambda *arguments: gate.call(*arguments))
    deleting = asyncio.create_task(admin.delete(image))
    await gate.reached()
    machine = await admin.post("machines", admin.machine(image))
    assert machine.status == 201, machine.text
    gate.open()
    assert (await deleting).status == 409
    assert (await admin.document(image))["state"] == "AVAILABLE"
    below = next(volume.backing for volume in driver.state.volumes.values() if volume.backing)
    assert below in [volume.path for volume in driver.state.volumes.values()]


async def test_a_machine_is_not_restored_from_an_image_that_was_deleted_while_it_was_checked(
    admin: ApiClient, machine: str, images: Any, driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await admin.post("machineImages", {"imageLocation": f"file://{images / 'guest.qcow2'}"})
    assert made.status == 201, made.text
    before = driver.state.domains[machine.rpartition("/")[2]].disks
    gate = Gate(vars(restore)["chosen"])
    monkeypatch.setattr(restore, "chosen", gate.call)
    restoring = asyncio.create_task(admin.act(machine, "restore", image={"href": made.location}))
    await gate.reached()
    assert (await admin.delete(made.location)).status == 200
    gate.open()
    refused = await restoring
    assert refused.status == 409
    assert refused.message.startswith("image:")
    assert (await admin.document(machine))["state"] == "STARTED"
    assert driver.state.domains[machine.rpartition("/")[2]].disks == before


async def test_of_two_captures_of_a_running_guest_at_once_one_is_refused(
    admin: ApiClient, machine: str, driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied, make = asyncio.Event(), driver.copies.make

    async def slow(*arguments: Any) -> Any:
        await copied.wait()
        return await make(*arguments)

    gate = Gate(driver.storage.read_pool)
    monkeypatch.setattr(driver.copies, "make", slow)
    monkeypatch.setattr(driver.storage, "read_pool", gate.call)
    first = asyncio.create_task(admin.post(f"{machine}/capture", {}, Prefer="respond-async"))
    await gate.reached()
    second = await admin.post(f"{machine}/capture", {}, Prefer="respond-async")
    assert second.status == 202, second.text
    gate.open()
    refused = await first
    assert (refused.status, "is being copied" in refused.message) == (409, True), refused.text
    copied.set()
    assert (await admin.ended(second.job))["state"] == "SUCCESS"


async def test_an_upload_that_ends_while_it_is_being_given_up_stays(
    admin: ApiClient, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = (await admin.post("machineImages", {"size": 10})).location
    path, room = waiting.partition("/cimi/")[2], gateway.reconciliation.room

    async def old(*_arguments: Any) -> list[str]:
        return [path]

    async def then_ended(name: str) -> Any:
        image = await get(name)
        assert image is not None
        async with gateway.store.transaction() as transaction:
            await transaction.update(image.held("jobs/1"))
        return image

    get = gateway.store.get
    monkeypatch.setattr(room.images.staging, "sweep", old)
    monkeypatch.setattr(gateway.store, "get", then_ended)
    await StagingSweeper(room).sweep()
    monkeypatch.undo()
    assert (await admin.get(waiting)).status == 200

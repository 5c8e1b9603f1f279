"""A gateway that goes on after a backup and is brought back to it: the host has gone on meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from drivers.memory import MemoryDriver
from gateway.app import Gateway
from gateway.backup import making, restoring
from gateway.config import Settings
from gateway.doctor.guests import unknown_guests
from tests.api.client import ApiClient
from tests.api.mortal import Mortal
from tests.patience import eventually
from tests.urls import uuid_of

pytestmark = pytest.mark.slow


@pytest.fixture
def config(settings: Settings) -> Path:
    """The configuration as a file: where the state lies."""
    text = f'[store]\npath = "{settings.store.path}"\n[auth]\nusers_file = "{settings.auth.users_file}"\n'
    hypervisor = '[[hypervisor]]\nname = "local"\nuri = "memory"\npool = "default"\nnetwork = "default"\n'
    settings.path.write_text(text + hypervisor)
    return settings.path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "backup"


async def backed_up(settings: Settings, file: Path) -> None:
    await asyncio.to_thread(making.back_up, settings, file)


class Restoring:
    """The gateway, stopped for a restore and started again."""

    def __init__(self, gateway: Gateway, config: Path, file: Path, driver: MemoryDriver) -> None:
        self.gateway, self.config, self.file, self.driver = gateway, config, file, driver
        self.again: Gateway | None = None

    async def run(self) -> Gateway:
        await self.gateway.stop()
        await asyncio.to_thread(restoring.restore, self.config, self.file)
        self.again = Gateway(self.gateway.settings, {self.driver.name: self.driver})
        await self.again.start()
        await self.again.reconciliation.compare(self.driver)
        return self.again


@pytest.fixture
async def restored(gateway: Gateway, config: Path, file: Path, driver: MemoryDriver) -> AsyncIterator[Restoring]:
    restoring = Restoring(gateway, config, file, driver)
    yield restoring
    if restoring.again is not None:
        await restoring.again.stop()
        await gateway.start()


async def test_what_was_there_works_again_with_its_secrets(
    admin: ApiClient, machine: str, settings: Settings, file: Path, restored: Restoring
) -> None:
    template = {"userData": "c2VjcmV0", "machineConfig": {"cpu": 1, "memory": 65536}}
    stored = (await admin.post("machineTemplates", template)).location
    await backed_up(settings, file)
    await admin.delete(stored)
    gateway = await restored.run()
    assert (await admin.document(stored))["machineConfig"]["cpu"] == 1
    internal = (await gateway.store.get(stored.removeprefix(admin.base))).internal  # type: ignore[union-attr]
    assert "c2VjcmV0" in str(internal)
    assert (await admin.acted(machine, "stop"))["state"] == "SUCCESS"


async def test_a_machine_that_was_deleted_since_is_in_error_and_can_be_deleted(
    admin: ApiClient, machine: str, settings: Settings, file: Path, restored: Restoring
) -> None:
    await backed_up(settings, file)
    assert (await admin.delete(machine, Prefer="wait=30")).status == 200
    await restored.run()
    await admin.state(machine, "ERROR")
    assert (await admin.delete(machine, Prefer="wait=30")).status == 200


async def test_a_machine_that_was_made_since_goes_on_running_and_is_named_to_admins(
    admin: ApiClient, image: str, settings: Settings, file: Path, restored: Restoring, driver: MemoryDriver
) -> None:
    await backed_up(settings, file)
    made = (await admin.post("machines", admin.machine(image), Prefer="wait=30")).location
    await restored.run()
    assert uuid_of(made) in driver.state.domains
    (finding,) = [finding async for finding in unknown_guests(settings, "local", driver)]
    assert finding.level == "warning"
    assert uuid_of(made) in finding.message


async def test_of_guests_that_the_store_knows_nothing_is_said(
    machine: str, settings: Settings, driver: MemoryDriver
) -> None:
    assert [finding async for finding in unknown_guests(settings, "local", driver)] == []


async def test_a_backup_is_made_while_requests_go_on_and_is_of_one_moment(
    admin: ApiClient, settings: Settings, file: Path, restored: Restoring
) -> None:
    """Each change writes a resource and its Job together: none is there without the other."""

    async def change() -> None:
        for _ in range(40):
            assert (await admin.post("machineConfigs", {"cpu": 1, "memory": 65536})).status == 201

    assert (await admin.post("machineConfigs", {"cpu": 1, "memory": 65536})).status == 201
    changing = asyncio.create_task(change())
    await backed_up(settings, file)
    await changing
    await restored.run()
    kept = (await admin.document("machineConfigs?$filter=memory=65536"))["machineConfigurations"]
    jobs = (await admin.document("jobs?$filter=action='add'")).get("jobs", [])
    affected = {entry["href"] for job in jobs for entry in job["affectedResources"]}
    assert {config["id"] for config in kept} <= affected
    assert 1 <= len(kept) <= 41


async def test_a_create_that_was_under_way_then_and_is_done_by_now_takes_nothing_away(
    settings: Settings, config: Path, file: Path, driver: MemoryDriver, session: Any, images: Path
) -> None:
    mortal = Mortal(settings, driver, session)
    await mortal.start()
    admin = mortal.client
    document = {"name": "guest", "imageLocation": f"file://{images / 'guest.qcow2'}"}
    image = (await admin.post("machineImages", document, Prefer="wait=30")).location
    await mortal.gateway.stop()
    await mortal.start(dies_after=2)
    created = await admin.post("machines", admin.machine(image), Prefer="wait=0")
    await eventually(mortal.dead.is_set, "it dies in the middle of the create")
    await backed_up(settings, file)
    await mortal.bury()
    await mortal.start()
    await admin.state(created.location, "STARTED")
    await mortal.gateway.stop()
    restored = await asyncio.to_thread(restoring.restore, config, file)
    assert restored.interrupted == 1
    await mortal.start()
    try:
        assert (await admin.ended(created.job))["state"] == "FAILED"
        await mortal.gateway.reconciliation.compare(driver)
        await admin.state(created.location, "STARTED")
        assert uuid_of(created.location) in driver.state.domains
        assert (await admin.acted(created.location, "stop"))["state"] == "SUCCESS"
    finally:
        await mortal.gateway.stop()

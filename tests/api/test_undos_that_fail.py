"""What an undo could not take away from the host keeps its record: it can be seen, and deleted later."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from drivers.base import DriverFailed
from drivers.memory import MemoryDriver
from gateway.app import Gateway
from tests.api.client import ApiClient
from tests.api.volumes import by_value
from tests.api.world import World

Making = Callable[[World], Awaitable[str]]


@pytest.fixture
def world(
    admin: ApiClient, client: Callable[..., ApiClient], gateway: Gateway, driver: MemoryDriver, images: Path
) -> World:
    return World(client("operator"), admin, gateway, driver, images)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.jobs.execution.UNDO_PAUSE", 0.001)


async def failed(world: World, collection: str, document: dict[str, Any]) -> str:
    """The path of what a create was to make, whose Job has failed."""
    answer = await world.owner.post(collection, document, Prefer="respond-async")
    assert answer.status == 202, answer.text
    job = await world.owner.ended(answer.job)
    assert (job["state"], "not all of it could be undone" in job["statusMessage"]) == ("FAILED", True), job
    return answer.location


class Broken:
    """Calls of the driver that fail until they are mended."""

    def __init__(self, driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch) -> None:
        self._driver = driver
        self._patches = monkeypatch
        self._names: dict[str, Any] = {}

    def breaks(self, *calls: str) -> None:
        async def fail(*_arguments: Any, **_named: Any) -> None:
            raise DriverFailed("libvirt says no")

        for call in calls:
            self._replace(call, fail)

    def breaks_at_the_end(self, call: str) -> None:
        """The call does what it should, and fails nevertheless."""

        async def do_and_fail(*arguments: Any, **named: Any) -> None:
            await self._names[call](*arguments, **named)
            raise DriverFailed("libvirt says no")

        self._replace(call, do_and_fail)

    def _replace(self, call: str, function: Callable[..., Awaitable[None]]) -> None:
        part, name = call.split(".")
        owner = getattr(self._driver, part)
        self._names[call] = getattr(owner, name)
        self._patches.setattr(owner, name, function)

    def mend(self) -> None:
        for call, whole in self._names.items():
            part, name = call.split(".")
            self._patches.setattr(getattr(self._driver, part), name, whole)


@pytest.fixture
def broken(driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch) -> Broken:
    return Broken(driver, monkeypatch)


async def goes(world: World, broken: Broken, path: str) -> None:
    broken.mend()
    assert (await world.owner.get(path)).status == 200
    gone = await world.owner.delete(path, Prefer="respond-async")
    assert gone.status in (200, 202), gone.text
    assert (await world.owner.ended(gone.job))["state"] == "SUCCESS"
    assert (await world.owner.get(path)).status == 404


async def test_a_network_that_stays_on_its_host_is_shown_and_can_be_deleted(
    world: World, broken: Broken, driver: MemoryDriver
) -> None:
    broken.breaks("networks.start", "networks.delete")
    path = await failed(world, "networks", await world.document("Network"))
    name = f"cimi-{path.rpartition('/')[2]}"
    assert name in driver.state.networks
    await goes(world, broken, path)
    assert name not in driver.state.networks


async def test_a_volume_whose_bytes_stay_in_the_pool_is_shown_and_can_be_deleted(
    world: World, broken: Broken, driver: MemoryDriver
) -> None:
    broken.breaks("storage.grow_volume", "storage.delete_volume")
    image = {"imageLocation": f"file://{world.images / 'guest.qcow2'}"}
    document = by_value(capacity=1_000_000)
    document["volumeTemplate"]["volumeImage"] = image
    path = await failed(world, "volumes", document)
    name = path.rpartition("/")[2]
    assert [volume for _, volume in driver.state.volumes if name in volume]
    await goes(world, broken, path)
    assert not [volume for _, volume in driver.state.volumes if name in volume]


async def test_an_interface_that_the_guest_does_not_let_go_of_is_shown_and_can_be_deleted(
    world: World, broken: Broken, driver: MemoryDriver
) -> None:
    machine, network = await world.ensure("Machine"), await world.ensure("Network")
    broken.breaks("devices.detach_interface")
    broken.breaks_at_the_end("devices.attach_interface")
    path = await failed(world, f"{machine}/networkInterfaces", {"network": {"href": network}, "state": "Active"})
    mac = (await world.owner.document(path))["macAddress"]
    uuid = machine.rpartition("/")[2]
    assert mac in [interface.mac for interface in driver.state.domains[uuid].interfaces]
    await goes(world, broken, path)
    assert mac not in [interface.mac for interface in driver.state.domains[uuid].interfaces]


async def test_an_address_whose_dhcp_entry_stays_is_shown_and_can_be_deleted(world: World, broken: Broken) -> None:
    broken.breaks("addresses.take", "addresses.leave")
    path = await failed(world, "addresses", {"addressTemplate": {}})
    await goes(world, broken, path)


async def test_a_group_whose_filters_stay_is_shown_and_can_be_deleted(world: World, broken: Broken) -> None:
    network = {"href": await world.ensure("Network")}
    document = {"forwardingGroupTemplate": {"networks": [network]}}
    broken.breaks("filters.define")
    path = await failed(world, "forwardingGroups", document)
    await goes(world, broken, path)

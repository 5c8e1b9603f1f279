"""What a MachineConfiguration bounds of what a guest takes of its host: CPU shares, disks, interfaces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from drivers.base import Bandwidth, Traffic
from drivers.memory import MemoryDriver
from tests.api.client import ApiClient
from tests.api.namespaces import NAMESPACE
from tests.api.volumes import by_value, connected

Client = Callable[..., ApiClient]
LIMITS = {"cpuShares": 200, "diskOperations": 500, "diskBandwidth": 10_000, "networkBandwidth": 5_000}


@pytest.fixture
async def configuration(admin: ApiClient) -> str:
    made = await admin.post("machineConfigs", {"name": "bounded", "cpu": 1, "memory": 131072, **LIMITS})
    assert made.status == 201, made.text
    return made.location


async def make(client: ApiClient, image: str, config: dict[str, Any]) -> str:
    template = {"machineConfig": config, "machineImage": {"href": image}}
    made = await client.post("machines", {"machineTemplate": template}, Prefer="wait=30")
    assert made.status == 201, made.text
    return made.location


@pytest.fixture
async def bounded(client: Client, configuration: str, image: str) -> str:
    return await make(client("operator"), image, {"href": configuration})


def disks(driver: MemoryDriver, machine: str) -> dict[str, tuple[int | None, int | None]]:
    uuid = machine.rpartition("/")[2]
    specs = {target: spec for (owner, target), spec in driver.state.disk_specs.items() if owner == uuid}
    return {target: (spec.operations, spec.bandwidth) for target, spec in specs.items() if not spec.cdrom}


@pytest.mark.parametrize("media", ["json", "xml"])
async def test_a_configuration_shows_its_limits(client: Client, configuration: str, media: str) -> None:
    answer = await client("operator", media).get(configuration)
    if media == "json":
        assert {name: answer.json[name] for name in LIMITS} == LIMITS
    else:
        own = NAMESPACE.replace("http://schemas.dmtf.org/cimi/1", "http://cimi-gateway.org/ns/1")
        assert {name: int(answer.xml.findtext(f"{own}{name}") or 0) for name in LIMITS} == LIMITS


async def test_a_guest_is_bounded_as_its_configuration_says(bounded: str, driver: MemoryDriver) -> None:
    uuid = bounded.rpartition("/")[2]
    assert driver.state.cpu_shares[uuid] == 200
    assert disks(driver, bounded) == {"vda": (500, 10_000)}
    mac = driver.state.domains[uuid].interfaces[0].mac
    assert driver.state.interface_specs[mac].traffic == Traffic(Bandwidth(5_000), Bandwidth(5_000))


async def test_disks_volumes_and_interfaces_that_come_later_are_bounded_too(
    client: Client, bounded: str, driver: MemoryDriver
) -> None:
    operator = client("operator")
    assert (await operator.post(f"{bounded}/disks", {"capacity": 30_000}, Prefer="wait=30")).status == 201
    volume = (await operator.post("volumes", by_value(capacity=1000))).location
    assert (await operator.post(f"{bounded}/volumes", connected(volume), Prefer="wait=30")).status == 201
    assert set(disks(driver, bounded).values()) == {(500, 10_000)}
    assert len(disks(driver, bounded)) == 3
    made = await operator.post(f"{bounded}/networkInterfaces", {}, Prefer="wait=30")
    assert made.status == 201, made.text
    added = driver.state.interface_specs[made.json["macAddress"]]
    assert added.traffic == Traffic(Bandwidth(5_000), Bandwidth(5_000))


async def test_without_limits_nothing_is_bounded(machine: str, driver: MemoryDriver) -> None:
    assert driver.state.cpu_shares[machine.rpartition("/")[2]] is None
    assert disks(driver, machine) == {"vda": (None, None)}


async def test_nobody_but_an_admin_gives_shares_by_value(client: Client, admin: ApiClient, image: str) -> None:
    config = {"cpu": 1, "memory": 131072, "cpuShares": 10_000}
    template = {"machineTemplate": {"machineConfig": config, "machineImage": {"href": image}}}
    refused = await client("operator").post("machines", template)
    assert refused.status == 403
    assert "cpuShares is an admin's to give" in refused.message
    await make(admin, image, config)


async def test_shares_have_a_bound(admin: ApiClient) -> None:
    refused = await admin.post("machineConfigs", {"cpu": 1, "memory": 131072, "cpuShares": 10_001})
    assert refused.status == 400
    assert "cpuShares" in refused.message

"""What goes wrong with one resource stops the comparison of no other, of whichever kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from drivers.base import DriverFailed, Power
from drivers.memory import MemoryDriver
from drivers.supervision import Supervision
from gateway.app import Gateway
from gateway.orchestration.common.apart import Apart
from tests.api.client import ApiClient
from tests.api.networks import DEFAULT_NETWORK, libvirt_name, made, network
from tests.api.volumes import by_value, stored
from tests.urls import uuid_of

pytestmark = pytest.mark.slow

MIB = 1024**2
TROUBLES = [DriverFailed("libvirt says no"), KeyError("a surprise")]


@pytest.fixture
async def machines(admin: ApiClient, image: str) -> list[str]:
    return [await made(admin, "machines", admin.machine(image)) for _ in range(2)]


def failing_for(monkeypatch: pytest.MonkeyPatch, owner: Any, method: str, key: str, error: Exception) -> None:
    """Let a method raise whenever its first argument is about this resource."""
    real: Callable[..., Any] = getattr(owner, method)

    async def call(first: Any, *rest: Any) -> Any:
        if key in (first, getattr(first, "path", None), getattr(first, "uuid", None)):
            raise error
        return await real(first, *rest)

    monkeypatch.setattr(owner, method, call)


@pytest.mark.parametrize("error", TROUBLES, ids=repr)
@pytest.mark.parametrize("place", [0, 1])
async def test_a_machine_that_cannot_be_read_leaves_the_others_their_states(
    admin: ApiClient, gateway: Gateway, driver: MemoryDriver, machines: list[str], monkeypatch: pytest.MonkeyPatch,
    error: Exception, place: int,
) -> None:  # fmt: skip
    url = await made(admin, "networks", network())
    for machine in machines:
        driver.state.domains[uuid_of(machine)] = replace(driver.state.domains[uuid_of(machine)], power=Power.OFF)
    name = libvirt_name(url)
    driver.state.networks[name] = replace(driver.state.networks[name], active=False)
    failing_for(monkeypatch, driver.domains, "read", uuid_of(machines[place]), error)
    await gateway.reconciliation.compare(driver)
    states = [(await admin.document(machine))["state"] for machine in machines]
    assert states == ["STOPPED" if number != place else "STARTED" for number in range(2)]
    assert driver.state.networks[name].active


@pytest.mark.parametrize("error", TROUBLES, ids=repr)
@pytest.mark.parametrize("part", ["attachments", "snapshots"])
async def test_a_machine_whose_parts_cannot_be_compared_leaves_the_others_theirs(
    gateway: Gateway, driver: MemoryDriver, machines: list[str], monkeypatch: pytest.MonkeyPatch,
    error: Exception, part: str,
) -> None:  # fmt: skip
    compared: set[str] = set()
    first = f"machines/{uuid_of(machines[0])}"

    async def compare(machine: Any, *_rest: Any) -> None:
        if machine.path == first:
            raise error
        compared.add(machine.path)

    monkeypatch.setattr(getattr(gateway.reconciliation.machines, part), "compare", compare)
    await gateway.reconciliation.compare(driver)
    assert compared == {f"machines/{uuid_of(machines[1])}"}


@pytest.mark.parametrize("error", TROUBLES, ids=repr)
async def test_domains_that_cannot_be_listed_leave_the_networks_compared(
    admin: ApiClient, gateway: Gateway, driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    driver.state.networks["default"] = replace(driver.state.networks["default"], active=False)

    async def domains() -> None:
        raise error

    monkeypatch.setattr(driver.domains, "list_all", domains)
    with pytest.raises(type(error)):
        await gateway.reconciliation.compare(driver)
    await admin.state(DEFAULT_NETWORK, "STOPPED")


@pytest.mark.parametrize("error", TROUBLES, ids=repr)
@pytest.mark.parametrize("place", [0, 1])
async def test_a_volume_that_cannot_be_compared_leaves_the_others_their_sizes(
    admin: ApiClient, gateway: Gateway, driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch,
    error: Exception, place: int,
) -> None:  # fmt: skip
    volumes = [(await admin.post("volumes", by_value())).location for _ in range(2)]
    facts = [stored(driver, volume) for volume in volumes]
    for entry in facts:
        driver.state.volumes[(entry.pool, entry.name)] = replace(entry, capacity=100 * MIB)
    path = volumes[place].partition("/cimi/")[2]
    failing_for_second(monkeypatch, gateway.reconciliation.volumes, path, error)
    await gateway.reconciliation.volumes.compare(driver)
    grown = [(await admin.document(volume))["capacity"] == 100 * MIB // 1000 for volume in volumes]
    assert grown == [number != place for number in range(2)]


def failing_for_second(monkeypatch: pytest.MonkeyPatch, owner: Any, path: str, error: Exception) -> None:
    real = owner._unchanged

    async def unchanged(transaction: Any, volume: Any) -> bool:
        if volume.path == path:
            raise error
        return bool(await real(transaction, volume))

    monkeypatch.setattr(owner, "_unchanged", unchanged)


@pytest.mark.parametrize("error", TROUBLES, ids=repr)
async def test_a_pool_that_cannot_be_compared_leaves_the_others_compared(
    admin: ApiClient, gateway: Gateway, driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    room = gateway.reconciliation.room
    settings = room.hypervisors["local"]
    described = tuple(replace(settings.every_pool[0], name=name) for name in ("a", "b"))
    driver.state.pools |= {"a", "b"}
    room.hypervisors["local"] = replace(settings, pools=described)
    looked: list[str] = []
    real = driver.storage.list_volumes

    async def volumes(pool: str) -> Any:
        looked.append(pool)
        if pool == "a":
            raise error
        return await real(pool)

    monkeypatch.setattr(driver.storage, "list_volumes", volumes)
    await gateway.reconciliation.volumes.compare(driver)
    assert {"a", "b", "default"} <= set(looked)


@pytest.mark.parametrize("error", TROUBLES, ids=repr)
@pytest.mark.parametrize("step", ["measure", "ended", "load"])
async def test_a_meter_that_cannot_be_measured_leaves_the_others_their_samples(
    admin: ApiClient, gateway: Gateway, driver: MemoryDriver, machine: str, monkeypatch: pytest.MonkeyPatch,
    error: Exception, step: str,
) -> None:  # fmt: skip
    template = {"targetResource": {"href": machine}, "meterConfig": {"aspect": "memory", "sampleInterval": 10}}
    meters = [await made(admin, "meters", {"meterTemplate": template}) for _ in range(2)]
    sampler = gateway.sampler
    broken = meters[0].partition("/cimi/")[2]
    if step == "load":
        failing_for(monkeypatch, sampler, "_load", broken, error)
    else:
        await sampler.look(driver)

        def fails(*_arguments: Any) -> None:
            raise error

        monkeypatch.setattr(sampler._meters[broken], step, fails, raising=True)
    counts = [(await admin.document(f"{meter}/samples"))["count"] for meter in meters]
    for _ in range(2):
        driver.state.seconds_ahead += 20
        await sampler.look(driver)
    now = [(await admin.document(f"{meter}/samples"))["count"] for meter in meters]
    assert [after > before for before, after in zip(counts, now, strict=True)][1:] == [True]


def test_the_same_trouble_is_told_once_and_so_is_its_end() -> None:
    apart = Apart(Supervision(), "networks")
    with capture_logs() as lines:
        for error in (DriverFailed("a"), DriverFailed("a"), DriverFailed("b"), None, None):
            with apart.each("networks/1"):
                if error is not None:
                    raise error
    assert [line["event"] for line in lines] == ["not compared", "not compared", "compared again"]

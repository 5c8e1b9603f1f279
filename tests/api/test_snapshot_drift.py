"""Snapshots that an admin deletes or takes beside the gateway."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from drivers.base import DriverUnavailable
from drivers.memory import MemoryDriver
from gateway.app import Gateway
from tests.api.client import ApiClient
from tests.api.snapshots import snapshot
from tests.urls import uuid_of


@pytest.fixture
def compare(gateway: Gateway, driver: MemoryDriver) -> Callable[[], Awaitable[None]]:
    return lambda: gateway.reconciliation.compare(driver)


@pytest.fixture
async def taken(admin: ApiClient, machine: str) -> tuple[str, str]:
    return await snapshot(admin, machine), await snapshot(admin, machine)


async def test_a_deleted_snapshot_is_in_error_cannot_be_restored_and_can_be_deleted(
    admin: ApiClient,
    machine: str,
    taken: tuple[str, str],
    driver: MemoryDriver,
    compare: Callable[[], Awaitable[None]],
) -> None:
    gone, there = taken
    del driver.state.snapshots[uuid_of(machine)][uuid_of(gone)]
    await compare()
    assert [(await admin.document(image))["state"] for image in taken] == ["ERROR", "AVAILABLE"]
    answer = await admin.act(machine, "restore", image={"href": gone})
    assert (answer.status, answer.message.startswith("image:")) == (409, True)
    assert (await admin.delete(gone)).status == 200
    assert "relatedImage" not in await admin.document(there)
    assert (await admin.document(machine))["latestSnapshot"]["href"] == there


async def test_the_loss_is_told_once_as_an_alarm_of_the_machine(
    admin: ApiClient,
    machine: str,
    taken: tuple[str, str],
    driver: MemoryDriver,
    compare: Callable[[], Awaitable[None]],
) -> None:
    del driver.state.snapshots[uuid_of(machine)][uuid_of(taken[1])]
    for _ in range(2):
        await compare()
    events = (await admin.document("eventLogs/everything/events?$filter=type='alarm'"))["events"]
    assert [event["content"]["code"] for event in events] == ["snapshot-gone"]
    assert events[0]["content"]["resource"]["href"] == machine


async def test_a_snapshot_that_shows_again_is_available_again(
    admin: ApiClient,
    machine: str,
    taken: tuple[str, str],
    driver: MemoryDriver,
    compare: Callable[[], Awaitable[None]],
) -> None:
    known = driver.state.snapshots[uuid_of(machine)]
    kept = known.pop(uuid_of(taken[0]))
    await compare()
    known[uuid_of(taken[0])] = kept
    await compare()
    assert (await admin.document(taken[0]))["state"] == "AVAILABLE"


async def test_a_hypervisor_that_cannot_tell_changes_nothing(
    admin: ApiClient,
    taken: tuple[str, str],
    driver: MemoryDriver,
    compare: Callable[[], Awaitable[None]],
) -> None:
    driver.fail_next("snapshots.list_all", DriverUnavailable("libvirt is away"))
    await compare()
    assert [(await admin.document(image))["state"] for image in taken] == ["AVAILABLE", "AVAILABLE"]


async def test_a_snapshot_taken_outside_is_not_shown_and_goes_with_the_machine(
    admin: ApiClient,
    machine: str,
    taken: tuple[str, str],
    driver: MemoryDriver,
    compare: Callable[[], Awaitable[None]],
) -> None:
    known = driver.state.snapshots[uuid_of(machine)]
    facts, domain = known[uuid_of(taken[1])]
    known["by hand"] = (replace(facts, name="by hand"), domain)
    await compare()
    assert (await admin.document(f"{machine}/snapshots"))["count"] == 2
    assert (await admin.delete(machine)).status == 200
    assert (await admin.document("machineImages?$filter=type='SNAPSHOT'"))["count"] == 0

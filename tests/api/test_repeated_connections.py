"""The same Volume connected to the same Machine once more: the MachineVolume that is there, with 200."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from drivers.memory import MemoryDriver
from tests.api.client import Answer, ApiClient

pytestmark = pytest.mark.slow

Clients = Callable[..., ApiClient]


def body(volume: str, media: str, location: str = "") -> Any:
    if media == "xml":
        where = f"<initialLocation>{location}</initialLocation>" if location else ""
        return f'<MachineVolume>{where}<volume href="{volume}"/></MachineVolume>'.encode()
    return {"volume": {"href": volume}, **({"initialLocation": location} if location else {})}


async def attach(client: ApiClient, machine: str, volume: str, location: str = "", **headers: str) -> Answer:
    return await client.post(f"{machine}/volumes", body(volume, client.media, location), Prefer="wait=30", **headers)


@pytest.mark.parametrize("media", ["json", "xml"])
@pytest.mark.parametrize("state", ["STARTED", "STOPPED", "SUSPENDED"])
async def test_the_second_time_answers_with_the_machine_volume_of_the_first(
    client: Clients, machine: str, volume: str, media: str, state: str
) -> None:
    admin, sender = client("admin"), client("admin", media)
    first = await attach(sender, machine, volume)
    assert first.status == 201, first.text
    if state != "STARTED":
        verb = {"STOPPED": "stop", "SUSPENDED": "suspend"}[state]
        await admin.acted(machine, verb, **({"force": True} if verb == "stop" else {}))
    again = await attach(sender, machine, volume)
    assert again.status == 200, again.text
    assert again.location == first.location
    assert first.location in again.text
    assert (await admin.ended(again.job))["state"] == "SUCCESS"
    assert (await admin.document(f"{machine}/volumes"))["count"] == 1


async def test_nothing_is_changed_by_it(admin: ApiClient, machine: str, volume: str, driver: MemoryDriver) -> None:
    first = await attach(admin, machine, volume)
    before = await admin.document(first.location)
    disks = driver.state.domains[machine.rpartition("/")[2]].disks
    assert (await attach(admin, machine, volume)).status == 200
    assert await admin.document(first.location) == before
    assert driver.state.domains[machine.rpartition("/")[2]].disks == disks


async def test_the_place_that_it_has_may_be_named_and_no_other(admin: ApiClient, machine: str, volume: str) -> None:
    assert (await attach(admin, machine, volume, "/dev/vdf")).status == 201
    assert (await attach(admin, machine, volume, "/dev/vdf")).status == 200
    assert (await attach(admin, machine, volume, "vdf")).status == 200
    refused = await attach(admin, machine, volume, "/dev/vdg")
    assert (refused.status, "is at /dev/vdf of this Machine already" in refused.message) == (409, True)


async def test_of_many_at_once_one_connects_and_the_others_find_it(admin: ApiClient, machine: str, volume: str) -> None:
    answers = await asyncio.gather(*(attach(admin, machine, volume) for _ in range(5)))
    assert sorted(answer.status for answer in answers) == [200, 200, 200, 200, 201]
    assert len({answer.location for answer in answers}) == 1


async def test_a_retry_with_the_same_key_is_answered_as_the_first_time(
    admin: ApiClient, machine: str, volume: str
) -> None:
    first = [await attach(admin, machine, volume, Idempotency_Key="one") for _ in range(2)]
    assert [answer.status for answer in first] == [201, 201]
    second = [await attach(admin, machine, volume, Idempotency_Key="two") for _ in range(2)]
    assert [answer.status for answer in second] == [200, 200]
    assert len({answer.job for answer in second}) == 1


@pytest.mark.parametrize("media", ["json", "xml"])
async def test_a_key_that_found_one_that_was_being_connected_has_made_none_afterwards_either(
    client: Clients, machine: str, volume: str, media: str, driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin, sender = client("admin"), client("admin", media)
    attach_disk, free = driver.devices.attach_disk, asyncio.Event()

    async def waits(*arguments: Any, **named: Any) -> Any:
        await free.wait()
        return await attach_disk(*arguments, **named)

    monkeypatch.setattr(driver.devices, "attach_disk", waits)
    at_once = {"Prefer": "respond-async"}
    first = await sender.post(f"{machine}/volumes", body(volume, media), **at_once)
    found = await sender.post(f"{machine}/volumes", body(volume, media), Idempotency_Key="k", **at_once)
    assert (found.status, found.location, found.job) == (202, first.location, first.job)
    free.set()
    await admin.ended(first.job)
    again = await attach(sender, machine, volume, Idempotency_Key="k")
    assert (again.status, again.location, again.job) == (200, first.location, first.job)


async def test_a_volume_that_is_being_disconnected_is_not_there_any_more(
    admin: ApiClient, machine: str, volume: str, driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await attach(admin, machine, volume)
    free = asyncio.Event()

    async def detach(_uuid: str, _target: str, _seconds: float) -> None:
        await free.wait()

    monkeypatch.setattr(driver.devices, "detach_disk", detach)
    gone = await admin.delete(made.location, Prefer="respond-async")
    assert gone.status == 202
    refused = await attach(admin, machine, volume)
    assert (refused.status, "is being disconnected" in refused.message) == (409, True)
    free.set()
    await admin.ended(gone.job)


async def test_a_volume_at_another_machine_is_still_refused(
    admin: ApiClient, image: str, machine: str, volume: str
) -> None:
    other = (await admin.post("machines", admin.machine(image), Prefer="wait=30")).location
    assert (await attach(admin, machine, volume)).status == 201
    assert (await attach(admin, other, volume)).status == 409

"""What a Machine allows in each state, and what happens when requests and faults meet (DSP0263 5.14.1)."""

from __future__ import annotations

import asyncio

import pytest

from drivers.base import DriverBusy, DriverFailed, DriverUnavailable, Power
from drivers.base.progress import Progress
from drivers.memory import MemoryDriver
from gateway.orchestration.machine_core.states import STATES
from tests.api.client import ApiClient
from tests.api.operations import verbs
from tests.urls import uuid_of

pytestmark = pytest.mark.slow

ACTIONS = ("start", "stop", "restart", "pause", "suspend")
OFFERED = {
    Power.RUNNING: {"stop", "restart", "pause", "suspend"},
    Power.OFF: {"start", "restart"},
    Power.PAUSED: {"start", "stop", "restart", "suspend"},
    Power.SAVED: {"start", "stop", "restart"},
    Power.HELD: {"start", "stop", "restart"},
    Power.CRASHED: {"start", "stop", "restart"},
}
BECOMES = {"start": "STARTED", "stop": "STOPPED", "restart": "STARTED", "pause": "PAUSED", "suspend": "SUSPENDED"}


async def outside(admin: ApiClient, machine: str, driver: MemoryDriver, power: Power) -> None:
    """Bring the guest to this, and wait until it shows."""
    driver.externally(uuid_of(machine), power)
    await admin.state(machine, STATES[power])


@pytest.mark.parametrize("power", OFFERED)
async def test_a_state_offers_exactly_what_it_allows_and_refuses_the_rest(
    admin: ApiClient, machine: str, driver: MemoryDriver, power: Power
) -> None:
    for action in ACTIONS:
        await outside(admin, machine, driver, power)
        if action in OFFERED[power]:
            assert action in await verbs(admin, machine)
            assert (await admin.acted(machine, action))["state"] == "SUCCESS"
            assert (await admin.document(machine))["state"] == BECOMES[action]
        else:
            assert action not in await verbs(admin, machine)
            assert (await admin.act(machine, action)).status == 409


@pytest.mark.parametrize("power", OFFERED)
async def test_a_machine_can_be_deleted_in_every_state(
    admin: ApiClient, machine: str, driver: MemoryDriver, power: Power
) -> None:
    await outside(admin, machine, driver, power)
    assert (await admin.delete(machine)).status == 200
    assert driver.state.domains == {}


async def test_a_guest_held_by_a_fault_goes_on_without_a_new_boot(
    admin: ApiClient, machine: str, driver: MemoryDriver
) -> None:
    boots = driver.state.consoles[uuid_of(machine)]
    await outside(admin, machine, driver, Power.HELD)
    assert (await admin.document(machine))["state"] == "ERROR"
    await admin.acted(machine, "start")
    assert (await admin.document(machine))["state"] == "STARTED"
    assert driver.state.consoles[uuid_of(machine)] == boots


async def test_a_delete_asked_twice_is_one_job(admin: ApiClient, machine: str, driver: MemoryDriver) -> None:
    going, gate = driver.domains.undefine, asyncio.Event()

    async def slowly(uuid: str) -> None:
        await gate.wait()
        await going(uuid)

    driver.domains.undefine = slowly  # type: ignore[method-assign]
    first = await admin.delete(machine, Prefer="respond-async")
    second = await admin.delete(machine, Prefer="respond-async")
    gate.set()
    assert (first.status, second.status) == (202, 202)
    assert first.job == second.job
    assert (await admin.ended(first.job))["state"] == "SUCCESS"


async def test_a_soft_stop_may_be_repeated_while_one_waits(
    admin: ApiClient, machine: str, driver: MemoryDriver
) -> None:
    driver.state.deaf = True
    first = await admin.act(machine, "stop")
    driver.state.deaf = False
    second = await admin.act(machine, "stop")
    assert second.status == 202
    assert (await admin.ended(second.job))["state"] == "SUCCESS"
    assert (await admin.ended(first.job))["state"] in ("STOPPED", "SUCCESS")
    assert (await admin.document(machine))["state"] == "STOPPED"


async def test_a_restart_shows_both_its_halves(admin: ApiClient, machine: str, driver: MemoryDriver) -> None:
    seen: list[str] = []
    starting = driver.domains.start

    async def watched(uuid: str, *, paused: bool = False, discard_saved: bool = False) -> None:
        seen.append((await admin.document(machine))["state"])
        await starting(uuid, paused=paused, discard_saved=discard_saved)

    driver.domains.start = watched  # type: ignore[method-assign]
    answer = await admin.act(machine, "restart")
    assert answer.json["state"] == "RUNNING"
    await admin.ended(answer.job)
    assert seen == ["STARTING"]


async def test_deaf_guests_do_not_keep_a_forced_stop_from_its_work(
    admin: ApiClient, image: str, driver: MemoryDriver
) -> None:
    driver.state.deaf = True
    machines = [(await admin.post("machines", admin.machine(image))).location for _ in range(10)]
    waiting = [await admin.act(machine, "stop") for machine in machines]
    assert (await admin.acted(machines[-1], "stop", force=True))["state"] == "SUCCESS"
    assert (await admin.ended(waiting[-1].job))["state"] == "STOPPED"


async def test_what_a_failed_create_cannot_take_back_stays_in_sight_and_can_be_deleted(
    admin: ApiClient, image: str, driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.jobs.execution.UNDO_PAUSE", 0.001)
    deleting = driver.storage.delete_volume

    async def stuck(pool: str, name: str) -> None:
        raise DriverFailed("the disk is in use")

    driver.storage.delete_volume = stuck  # type: ignore[method-assign]
    driver.fail_next("domains.start", DriverFailed("QEMU said no"))
    answer = await admin.post("machines", admin.machine(image), Prefer="respond-async")
    job = await admin.ended(answer.job)
    assert "not all of it could be undone" in job["statusMessage"]
    assert (await admin.document(answer.location))["state"] == "ERROR"
    driver.storage.delete_volume = deleting  # type: ignore[method-assign]
    assert (await admin.delete(answer.location)).status == 200
    assert [name for _, name in driver.state.volumes if not name.startswith("cimi-image-")] == []


async def test_a_domain_that_is_busy_for_a_moment_is_asked_again(
    admin: ApiClient, machine: str, driver: MemoryDriver
) -> None:
    driver.fail_next("domains.pause", DriverBusy("another call holds the domain"))
    assert (await admin.acted(machine, "pause"))["state"] == "SUCCESS"
    assert (await admin.document(machine))["state"] == "PAUSED"


async def test_a_resize_that_fails_half_way_is_taken_back(admin: ApiClient, machine: str, driver: MemoryDriver) -> None:
    resizing = driver.domains.resize

    async def half(uuid: str, cpus: int, memory_kib: int) -> object:
        await resizing(uuid, cpus, driver.state.domains[uuid].memory_kib)
        if cpus == 4:
            raise DriverFailed("the balloon burst")
        return await resizing(uuid, cpus, memory_kib)

    driver.domains.resize = half  # type: ignore[method-assign,assignment]
    before = driver.state.domains[uuid_of(machine)].cpus
    answer = await admin.put(f"{machine}?$select=cpu,memory", {"cpu": 4, "memory": 65536})
    assert (await admin.ended(answer.job))["state"] == "FAILED"
    assert driver.state.domains[uuid_of(machine)].cpus == before
    assert (await admin.document(machine))["cpu"] == before


async def test_a_comparison_with_old_facts_does_not_undo_what_a_job_did_since(
    admin: ApiClient, machine: str, driver: MemoryDriver
) -> None:
    old = tuple(driver.state.domains.values())
    await admin.acted(machine, "pause")

    async def late() -> object:
        return old

    driver.domains.list_all = late  # type: ignore[method-assign,assignment]
    driver.lose()
    driver.regain()
    for _ in range(20):
        await asyncio.sleep(0.01)
        assert (await admin.document(machine))["state"] == "PAUSED"


async def test_a_guest_that_powers_off_just_before_its_button_is_pressed_is_stopped(
    admin: ApiClient, machine: str, driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    press = driver.domains.request_shutdown

    async def too_late(uuid: str) -> None:
        driver.externally(uuid, Power.OFF)
        await press(uuid)

    monkeypatch.setattr(driver.domains, "request_shutdown", too_late)
    assert (await admin.acted(machine, "stop"))["state"] == "SUCCESS"
    assert (await admin.document(machine))["state"] == "STOPPED"


async def test_a_hypervisor_that_is_away_at_the_end_of_an_action_does_not_hide_what_was_reached(
    admin: ApiClient, machine: str, driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = driver.domains.save

    async def then_away(uuid: str, progress: Progress) -> None:
        await save(uuid, progress)
        driver.fail_next("domains.read", DriverUnavailable("a call overstayed its deadline"))

    monkeypatch.setattr(driver.domains, "save", then_away)
    job = await admin.acted(machine, "suspend")
    assert job["state"] == "SUCCESS"
    assert (await admin.document(machine))["state"] == "SUSPENDED"

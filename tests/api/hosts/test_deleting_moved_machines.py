"""A delete removes a Machine wherever its guest runs, or is refused: nothing runs on where nobody sees it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from drivers.base import DriverNotFound, Migration, Power
from drivers.memory import MemoryDriver
from gateway.app import Gateway
from tests.api.client import ApiClient
from tests.api.hosts.moves import arrive, compared, host_of, leave, migrate
from tests.api.networks import made, removed
from tests.urls import uuid_of

pytestmark = pytest.mark.slow


async def deleted(client: ApiClient, machine: str) -> dict[str, object]:
    answer = await client.delete(machine, Prefer="respond-async")
    assert answer.status == 202, answer.text
    return await client.ended(answer.job)


def traces(machine: str, driver: MemoryDriver) -> list[str]:
    """What a host still has of a Machine."""
    uuid = uuid_of(machine)
    return [name for name in driver.state.domains if name == uuid] + [
        name for _, name in driver.state.volumes if uuid in name
    ]


async def test_a_machine_that_was_taken_over_leaves_nothing_on_either_host(
    admin: ApiClient, gateway: Gateway, machine: str, driver: MemoryDriver, other: MemoryDriver
) -> None:
    migrate(machine, driver, other)
    await compared(gateway, other)
    assert await host_of(gateway, machine) == "other"
    assert (await deleted(admin, machine))["state"] == "SUCCESS"
    assert (traces(machine, driver), traces(machine, other)) == ([], [])


async def test_the_addresses_that_it_had_of_its_own_are_free_again_on_both_hosts(
    admin: ApiClient, gateway: Gateway, machine: str, driver: MemoryDriver, other: MemoryDriver
) -> None:
    mac = (await admin.document(f"{machine}/networkInterfaces/0"))["macAddress"]
    migrate(machine, driver, other)
    await compared(gateway, other)
    assert (await deleted(admin, machine))["state"] == "SUCCESS"
    assert (driver.state.given_back, other.state.given_back) == ({mac}, {mac})


@pytest.mark.parametrize("silent", [False, True])
async def test_so_are_those_of_one_that_comes_back_or_is_moved_unseen(
    admin: ApiClient, gateway: Gateway, machine: str, driver: MemoryDriver, other: MemoryDriver, silent: bool
) -> None:
    mac = (await admin.document(f"{machine}/networkInterfaces/0"))["macAddress"]
    migrate(machine, driver, other, silent=silent)
    if not silent:
        await compared(gateway, other)
        migrate(machine, other, driver)
        await compared(gateway, driver)
    assert (await deleted(admin, machine))["state"] == "SUCCESS"
    assert (driver.state.given_back, other.state.given_back) == ({mac}, {mac})


async def test_so_is_that_of_an_interface_that_is_unplugged_after_the_move(
    admin: ApiClient, gateway: Gateway, machine: str, driver: MemoryDriver, other: MemoryDriver
) -> None:
    url = await made(admin, f"{machine}/networkInterfaces", {})
    mac = (await admin.document(url))["macAddress"]
    migrate(machine, driver, other)
    await compared(gateway, other)
    await removed(admin, url)
    assert (driver.state.given_back, other.state.given_back) == ({mac}, {mac})


async def test_those_on_a_host_that_was_left_and_is_away_do_not_hold_up_a_delete(
    admin: ApiClient, gateway: Gateway, machine: str, driver: MemoryDriver, other: MemoryDriver
) -> None:
    migrate(machine, driver, other)
    await compared(gateway, other)
    driver.lose()
    assert (await deleted(admin, machine))["state"] == "SUCCESS"
    assert (len(driver.state.given_back), len(other.state.given_back)) == (0, 1)


async def test_one_that_was_moved_unseen_is_removed_where_it_runs(
    admin: ApiClient, machine: str, driver: MemoryDriver, other: MemoryDriver
) -> None:
    migrate(machine, driver, other, silent=True)
    assert (await deleted(admin, machine))["state"] == "SUCCESS"
    assert (traces(machine, driver), traces(machine, other)) == ([], [])


async def test_one_that_runs_twice_is_removed_twice(
    admin: ApiClient, machine: str, driver: MemoryDriver, other: MemoryDriver
) -> None:
    arrive(machine, driver, other)
    assert (await deleted(admin, machine))["state"] == "SUCCESS"
    assert (traces(machine, driver), traces(machine, other)) == ([], [])


async def test_one_that_moves_while_it_is_removed_is_removed_on_the_other_side_too(
    admin: ApiClient, machine: str, driver: MemoryDriver, other: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    undefine = driver.domains.undefine

    async def too_late(uuid: str) -> None:
        if uuid in driver.state.domains:
            arrive(machine, driver, other)
        await undefine(uuid)

    monkeypatch.setattr(driver.domains, "undefine", too_late)
    assert (await deleted(admin, machine))["state"] == "SUCCESS"
    assert (traces(machine, driver), traces(machine, other)) == ([], [])


async def test_another_machine_of_the_same_uuid_is_left_alone(
    admin: ApiClient, machine: str, driver: MemoryDriver, other: MemoryDriver
) -> None:
    arrive(machine, driver, other, machine=None)
    assert (await deleted(admin, machine))["state"] == "SUCCESS"
    assert (await other.domains.read(uuid_of(machine))).power is Power.RUNNING


@pytest.mark.parametrize("media", ["json", "xml"])
@pytest.mark.parametrize("definition", [False, True])
async def test_one_that_may_run_on_a_host_that_is_away_is_not_deleted(
    admin: ApiClient,
    client: Callable[..., ApiClient],
    machine: str,
    driver: MemoryDriver,
    other: MemoryDriver,
    media: str,
    definition: bool,
) -> None:
    arrive(machine, driver, other)
    other.lose()
    leave(machine, driver, definition=definition, silent=True)
    answer = await client("admin", media).delete(machine)
    assert answer.status == 503
    assert "may be on other, which does not answer" in answer.text
    assert "retry-after" in answer.headers
    assert (await admin.document(machine))["state"] == "STARTED"


async def test_it_is_deleted_once_that_host_is_back(
    admin: ApiClient, machine: str, driver: MemoryDriver, other: MemoryDriver
) -> None:
    arrive(machine, driver, other)
    other.lose()
    leave(machine, driver, silent=True)
    assert (await admin.delete(machine)).status == 503
    other.regain()
    assert (await deleted(admin, machine))["state"] == "SUCCESS"
    assert (traces(machine, driver), traces(machine, other)) == ([], [])


async def test_a_job_that_finds_that_host_away_does_not_end_in_success(
    admin: ApiClient,
    machine: str,
    driver: MemoryDriver,
    other: MemoryDriver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It goes away between the request and the step."""
    monkeypatch.setattr("gateway.orchestration.common.step.PATIENCE", 0.5)
    power_off = driver.domains.power_off

    async def moved(uuid: str) -> None:
        arrive(machine, driver, other)
        other.lose()
        leave(machine, driver, silent=True)
        await power_off(uuid)

    monkeypatch.setattr(driver.domains, "power_off", moved)
    ended = await deleted(admin, machine)
    assert ended["state"] == "FAILED"
    assert "may be on other" in str(ended["statusMessage"])
    assert (await admin.get(machine)).status == 200
    assert uuid_of(machine) in other.state.domains


async def test_a_host_that_is_away_does_not_keep_machines_of_others_from_being_deleted(
    admin: ApiClient, machine: str, driver: MemoryDriver, other: MemoryDriver
) -> None:
    other.lose()
    assert (await deleted(admin, machine))["state"] == "SUCCESS"
    assert traces(machine, driver) == []


async def test_what_is_gone_for_good_is_deleted_whoever_is_away(
    admin: ApiClient, machine: str, driver: MemoryDriver, other: MemoryDriver
) -> None:
    leave(machine, driver)
    await admin.state(machine, "ERROR")
    other.lose()
    assert (await deleted(admin, machine))["state"] == "SUCCESS"


async def test_a_create_that_could_not_be_undone_is_deleted_whoever_is_away(
    admin: ApiClient, image: str, driver: MemoryDriver, other: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It never had a domain, so none can be elsewhere."""
    monkeypatch.setattr("gateway.jobs.execution.UNDO_PAUSE", 0.001)
    driver.fail_next("domains.define", DriverNotFound("the first fault"))
    delete_volume = driver.storage.delete_volume

    async def broken(_pool: str, _name: str) -> None:
        raise DriverNotFound("the second fault")

    monkeypatch.setattr(driver.storage, "delete_volume", broken)
    made = await admin.post("machines", admin.machine(image), Prefer="respond-async")
    assert (await admin.ended(made.job))["state"] == "FAILED"
    assert (await admin.document(made.location))["state"] == "ERROR"
    other.lose()
    monkeypatch.setattr(driver.storage, "delete_volume", delete_volume)
    assert (await deleted(admin, made.location))["state"] == "SUCCESS"


async def test_disks_on_a_host_that_was_left_and_is_away_are_told_of(
    admin: ApiClient, gateway: Gateway, machine: str, driver: MemoryDriver, other: MemoryDriver
) -> None:
    migrate(machine, driver, other)
    await compared(gateway, other)
    driver.lose()
    answer = await admin.delete(machine, Prefer="respond-async")
    assert (await admin.ended(answer.job))["state"] == "SUCCESS"
    lines = await gateway.store.fetch("SELECT message FROM job_log")
    assert any("disks of the Machine stay on local" in line for (line,) in lines)
    assert traces(machine, other) == []


async def test_a_definition_that_stayed_behind_goes_too(
    admin: ApiClient, gateway: Gateway, machine: str, driver: MemoryDriver, other: MemoryDriver
) -> None:
    arrive(machine, driver, other)
    leave(machine, driver, definition=True)
    await compared(gateway, other)
    assert driver.state.domains[uuid_of(machine)].migration is Migration.LEFT
    assert (await deleted(admin, machine))["state"] == "SUCCESS"
    assert (traces(machine, driver), traces(machine, other)) == ([], [])

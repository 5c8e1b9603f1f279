"""A guest that an admin moves to another host of the gateway is followed there, and never taken for lost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from drivers.base import DriverEvent, EventKind, Migration, Power
from drivers.memory import MemoryDriver
from gateway.app import Gateway
from gateway.config import Settings
from tests.api.client import ApiClient
from tests.api.event_logs import everything, of_type
from tests.api.hosts.moves import arrive, compared, host_of, is_on, leave, migrate
from tests.api.meters import Look, made, samples
from tests.api.volumes import by_value, connected
from tests.urls import uuid_of

pytestmark = pytest.mark.slow


async def codes(client: ApiClient) -> list[str]:
    return [event["content"]["code"] for event in of_type(await everything(client), "alarm")]


async def test_a_migrated_machine_stays_started_and_is_driven_where_it_is(
    admin: ApiClient, gateway: Gateway, machine: str, driver: MemoryDriver, other: MemoryDriver
) -> None:
    migrate(machine, driver, other)
    await is_on(gateway, machine, "other")
    assert (await admin.document(machine))["state"] == "STARTED"
    assert (await admin.acted(machine, "stop", force=True))["state"] == "SUCCESS"
    assert other.state.domains[uuid_of(machine)].power is Power.OFF


async def test_the_move_is_told_and_the_domain_is_not_called_gone(
    admin: ApiClient, gateway: Gateway, machine: str, driver: MemoryDriver, other: MemoryDriver
) -> None:
    migrate(machine, driver, other)
    await is_on(gateway, machine, "other")
    told = await codes(admin)
    assert "moved" in told
    assert "domain-gone" not in told


async def test_the_end_on_the_old_host_may_be_told_first(
    admin: ApiClient, gateway: Gateway, machine: str, driver: MemoryDriver, other: MemoryDriver
) -> None:
    arrive(machine, driver, other)
    leave(machine, driver)
    await is_on(gateway, machine, "other")
    assert "domain-gone" not in await codes(admin)


async def test_a_definition_that_stayed_behind_does_not_make_it_stopped(
    admin: ApiClient, gateway: Gateway, machine: str, driver: MemoryDriver, other: MemoryDriver
) -> None:
    arrive(machine, driver, other)
    leave(machine, driver, definition=True)
    await is_on(gateway, machine, "other")
    assert (await admin.document(machine))["state"] == "STARTED"


async def test_a_stopped_machine_that_is_defined_elsewhere_goes_there(
    admin: ApiClient, gateway: Gateway, image: str, driver: MemoryDriver, other: MemoryDriver
) -> None:
    made = await admin.post("machines", admin.machine(image, initialState="STOPPED"), Prefer="wait=30")
    migrate(made.location, driver, other)
    await is_on(gateway, made.location, "other")
    assert (await admin.document(made.location))["state"] == "STOPPED"


async def test_what_was_moved_while_nobody_looked_is_found_by_comparing(
    admin: ApiClient, gateway: Gateway, machine: str, driver: MemoryDriver, other: MemoryDriver
) -> None:
    migrate(machine, driver, other, silent=True)
    await compared(gateway, driver, other)
    assert await host_of(gateway, machine) == "other"


async def test_what_was_moved_while_the_gateway_was_stopped_is_found_by_its_start(
    admin: ApiClient, gateway: Gateway, machine: str, driver: MemoryDriver, other: MemoryDriver
) -> None:
    await gateway.stop()
    migrate(machine, driver, other, silent=True)
    await gateway.start()
    await is_on(gateway, machine, "other")
    assert "domain-gone" not in await codes(admin)


async def test_a_machine_comes_back_as_it_went(
    admin: ApiClient, gateway: Gateway, machine: str, driver: MemoryDriver, other: MemoryDriver
) -> None:
    migrate(machine, driver, other)
    await is_on(gateway, machine, "other")
    migrate(machine, other, driver)
    await is_on(gateway, machine, "local")


async def test_while_a_migration_is_under_way_the_machine_stays_where_it_runs(
    admin: ApiClient, gateway: Gateway, machine: str, driver: MemoryDriver, other: MemoryDriver
) -> None:
    arrive(machine, driver, other, migration=Migration.UNDERWAY)
    other.state.tell(uuid_of(machine))
    await compared(gateway, other, driver)
    assert await host_of(gateway, machine) == "local"
    assert "runs-twice" not in await codes(admin)


async def test_a_guest_that_runs_on_two_hosts_is_told_once_and_stays_its_hosts(
    admin: ApiClient, gateway: Gateway, machine: str, driver: MemoryDriver, other: MemoryDriver
) -> None:
    arrive(machine, driver, other)
    await compared(gateway, other, other)
    assert await host_of(gateway, machine) == "local"
    assert (await codes(admin)).count("runs-twice") == 1


async def test_a_domain_that_runs_elsewhere_is_followed_though_its_old_host_is_away(
    admin: ApiClient, gateway: Gateway, machine: str, driver: MemoryDriver, other: MemoryDriver
) -> None:
    driver.lose()
    migrate(machine, driver, other, silent=True)
    await compared(gateway, other)
    assert await host_of(gateway, machine) == "other"


async def test_a_machine_whose_host_left_the_configuration_is_followed_to_where_it_runs(
    settings: Settings, gateway: Gateway, machine: str, driver: MemoryDriver, other: MemoryDriver
) -> None:
    """An admin has emptied a host, and taken its entry out."""
    await gateway.stop()
    migrate(machine, driver, other, silent=True)
    left = Gateway(replace(settings, hypervisors=settings.hypervisors[1:]), {"other": other})
    await left.start()
    try:
        await is_on(left, machine, "other")
    finally:
        await left.stop()
    await gateway.start()


async def test_a_domain_that_is_off_elsewhere_is_not_believed_while_its_host_is_away(
    admin: ApiClient, gateway: Gateway, machine: str, driver: MemoryDriver, other: MemoryDriver
) -> None:
    driver.lose()
    arrive(machine, driver, other, power=Power.OFF)
    await compared(gateway, other)
    assert await host_of(gateway, machine) == "local"


async def test_the_events_of_a_copy_on_another_host_change_nothing(
    admin: ApiClient, gateway: Gateway, machine: str, driver: MemoryDriver, other: MemoryDriver
) -> None:
    """An admin's copy of the definition, with the same UUID, that is off while the guest runs."""
    arrive(machine, driver, other, power=Power.OFF, cpus=7)
    other.state.tell(uuid_of(machine))
    other.complain(uuid_of(machine), "watchdog")
    other.state.emit(DriverEvent("other", EventKind.DOMAIN_UNDEFINED, uuid_of(machine)))
    await compared(gateway, other, driver)
    document = await admin.document(machine)
    assert (document["state"], document["cpu"]) == ("STARTED", 1)
    assert "watchdog" not in await codes(admin)


async def test_a_foreign_domain_of_the_same_uuid_is_no_machine(
    admin: ApiClient, gateway: Gateway, machine: str, driver: MemoryDriver, other: MemoryDriver
) -> None:
    arrive(machine, driver, other, machine=None)
    leave(machine, driver)
    await admin.state(machine, "ERROR")
    assert await host_of(gateway, machine) == "local"


async def test_a_domain_that_is_nowhere_is_gone(
    admin: ApiClient, machine: str, driver: MemoryDriver, other: MemoryDriver
) -> None:
    leave(machine, driver)
    await admin.state(machine, "ERROR")
    assert "domain-gone" in await codes(admin)


async def test_a_domain_that_may_be_on_a_host_that_is_away_is_not_called_gone(
    admin: ApiClient, gateway: Gateway, machine: str, driver: MemoryDriver, other: MemoryDriver
) -> None:
    before = (await admin.document(machine))["state"]
    other.lose()
    leave(machine, driver)
    await compared(gateway, driver, driver)
    assert (await admin.document(machine))["state"] == before
    told = await codes(admin)
    assert (told.count("domain-missing"), "domain-gone" in told) == (1, False)


async def test_it_is_gone_once_that_host_answers_and_has_it_not(
    admin: ApiClient, gateway: Gateway, machine: str, driver: MemoryDriver, other: MemoryDriver
) -> None:
    other.lose()
    leave(machine, driver)
    other.regain()
    await compared(gateway, driver)
    await admin.state(machine, "ERROR")
    assert "domain-gone" in await codes(admin)


async def test_it_is_not_started_beside_itself(
    admin: ApiClient, machine: str, driver: MemoryDriver, other: MemoryDriver
) -> None:
    """Its definition stayed behind when it was moved to the host that is away now, and where it runs."""
    await admin.acted(machine, "stop", force=True)
    other.lose()
    leave(machine, driver, definition=True, silent=True)
    ended = await admin.acted(machine, "start")
    assert ended["state"] == "FAILED"
    assert "may run on other" in ended["statusMessage"]
    assert driver.state.domains[uuid_of(machine)].power is Power.OFF


async def test_a_job_that_fails_for_a_moved_domain_does_not_leave_it_in_error(
    admin: ApiClient, gateway: Gateway, machine: str, driver: MemoryDriver, other: MemoryDriver
) -> None:
    migrate(machine, driver, other, silent=True)
    assert (await admin.acted(machine, "pause"))["state"] == "FAILED"
    assert (await admin.document(machine))["state"] == "STARTED"
    await compared(gateway, other)
    assert await host_of(gateway, machine) == "other"


async def test_its_volumes_come_along(
    admin: ApiClient, gateway: Gateway, machine: str, driver: MemoryDriver, other: MemoryDriver
) -> None:
    volume = (await admin.post("volumes", by_value())).location
    await admin.post(f"{machine}/volumes", connected(volume), Prefer="wait=30")
    migrate(machine, driver, other)
    await is_on(gateway, machine, "other")
    resource = await gateway.store.get(f"volumes/{uuid_of(volume)}")
    assert resource is not None
    assert resource.internal["host"] == "other"
    shown = (await admin.document(f"{machine}/volumes"))["machineVolumes"]
    assert [entry["volume"]["href"] for entry in shown] == [volume]


async def test_a_volume_that_the_new_host_does_not_have_stays_where_it_is(
    admin: ApiClient, gateway: Gateway, machine: str, driver: MemoryDriver, other: MemoryDriver
) -> None:
    volume = (await admin.post("volumes", by_value())).location
    await admin.post(f"{machine}/volumes", connected(volume), Prefer="wait=30")
    arrive(machine, driver, other)
    kept = await gateway.store.get(f"volumes/{uuid_of(volume)}")
    assert kept is not None
    del other.state.volumes[("default", kept.internal["volume"])]
    leave(machine, driver)
    await is_on(gateway, machine, "other")
    resource = await gateway.store.get(f"volumes/{uuid_of(volume)}")
    assert resource is not None
    assert resource.internal["host"] == "local"


async def test_its_meters_go_on_by_the_looks_at_the_new_host(
    admin: ApiClient, gateway: Gateway, machine: str, driver: MemoryDriver, other: MemoryDriver, look: Look
) -> None:
    meter = await made(admin, machine, "memory")
    await look(10)
    before = len(await samples(admin, meter))
    migrate(machine, driver, other)
    await is_on(gateway, machine, "other")
    other.state.seconds_ahead = driver.state.seconds_ahead
    for _ in range(3):
        other.state.seconds_ahead += 10
        await gateway.sampler.look(other)
    assert len(await samples(admin, meter)) > before

"""An entry that was removed from the configuration, or renamed: what was there is read, not changed, and deleted.

Everything is made by one gateway, and then looked at through another on the same store, which knows another host.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from operator import attrgetter
from typing import Any

import pytest

from drivers.base import ConnectionState, DriverNotFound, DriverUnavailable, HypervisorSettings
from drivers.memory import MemoryDriver
from gateway import config
from gateway.app import Gateway
from gateway.cimi.registry import TYPES
from gateway.orchestration.common.hosts import REMOVALS, ConfiguredDrivers, for_delete
from tests.api.client import Answer, ApiClient
from tests.api.hosts.moves import arrive, compared
from tests.api.networks import DEFAULT_NETWORK, made, removed
from tests.api.world import World
from tests.urls import uuid_of

pytestmark = pytest.mark.slow

WORDS = "local is not in the configuration"
WITH_HOST = ("Machine", "Volume", "Network", "NetworkPort", "Address", "ForwardingGroup", "MachineImage", "VolumeImage")
OF_MACHINES = ("Disk", "MachineVolume", "MachineNetworkInterface", "MachineNetworkInterfaceAddress", "MachineSnapshot")


@pytest.fixture
def renamed() -> MemoryDriver:
    return MemoryDriver(name="renamed")


@pytest.fixture
async def remade(
    gateway: Gateway, settings: config.Settings, renamed: MemoryDriver, other: MemoryDriver
) -> AsyncIterator[Callable[[], Any]]:
    """``await remade()``: the gateway runs on without the entry ``local``, and with one named ``renamed``."""
    running: list[Gateway] = []

    async def again() -> Gateway:
        await gateway.stop()
        entry = HypervisorSettings("renamed", "memory", "default", "default")
        entries = (entry, *(each for each in settings.hypervisors if each.name == "other"))
        running.append(Gateway(replace(settings, hypervisors=entries), {"renamed": renamed, "other": other}))
        await running[0].start()
        return running[0]

    yield again
    for each in running:
        await each.stop()


def kinds_of(answers: list[tuple[str, Answer]]) -> list[str]:
    """Return those that are the gateway's fault, with what they say."""
    return [f"{what}: {answer.status} {answer.text[:300]}" for what, answer in answers if answer.status == 500]


@pytest.mark.parametrize("media", ["json", "xml"])
async def test_everything_can_be_read(
    world: World, remade: Callable[[], Any], client: Callable[..., ApiClient], media: str
) -> None:
    paths = await world.everything()
    await remade()
    reader = client("admin", media)
    for kind, path in paths.items():
        if kind.startswith(("waiting", "exported")):
            continue
        collection = path.rpartition("/")[0]
        for url in (path, f"{path}?$expand=*", collection, f"{collection}?$expand=*"):
            if url.partition("?")[0] in ("", "resourceMetadata"):
                continue
            answer = await reader.get(url)
            assert answer.status == 200, f"{url}: {answer.text[:500]}"
    for declared in TYPES.values():
        if declared.parent is None and declared.kind != "CloudEntryPoint":
            assert (await reader.get(f"{declared.segment}?$expand=*")).status == 200
    for url in ("cloudEntryPoint?$expand=machines", "cloudEntryPoint?$expand=*"):
        assert (await reader.get(url)).status == 200


@pytest.mark.parametrize("verb", ["start", "stop", "restart", "pause", "suspend", "capture", "snapshot", "export"])
async def test_no_action_is_an_internal_error(world: World, remade: Callable[[], Any], verb: str) -> None:
    for kind in ("Machine", "Volume", "Network", "NetworkPort", "System"):
        await world.ensure(kind)
    await remade()
    answers = []
    for kind in ("Machine", "Volume", "Network", "NetworkPort", "System"):
        answer = await world.admin.act(world.paths[kind], verb)
        answers.append((f"{verb} {kind}", answer))
        if answer.status == 503:
            assert WORDS in answer.text
            assert "retry-after" in answer.headers
    assert kinds_of(answers) == []


@pytest.mark.parametrize("verb", ["stop", "restart", "pause"])
async def test_a_machines_action_is_refused_with_the_reason(
    machine: str, admin: ApiClient, remade: Callable[[], Any], verb: str
) -> None:
    await remade()
    answer = await admin.act(machine, verb)
    assert (answer.status, WORDS in answer.text) == (503, True)
    assert (await admin.document(machine))["state"] == "STARTED"


@pytest.mark.parametrize("media", ["json", "xml"])
async def test_an_address_of_the_hosts_own_network_is_refused_with_the_reason(
    client: Callable[..., ApiClient], remade: Callable[[], Any], media: str
) -> None:
    await remade()
    sender = client("admin", media)
    href = sender.base + DEFAULT_NETWORK
    body: Any = {"addressTemplate": {"network": {"href": href}}}
    if media == "xml":
        body = f'<AddressCreate><addressTemplate><network href="{href}"/></addressTemplate></AddressCreate>'.encode()
    answer = await sender.post("addresses", body)
    assert (answer.status, WORDS in answer.text) == (503, True)
    assert "retry-after" in answer.headers


@pytest.mark.parametrize("kind", [*WITH_HOST, *OF_MACHINES])
async def test_no_edit_is_an_internal_error(world: World, remade: Callable[[], Any], kind: str) -> None:
    path = await world.ensure(kind)
    await remade()
    document = await world.admin.document(path)
    changes: list[dict[str, Any]] = [{"name": "another"}]
    changes += [{"capacity": document["capacity"] * 2}] if "capacity" in document else []
    changes += [{"cpu": 2, "memory": 262144}] if kind == "Machine" else []
    answers = [(f"PUT {kind} {change}", await world.admin.put(path, {**document, **change})) for change in changes]
    assert kinds_of(answers) == []
    assert all(WORDS in answer.text for _, answer in answers if answer.status == 503)


@pytest.mark.parametrize(
    ("segment", "document"),
    [
        ("disks", {"capacity": 1000}),
        ("volumes", {"initialLocation": "", "volume": {"href": "volume"}}),
        ("networkInterfaces", {"network": {"href": "network"}}),
    ],
)
async def test_no_device_is_added(
    world: World, remade: Callable[[], Any], segment: str, document: dict[str, Any]
) -> None:
    machine = await world.ensure("Machine")
    given = {
        "volume": await world.href("Volume"),
        "network": await world.href("Network"),
    }
    await remade()
    body = {name: given.get(name, value) for name, value in document.items()}
    answer = await world.admin.post(f"{machine}/{segment}", body)
    assert (answer.status, WORDS in answer.text) == (503, True), answer.text


async def test_the_console_is_refused_with_the_reason(
    machine: str, admin: ApiClient, remade: Callable[[], Any]
) -> None:
    await remade()
    answer = await admin.request("GET", f"{machine}/console", Accept="text/plain")
    assert (answer.status, WORDS in answer.text) == (503, True)


@pytest.mark.parametrize("kind", [kind for kind in OF_MACHINES if TYPES[kind].deletable])
async def test_what_is_a_machines_is_not_removed_alone(world: World, remade: Callable[[], Any], kind: str) -> None:
    path = await world.ensure(kind)
    await remade()
    answer = await world.admin.delete(path)
    assert (answer.status, WORDS in answer.text) == (503, True), answer.text


@pytest.mark.parametrize("kind", [*WITH_HOST, "System"])
async def test_what_was_there_is_deleted_and_the_job_says_what_stays(
    world: World, remade: Callable[[], Any], kind: str
) -> None:
    path = await world.make(kind)
    running = await remade()
    answer = await world.admin.delete(path, Prefer="respond-async")
    assert answer.status in (200, 202), answer.text
    ended = await world.admin.ended(answer.job)
    assert ended["state"] == "SUCCESS", ended
    assert (await world.admin.get(path)).status == 404
    if kind in ("Machine", "Volume", "Network", "MachineImage", "VolumeImage"):
        lines = await running.store.fetch("SELECT message FROM job_log")
        assert any(WORDS in line and "stays there" in line for (line,) in lines)


@pytest.mark.parametrize("machine_first", [True, False])
async def test_an_address_in_the_hosts_own_network_and_the_machine_that_uses_it_are_deleted(
    admin: ApiClient, image: str, remade: Callable[[], Any], machine_first: bool
) -> None:
    address = await made(admin, "addresses", {"addressTemplate": {"network": {"href": DEFAULT_NETWORK}}})
    template = {"networkInterfaces": [{"addresses": [{"href": address}]}], "initialState": "STOPPED"}
    machine = await made(admin, "machines", admin.machine(image, **template))
    await remade()
    for path in (machine, address) if machine_first else (address, machine):
        await removed(admin, path)


async def test_a_snapshot_is_not_removed_alone(world: World, remade: Callable[[], Any]) -> None:
    snapshot = await world.admin.document(await world.ensure("MachineSnapshot"))
    image = snapshot["snapshot"]["href"]
    await remade()
    answer = await world.admin.delete(image)
    assert (answer.status, WORDS in answer.text) == (503, True), answer.text


async def test_what_was_there_stays_there(
    machine: str, admin: ApiClient, remade: Callable[[], Any], driver: MemoryDriver
) -> None:
    await remade()
    answer = await admin.delete(machine, Prefer="respond-async")
    assert (await admin.ended(answer.job))["state"] == "SUCCESS"
    assert uuid_of(machine) in driver.state.domains


async def test_a_guest_that_runs_on_another_host_goes_with_its_machine(
    machine: str, admin: ApiClient, remade: Callable[[], Any], driver: MemoryDriver, other: MemoryDriver
) -> None:
    await remade()
    arrive(machine, driver, other)
    answer = await admin.delete(machine, Prefer="respond-async")
    assert (await admin.ended(answer.job))["state"] == "SUCCESS"
    assert uuid_of(machine) not in other.state.domains


async def test_a_machine_whose_guest_may_be_on_a_host_that_is_away_stays(
    machine: str, admin: ApiClient, remade: Callable[[], Any], other: MemoryDriver
) -> None:
    await remade()
    other.lose()
    answer = await admin.delete(machine)
    assert (answer.status, "may be on other" in answer.text) == (503, True)


async def test_a_running_guest_of_a_renamed_entry_is_followed(
    machine: str, admin: ApiClient, remade: Callable[[], Any], driver: MemoryDriver, renamed: MemoryDriver
) -> None:
    running = await remade()
    arrive(machine, driver, renamed)
    await compared(running, renamed)
    assert (await admin.acted(machine, "stop", force=True))["state"] == "SUCCESS"


async def test_no_loop_is_in_trouble(world: World, remade: Callable[[], Any], renamed: MemoryDriver) -> None:
    await world.everything()
    running = await remade()
    for driver in running.drivers.values():
        await compared(running, driver)
        await running.sampler.look(driver)
    assert running.supervision.in_trouble == ()
    assert sum(running.supervision.failures.values()) == 0


async def test_all_works_again_once_the_entry_is_back(
    machine: str, admin: ApiClient, remade: Callable[[], Any], settings: config.Settings, driver: MemoryDriver
) -> None:
    running = await remade()
    await running.stop()
    again = Gateway(settings, {"local": driver, "other": MemoryDriver(name="other")})
    await again.start()
    try:
        assert (await admin.acted(machine, "stop", force=True))["state"] == "SUCCESS"
    finally:
        await again.stop()


@pytest.mark.parametrize("name", sorted(REMOVALS))
async def test_each_call_that_removes_is_one_of_a_driver(name: str) -> None:
    assert callable(attrgetter(name)(MemoryDriver()))


async def test_a_host_without_entry_refuses_each_call() -> None:
    host = ConfiguredDrivers()["gone"]
    assert host.connection is ConnectionState.DOWN
    with pytest.raises(DriverUnavailable, match="gone is not in the configuration"):
        await host.domains.list_all()


async def test_a_delete_finds_nothing_there() -> None:
    host = for_delete(ConfiguredDrivers()["gone"])
    await host.storage.delete_volume("default", "disk")
    with pytest.raises(DriverNotFound):
        await host.domains.read("uuid")

"""Addresses reserved in the host's own networks, where interfaces, an admin and foreign guests have theirs, too."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from drivers.base import Lease, Reservation, ServedRange
from drivers.memory import MemoryDriver
from gateway.app import Gateway
from gateway.orchestration.networks.host_network import show_networks
from gateway.orchestration.networks.shared_addresses import unused_mac
from tests.api.addresses import repairs
from tests.api.client import ACTION, ApiClient
from tests.api.networks import DEFAULT_NETWORK, id_of, interfaces, made, removed

pytestmark = pytest.mark.slow

ADMINS = Reservation("192.168.122.2", "52:54:00:aa:00:01", "printer")


def entries(driver: MemoryDriver) -> dict[str, str | None]:
    """What DHCP keeps, by address: the MACs."""
    return {entry.ip: entry.mac for entry in driver.state.networks["default"].reservations}


def keep(driver: MemoryDriver, *reservations: Reservation) -> None:
    """What an admin does with virsh net-update."""
    facts = driver.state.networks["default"]
    driver.state.networks["default"] = replace(facts, reservations=(*facts.reservations, *reservations))


@pytest.fixture
async def small(gateway: Gateway, driver: MemoryDriver) -> None:
    """A host whose DHCP has four addresses."""
    served = ServedRange("192.168.122.1/24", (("192.168.122.2", "192.168.122.5"),))
    driver.state.networks["default"] = replace(driver.state.networks["default"], served=served)
    await show_networks(gateway.store, gateway.settings.hypervisors[0], driver.state.networks)


@pytest.fixture
def compare(gateway: Gateway, driver: MemoryDriver) -> Callable[[], Awaitable[None]]:
    return lambda: gateway.reconciliation.compare(driver, reconnect=True)


async def reserved(admin: ApiClient, **template: Any) -> dict[str, Any]:
    return await admin.document(await made(admin, "addresses", {"addressTemplate": template}))


def unused(address: dict[str, Any]) -> str:
    return unused_mac(f"addresses/{id_of(address['id'])}")


async def refusal(admin: ApiClient, collection: str, document: dict[str, Any]) -> tuple[int, str]:
    answer = await admin.post(collection, document, Prefer="wait=30")
    return answer.status, answer.message


async def powered_off(admin: ApiClient, machine: str) -> str:
    answer = await admin.post(f"{machine}/stop", {"action": f"{ACTION}stop", "force": True})
    assert (await admin.ended(answer.job))["state"] == "SUCCESS"
    return str((await interfaces(admin, machine))[0]["id"])


async def test_an_address_has_its_entry_from_its_create_until_its_delete(
    admin: ApiClient, driver: MemoryDriver
) -> None:
    shown = await reserved(admin, network={"href": DEFAULT_NETWORK}, ip="192.168.122.77")
    assert (shown["defaultGateway"], shown["mask"], shown["protocol"]) == ("192.168.122.1", "255.255.255.0", "IPv4")
    assert entries(driver) == {"192.168.122.77": unused(shown)}
    await removed(admin, shown["id"])
    assert entries(driver) == {}


async def test_what_an_admin_keeps_is_not_given_asked_or_unasked(
    small: None, admin: ApiClient, driver: MemoryDriver
) -> None:
    keep(driver, ADMINS)
    template = {"ip": ADMINS.ip, "network": {"href": DEFAULT_NETWORK}}
    status, words = await refusal(admin, "addresses", {"addressTemplate": template})
    assert (status, "in use or reserved" in words) == (409, True)
    given = {(await reserved(admin))["ip"] for _ in range(3)}
    assert given == {f"192.168.122.{number}" for number in (3, 4, 5)}
    assert (await refusal(admin, "addresses", {"addressTemplate": {"network": {"href": DEFAULT_NETWORK}}}))[0] == 409


async def test_what_dhcp_gave_to_a_foreign_guest_is_not_given(
    small: None, admin: ApiClient, driver: MemoryDriver
) -> None:
    leased = [Lease("52:54:00:aa:00:02", f"192.168.122.{number}", 24, None, 0) for number in (2, 3, 4)]
    driver.state.leases["default"] = tuple(leased)
    assert (await reserved(admin))["ip"] == "192.168.122.5"


async def test_addresses_and_interfaces_that_are_made_at_once_never_have_the_same(
    small: None, admin: ApiClient, image: str, driver: MemoryDriver
) -> None:
    both = [made(admin, "addresses", {"addressTemplate": {}}) for _ in range(2)]
    both += [made(admin, "machines", admin.machine(image)) for _ in range(2)]
    await asyncio.gather(*both)
    kept = driver.state.networks["default"].reservations
    assert {entry.ip for entry in kept} == {f"192.168.122.{number}" for number in (2, 3, 4, 5)}
    assert len(kept) == 4


async def test_one_that_somebody_took_meanwhile_is_chosen_again(
    admin: ApiClient, driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    take, taken = driver.addresses.take, list[str]()

    async def quicker(name: str, wanted: Reservation, ours: frozenset[str]) -> None:
        if not taken:
            taken.append(wanted.ip)
            keep(driver, Reservation(wanted.ip, "52:54:00:aa:00:09"))
        await take(name, wanted, ours)

    monkeypatch.setattr(driver.addresses, "take", quicker)
    shown = await reserved(admin)
    assert shown["ip"] not in taken
    assert entries(driver) == {shown["ip"]: unused(shown), taken[0]: "52:54:00:aa:00:09"}


async def test_one_that_was_asked_for_and_taken_meanwhile_fails_with_words(
    admin: ApiClient, driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = driver.addresses.take

    async def quicker(name: str, wanted: Reservation, ours: frozenset[str]) -> None:
        keep(driver, Reservation(wanted.ip, "52:54:00:aa:00:09"))
        await take(name, wanted, ours)

    monkeypatch.setattr(driver.addresses, "take", quicker)
    template = {"ip": "192.168.122.9", "network": {"href": DEFAULT_NETWORK}}
    answer = await admin.post("addresses", {"addressTemplate": template})
    job = await admin.ended(answer.job)
    assert (job["state"], "kept for another" in job["statusMessage"]) == ("FAILED", True)
    assert (await admin.document("addresses"))["count"] == 0
    assert entries(driver) == {"192.168.122.9": "52:54:00:aa:00:09"}


async def test_a_machine_that_is_made_with_one_has_its_entry_and_leaves_it_reserved(
    admin: ApiClient, image: str, driver: MemoryDriver
) -> None:
    shown = await reserved(admin)
    with_it = [{"addresses": [{"href": shown["id"]}]}]
    machine = await made(admin, "machines", admin.machine(image, networkInterfaces=with_it))
    [interface] = await interfaces(admin, machine)
    assert entries(driver) == {shown["ip"]: interface["macAddress"]}
    assert (await admin.document(shown["id"]))["resource"] == {"href": interface["id"]}
    await removed(admin, machine)
    assert entries(driver) == {shown["ip"]: unused(shown)}


async def test_an_interface_that_is_plugged_in_with_one_leaves_it_reserved(
    admin: ApiClient, machine: str, driver: MemoryDriver
) -> None:
    shown = await reserved(admin)
    url = await made(admin, f"{machine}/networkInterfaces", {"addresses": [{"href": shown["id"]}]})
    assert entries(driver)[shown["ip"]] == (await admin.document(url))["macAddress"]
    await removed(admin, url)
    assert entries(driver)[shown["ip"]] == unused(shown)


async def test_one_that_is_made_for_an_interface_by_value_goes_with_its_machine(
    admin: ApiClient, image: str, driver: MemoryDriver
) -> None:
    by_value = [{"addresses": [{"ip": "192.168.122.88"}]}]
    machine = await made(admin, "machines", admin.machine(image, networkInterfaces=by_value))
    assert list(entries(driver)) == ["192.168.122.88"]
    await removed(admin, machine)
    assert entries(driver) == {}


async def test_given_to_a_machine_that_is_off_it_takes_the_place_of_the_own_address(
    admin: ApiClient, machine: str, driver: MemoryDriver
) -> None:
    interface = (await interfaces(admin, machine))[0]
    await powered_off(admin, machine)
    shown = await reserved(admin)
    link = await made(admin, f"{interface['id']}/addresses", {"address": {"href": shown["id"]}})
    assert entries(driver) == {shown["ip"]: interface["macAddress"]}
    await removed(admin, link)
    assert entries(driver)[shown["ip"]] == unused(shown)
    assert interface["macAddress"] in entries(driver).values()


async def test_an_interface_has_one_at_most(admin: ApiClient, machine: str) -> None:
    interface = await powered_off(admin, machine)
    one, other = [await reserved(admin) for _ in range(2)]
    await made(admin, f"{interface}/addresses", {"address": {"href": one["id"]}})
    status, words = await refusal(admin, f"{interface}/addresses", {"address": {"href": other["id"]}})
    assert (status, "one address in the host's own Network" in words) == (409, True)


async def test_a_guest_that_runs_keeps_the_address_that_it_has(
    admin: ApiClient, image: str, driver: MemoryDriver
) -> None:
    running = await made(admin, "machines", admin.machine(image, initialState="STARTED"))
    interface, shown = (await interfaces(admin, running))[0]["id"], await reserved(admin)
    status, words = await refusal(admin, f"{interface}/addresses", {"address": {"href": shown["id"]}})
    assert (status, "stop the Machine first" in words) == (409, True)


async def test_nor_is_one_taken_from_a_guest_that_runs(admin: ApiClient, image: str) -> None:
    shown = await reserved(admin)
    template = {"networkInterfaces": [{"addresses": [{"href": shown["id"]}]}], "initialState": "STARTED"}
    running = await made(admin, "machines", admin.machine(image, **template))
    link = f"{(await interfaces(admin, running))[0]['id']}/addresses/{id_of(shown['id'])}"
    for url in (shown["id"], link):
        answer = await admin.delete(url)
        assert (answer.status, "stop the Machine first" in answer.message) == (409, True)


@pytest.mark.parametrize(
    ("asked", "attribute"),
    [({"hostname": "web"}, "hostname"), ({"protocol": "IPv6"}, "protocol"), ({"ip": "192.168.122.1"}, "ip")],
)
async def test_what_the_hosts_network_does_not_give_is_refused_with_words(
    admin: ApiClient, asked: dict[str, str], attribute: str
) -> None:
    template = {"addressTemplate": {"network": {"href": DEFAULT_NETWORK}, **asked}}
    status, words = await refusal(admin, "addresses", template)
    assert (status, words.partition(":")[0]) == (400, f"addressTemplate.{attribute}")


async def test_it_cannot_be_given_a_name_later(admin: ApiClient) -> None:
    shown = await reserved(admin)
    answer = await admin.put(f"{shown['id']}?$select=hostname", {"hostname": "web"})
    assert (answer.status, answer.message.partition(":")[0]) == (400, "hostname")


async def test_comparisons_and_restarts_leave_what_is_there_as_it_is(
    admin: ApiClient, machine: str, driver: MemoryDriver, gateway: Gateway, compare: Callable[[], Awaitable[None]]
) -> None:
    shown = await reserved(admin)
    keep(driver, ADMINS)
    before = driver.state.networks["default"].reservations
    assert len(before) == 3
    await compare()
    await gateway.stop()
    await gateway.start()
    await compare()
    assert driver.state.networks["default"].reservations == before
    assert (await admin.document(shown["id"]))["ip"] == shown["ip"]


async def test_an_entry_that_somebody_removed_is_put_back(
    admin: ApiClient, driver: MemoryDriver, compare: Callable[[], Awaitable[None]]
) -> None:
    shown = await reserved(admin)
    driver.state.networks["default"] = replace(driver.state.networks["default"], reservations=())
    await compare()
    assert entries(driver) == {shown["ip"]: unused(shown)}


async def test_an_address_that_an_admin_gave_to_another_meanwhile_stays_theirs(
    admin: ApiClient, driver: MemoryDriver, compare: Callable[[], Awaitable[None]]
) -> None:
    shown = await reserved(admin)
    theirs = replace(ADMINS, ip=shown["ip"])
    driver.state.networks["default"] = replace(driver.state.networks["default"], reservations=(theirs,))
    await compare()
    await compare()
    assert entries(driver) == {theirs.ip: theirs.mac}
    await removed(admin, shown["id"])
    assert entries(driver) == {theirs.ip: theirs.mac}


@pytest.fixture
async def used(admin: ApiClient, image: str) -> tuple[dict[str, Any], str]:
    """A reserved Address, and a Machine that is off and was made with it."""
    shown = await reserved(admin)
    template = {"networkInterfaces": [{"addresses": [{"href": shown["id"]}]}], "initialState": "STOPPED"}
    return shown, await made(admin, "machines", admin.machine(image, **template))


def forgotten(driver: MemoryDriver, _ip: str) -> None:
    """What virsh net-undefine does."""
    del driver.state.networks["default"]


def given_to_another(driver: MemoryDriver, ip: str) -> None:
    facts = driver.state.networks["default"]
    driver.state.networks["default"] = replace(facts, reservations=(replace(ADMINS, ip=ip),))


OUTSIDE = pytest.mark.parametrize("outside", [forgotten, given_to_another])


@OUTSIDE
async def test_a_machine_is_deleted_whatever_an_admin_made_of_the_network(
    used: tuple[dict[str, Any], str], admin: ApiClient, driver: MemoryDriver, outside: Callable[..., None]
) -> None:
    shown, machine = used
    outside(driver, shown["ip"])
    await removed(admin, machine)
    assert not [volume for _, volume in driver.state.volumes if id_of(machine) in volume]
    assert "resource" not in await admin.document(shown["id"])


@OUTSIDE
async def test_an_address_is_taken_from_its_interface_whatever_an_admin_made_of_the_network(
    used: tuple[dict[str, Any], str], admin: ApiClient, driver: MemoryDriver, outside: Callable[..., None]
) -> None:
    shown, machine = used
    outside(driver, shown["ip"])
    await removed(admin, f"{(await interfaces(admin, machine))[0]['id']}/addresses/{id_of(shown['id'])}")
    assert "resource" not in await admin.document(shown["id"])


async def test_an_address_that_is_lost_by_its_machines_delete_is_told_once(
    used: tuple[dict[str, Any], str], admin: ApiClient, driver: MemoryDriver, compare: Callable[[], Awaitable[None]]
) -> None:
    shown, machine = used
    given_to_another(driver, shown["ip"])
    await removed(admin, machine)
    await compare()
    assert [code for code, _ in await repairs(admin, DEFAULT_NETWORK)] == ["reservations put right"]


async def test_one_that_was_lost_has_its_entry_again_once_the_address_is_free(
    used: tuple[dict[str, Any], str], admin: ApiClient, driver: MemoryDriver, compare: Callable[[], Awaitable[None]]
) -> None:
    shown, machine = used
    given_to_another(driver, shown["ip"])
    await removed(admin, machine)
    driver.state.networks["default"] = replace(driver.state.networks["default"], reservations=())
    await compare()
    assert entries(driver) == {shown["ip"]: unused(shown)}


async def test_a_new_one_is_refused_when_the_network_is_gone(
    admin: ApiClient, driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = driver.addresses.take

    async def gone(name: str, wanted: Reservation, ours: frozenset[str]) -> None:
        driver.state.networks.pop(name, None)
        await take(name, wanted, ours)

    monkeypatch.setattr(driver.addresses, "take", gone)
    answer = await admin.post("addresses", {"addressTemplate": {"network": {"href": DEFAULT_NETWORK}}})
    assert (await admin.ended(answer.job))["state"] == "FAILED"

"""The network interfaces of Machines through the API: several, guarded, plugged in and out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from drivers.base import GUARD_HOST, DriverFailed, InterfaceAddress
from drivers.memory import MemoryDriver
from tests.api.client import ApiClient
from tests.api.namespaces import NAMESPACE
from tests.api.networks import (
    DEFAULT_NETWORK,
    id_of,
    interfaces,
    libvirt_name,
    made,
    network,
    plugged,
    port,
    refused,
    removed,
)
from tests.patience import eventually

pytestmark = pytest.mark.slow


@pytest.fixture
async def net(admin: ApiClient) -> str:
    return await made(admin, "networks", network())


async def test_a_machine_without_a_word_on_interfaces_has_one_on_the_default_network(
    admin: ApiClient, machine: str, driver: MemoryDriver
) -> None:
    interface = (await interfaces(admin, machine))[0]
    assert interface["network"]["href"].endswith(DEFAULT_NETWORK)
    assert interface["state"] == "Active"
    assert [entry.network for entry in plugged(driver, machine).values()] == ["default"]


async def test_a_machine_may_have_several_interfaces(
    admin: ApiClient, image: str, net: str, driver: MemoryDriver
) -> None:
    asked = [
        {"network": {"href": net}, "macAddress": "52:54:00:00:00:09"},
        {"network": {"href": net}, "state": "Passive"},
        {},
    ]
    machine = await made(admin, "machines", admin.machine(image, networkInterfaces=asked))
    shown = await interfaces(admin, machine)
    assert [entry["state"] for entry in shown] == ["Active", "Passive", "Active"]
    assert shown[0]["macAddress"] == "52:54:00:00:00:09"
    assert [entry.link_up for entry in plugged(driver, machine).values()] == [True, False, True]


async def test_interfaces_are_held_to_their_networks_addresses(
    admin: ApiClient, image: str, net: str, driver: MemoryDriver
) -> None:
    machine = await made(admin, "machines", admin.machine(image, networkInterfaces=[{"network": {"href": net}}, {}]))
    specs = [driver.state.interface_specs[mac] for mac in plugged(driver, machine)]
    cidr = (await admin.document(net))["cidr"]
    assert [(spec.filter, spec.source) for spec in specs] == [
        (f"cimi-network-{id_of(net)}", cidr),
        (GUARD_HOST, "192.168.122.0/24"),
    ]


class TestWithoutAntiSpoofing:
    @pytest.fixture
    def hypervisor(self) -> dict[str, Any]:
        return {"anti_spoofing": False}

    async def test_no_filter_stands_at_the_interfaces(self, machine: str, driver: MemoryDriver) -> None:
        assert [driver.state.interface_specs[mac].filter for mac in plugged(driver, machine)] == [None]


async def test_an_interface_is_added_to_a_running_machine(
    admin: ApiClient, machine: str, net: str, driver: MemoryDriver
) -> None:
    url = await made(admin, f"{machine}/networkInterfaces", {"network": {"href": net}})
    shown = await admin.document(url)
    assert shown["state"] == "Active"
    assert plugged(driver, machine)[shown["macAddress"]].network == libvirt_name(net)
    assert len(await interfaces(admin, machine)) == 2


async def test_an_interface_is_added_in_xml(client: Callable[..., ApiClient], machine: str, net: str) -> None:
    body = f"""<MachineNetworkInterface xmlns="http://schemas.dmtf.org/cimi/1"><network href="{net}"/>
      <state>Passive</state></MachineNetworkInterface>"""
    answer = await client("admin", "xml").post(f"{machine}/networkInterfaces", body.encode(), Prefer="wait=30")
    assert answer.status == 201, answer.text
    assert answer.xml.findtext(f"{NAMESPACE}state") == "Passive"


async def test_an_interface_is_added_at_a_port_and_frees_it_when_it_goes(
    admin: ApiClient, machine: str, net: str
) -> None:
    place = await made(admin, "networkPorts", port(net))
    url = await made(admin, f"{machine}/networkInterfaces", {"networkPort": {"href": place}})
    assert (await admin.document(place))["resource"]["href"] == url
    await removed(admin, url)
    assert "resource" not in await admin.document(place)


async def test_a_deleted_interface_is_gone_from_the_guest(
    admin: ApiClient, machine: str, net: str, driver: MemoryDriver
) -> None:
    url = await made(admin, f"{machine}/networkInterfaces", {"network": {"href": net}})
    mac = (await admin.document(url))["macAddress"]
    await removed(admin, url)
    assert mac not in plugged(driver, machine)
    assert (await admin.get(url)).status == 404
    assert len(await interfaces(admin, machine)) == 1


async def test_an_interface_that_the_guest_keeps_stays_and_the_job_says_why(
    admin: ApiClient, machine: str, driver: MemoryDriver
) -> None:
    url = (await interfaces(admin, machine))[0]["id"]
    driver.state.clinging = True
    answer = await admin.delete(url, Prefer="wait=30")
    assert answer.status == 409
    assert "did not let go" in answer.message
    assert (await admin.document(url))["state"] == "Active"


async def test_an_interface_that_cannot_be_plugged_in_leaves_nothing(
    admin: ApiClient, machine: str, net: str, driver: MemoryDriver
) -> None:
    place = await made(admin, "networkPorts", port(net))
    driver.fail_next("devices.attach_interface", DriverFailed("no more PCI slots"))
    answer = await admin.post(f"{machine}/networkInterfaces", {"networkPort": {"href": place}}, Prefer="wait=30")
    assert answer.status == 500
    assert "no more PCI slots" in answer.message
    assert len(await interfaces(admin, machine)) == 1
    assert "resource" not in await admin.document(place)


async def test_an_interface_is_switched_off_and_on(admin: ApiClient, machine: str, driver: MemoryDriver) -> None:
    url = (await interfaces(admin, machine))[0]["id"]
    answer = await admin.put(f"{url}?$select=state", {"state": "Passive"}, Prefer="wait=30")
    assert answer.status == 200, answer.text
    assert answer.json["state"] == "Passive"
    assert [entry.link_up for entry in plugged(driver, machine).values()] == [False]
    answer = await admin.put(f"{url}?$select=state,name", {"state": "Active", "name": "lan"}, Prefer="wait=30")
    assert answer.status == 200, answer.text
    assert [entry.link_up for entry in plugged(driver, machine).values()] == [True]
    assert (await admin.document(url))["name"] == "lan"


async def test_a_stopped_machine_keeps_what_was_changed_for_its_next_start(
    admin: ApiClient, machine: str, net: str, driver: MemoryDriver
) -> None:
    await admin.acted(machine, "stop", force=True)
    await made(admin, f"{machine}/networkInterfaces", {"network": {"href": net}})
    await admin.acted(machine, "start")
    assert {entry.network for entry in plugged(driver, machine).values()} == {"default", libvirt_name(net)}


async def test_a_suspended_machine_keeps_its_interfaces(admin: ApiClient, machine: str, net: str) -> None:
    await admin.acted(machine, "suspend")
    document = {"network": {"href": net}}
    await refused(admin, f"{machine}/networkInterfaces", document, 409, "SUSPENDED")
    listed = await admin.document(f"{machine}/networkInterfaces")
    assert "operations" not in listed


@pytest.mark.parametrize(
    ("asked", "status", "words"),
    [
        ({"macAddress": "52:54:00:aa:bb"}, 400, ("macAddress",)),
        ({"mtu": 9000}, 400, ("mtu", "1500")),
        ({"mtu": 10}, 400, ("mtu",)),
        ({"network": {"href": "networks/nowhere"}}, 400, ("network",)),
        ({"networkPort": {"href": "networkPorts/nowhere"}}, 400, ("networkPort",)),
        ({"network": {"href": "machines/x"}}, 400, ("network",)),
        ({"state": "Sleeping"}, 400, ("state", "Active")),
    ],
)
async def test_a_wrong_interface_is_refused_by_the_name_of_what_is_wrong(
    admin: ApiClient, machine: str, driver: MemoryDriver, asked: dict[str, Any], status: int, words: tuple[str, ...]
) -> None:
    await refused(admin, f"{machine}/networkInterfaces", asked, status, *words)
    assert len(plugged(driver, machine)) == 1


async def test_a_mac_stands_once(admin: ApiClient, machine: str) -> None:
    mac = (await interfaces(admin, machine))[0]["macAddress"]
    await refused(admin, f"{machine}/networkInterfaces", {"macAddress": mac}, 409, mac)


async def test_a_machine_has_at_most_eight_interfaces(admin: ApiClient, image: str) -> None:
    machine = await made(admin, "machines", admin.machine(image, networkInterfaces=[{}] * 8))
    await refused(admin, f"{machine}/networkInterfaces", {}, 409, "8")


async def test_a_machine_does_not_start_while_its_network_is_stopped(admin: ApiClient, image: str, net: str) -> None:
    await admin.acted(net, "stop")
    asked = [{"network": {"href": net}}]
    await refused(admin, "machines", admin.machine(image, networkInterfaces=asked), 409, id_of(net), "STOPPED")
    document = admin.machine(image, networkInterfaces=asked, initialState="STOPPED")
    machine = await made(admin, "machines", document)
    answer = await admin.act(machine, "start")
    assert answer.status == 409
    assert id_of(net) in answer.message
    await admin.acted(net, "start")
    assert (await admin.acted(machine, "start"))["state"] == "SUCCESS"


async def test_interfaces_of_another_user_are_as_ones_that_are_not(
    client: Callable[..., ApiClient], machine: str
) -> None:
    other = client("other")
    url = (await interfaces(client("admin"), machine))[0]["id"]
    assert (await other.get(url)).status == 404
    assert (await other.delete(url)).status == 404
    assert (await other.post(f"{machine}/networkInterfaces", {})).status == 404


async def test_addresses_by_dhcp_end_with_their_interface(admin: ApiClient, machine: str, driver: MemoryDriver) -> None:
    interface = (await interfaces(admin, machine))[0]
    found = (InterfaceAddress(interface["macAddress"], "192.168.122.9", 24, "lease"),)
    driver.state.interface_addresses[id_of(machine)] = found

    async def shown() -> bool:
        return bool((await admin.document("addresses"))["count"] == 1)

    await eventually(shown, "the address of the guest shows")
    await removed(admin, interface["id"])
    driver.state.interface_addresses.clear()
    assert (await admin.document("addresses"))["count"] == 0

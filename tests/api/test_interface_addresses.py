"""The Addresses of Machines' interfaces: given by reference or by value, told to DHCP, and free again."""

from __future__ import annotations

import asyncio
import io
import json
from ipaddress import ip_network
from typing import Any

import pycdlib
import pytest

from drivers.base import DriverFailed, DriverUnavailable, InterfaceAddress, Reservation
from drivers.memory import MemoryDriver
from tests.api.addresses import MAC, private_network, repairs, reserved, told, until
from tests.api.client import ApiClient
from tests.api.networks import id_of, libvirt_name, removed
from tests.patience import PATIENCE

pytestmark = pytest.mark.slow


@pytest.fixture
async def network(admin: ApiClient) -> str:
    return await private_network(admin, cidr="10.113.7.0/24")


def machine(client: ApiClient, image: str, network: str, *addresses: dict[str, Any]) -> dict[str, Any]:
    interface = {"network": {"href": network}, "macAddress": MAC, "addresses": list(addresses)}
    return client.machine(image, networkInterfaces=[interface])


async def created(client: ApiClient, image: str, network: str, *addresses: dict[str, Any]) -> str:
    answer = await client.post("machines", machine(client, image, network, *addresses))
    assert answer.status == 201, answer.text
    return answer.location


async def listed(client: ApiClient, url: str) -> list[dict[str, Any]]:
    """The Addresses of the Machine's first interface."""
    collection = await client.document(f"{url}/networkInterfaces/0/addresses")
    entries = collection.get("machineNetworkInterfaceAddresses", [])
    return [await client.document(entry["address"]["href"]) for entry in entries]


async def test_a_machine_gets_a_reserved_address_by_reference(
    admin: ApiClient, image: str, network: str, driver: MemoryDriver
) -> None:
    address = await reserved(admin, network, hostname="web")
    url = await created(admin, image, network, {"href": address["id"]})
    assert told(driver, network) == (Reservation("10.113.7.2", MAC, "web"),)
    assert [shown["id"] for shown in await listed(admin, url)] == [address["id"]]
    assert (await admin.document(address["id"]))["resource"] == {"href": f"{url}/networkInterfaces/0"}


async def test_a_machine_gets_an_address_by_value(
    admin: ApiClient, image: str, network: str, driver: MemoryDriver
) -> None:
    url = await created(admin, image, network, {"ip": "10.113.7.50"}, {"protocol": "IPv6", "hostname": "six"})
    assert "10.113.7.50" in [shown["ip"] for shown in await listed(admin, url)]
    assert Reservation("10.113.7.50", MAC, None) in told(driver, network)
    assert {entry.hostname for entry in told(driver, network)} == {None, "six"}


async def test_a_deleted_machine_keeps_the_referenced_address_for_another(
    admin: ApiClient, image: str, network: str, driver: MemoryDriver
) -> None:
    address = await reserved(admin, network, hostname="web")
    url = await created(admin, image, network, {"href": address["id"]}, {"ip": "10.113.7.50"})
    assert (await admin.delete(url)).status == 200
    assert "resource" not in await admin.document(address["id"])
    assert (await admin.document("addresses"))["count"] == 1
    assert told(driver, network) == (Reservation("10.113.7.2", None, "web"),)
    await created(admin, image, network, {"href": address["id"]}, {"ip": "10.113.7.50"})


async def test_a_machine_whose_network_an_admin_undefined_is_deleted_and_keeps_its_addresses_name(
    admin: ApiClient, image: str, network: str, driver: MemoryDriver
) -> None:
    shown = await reserved(admin, network, hostname="web")
    machine = await created(admin, image, network, {"href": shown["id"]})
    del driver.state.networks[libvirt_name(network)]
    await removed(admin, machine)
    assert (await admin.document(shown["id"]))["hostname"] == "web"


@pytest.mark.parametrize("step", ["networks.reserve_host", "domains.define", "domains.start"])
async def test_a_machine_that_cannot_be_made_leaves_no_reservation(
    admin: ApiClient, image: str, network: str, driver: MemoryDriver, step: str
) -> None:
    address = await reserved(admin, network)
    driver.fail_next(step, DriverFailed("no"))
    answer = await admin.post("machines", machine(admin, image, network, {"href": address["id"]}, {}))
    assert answer.status == 500
    assert told(driver, network) == ()
    assert "resource" not in await admin.document(address["id"])
    assert (await admin.document("addresses"))["count"] == 1


async def test_an_address_is_given_to_one_interface_only(admin: ApiClient, image: str, network: str) -> None:
    address = await reserved(admin, network)
    await created(admin, image, network, {"href": address["id"]})
    second = admin.machine(
        image, networkInterfaces=[{"network": {"href": network}, "addresses": [{"href": address["id"]}]}]
    )
    answer = await admin.post("machines", second)
    assert answer.status == 409
    assert answer.message.startswith("machineTemplate.networkInterfaces.0.addresses.0: the Address is used by")
    assert (await admin.document("machines"))["count"] == 1


@pytest.mark.parametrize(
    ("address", "attribute"),
    [
        ({"href": "addresses/none"}, "addresses.0"),
        ({"ip": "10.113.8.1"}, "addresses.0.ip"),
        ({"hostname": "a_b"}, "addresses.0.hostname"),
        ({"network": {"href": "networks/none"}}, "addresses.0.network"),
    ],
)
async def test_a_wrong_address_of_a_template_is_named(
    admin: ApiClient, image: str, network: str, address: dict[str, Any], attribute: str
) -> None:
    answer = await admin.post("machines", machine(admin, image, network, address))
    assert answer.status == 400
    assert answer.message.startswith(f"machineTemplate.networkInterfaces.0.{attribute}: ")


async def test_an_address_of_another_network_is_refused(admin: ApiClient, image: str, network: str) -> None:
    elsewhere = await reserved(admin, await private_network(admin))
    answer = await admin.post("machines", machine(admin, image, network, {"href": elsewhere["id"]}))
    assert (answer.status, "must be the same Network" in answer.message) == (400, True)


async def test_an_address_is_added_to_a_running_machine_and_taken_away(
    admin: ApiClient, image: str, network: str, driver: MemoryDriver
) -> None:
    url = await created(admin, image, network)
    address = await reserved(admin, network)
    entry = await admin.post(f"{url}/networkInterfaces/0/addresses", {"address": {"href": address["id"]}})
    assert entry.status == 201, entry.text
    assert told(driver, network) == (Reservation("10.113.7.2", MAC, None),)
    assert (await admin.delete(entry.location)).status == 200
    assert (await admin.get(entry.location)).status == 404
    assert told(driver, network) == ()
    assert "resource" not in await admin.document(address["id"])


async def test_an_address_that_dhcp_does_not_take_is_not_given(
    admin: ApiClient, image: str, network: str, driver: MemoryDriver
) -> None:
    url = await created(admin, image, network)
    address = await reserved(admin, network)
    driver.fail_next("networks.reserve_host", DriverFailed("dnsmasq is gone"))
    answer = await admin.post(f"{url}/networkInterfaces/0/addresses", {"address": {"href": address["id"]}})
    assert answer.status == 500
    assert await listed(admin, url) == []
    assert "resource" not in await admin.document(address["id"])


async def test_a_deleted_address_leaves_the_interface_that_used_it(
    admin: ApiClient, image: str, network: str, driver: MemoryDriver
) -> None:
    address = await reserved(admin, network)
    url = await created(admin, image, network, {"href": address["id"]})
    assert (await admin.delete(address["id"])).status == 200
    assert await listed(admin, url) == []
    assert told(driver, network) == ()


async def test_a_new_interface_comes_with_its_addresses_and_goes_with_them(
    admin: ApiClient, image: str, network: str, driver: MemoryDriver
) -> None:
    url = (await admin.post("machines", admin.machine(image))).location
    document = {"network": {"href": network}, "macAddress": MAC, "addresses": [{"ip": "10.113.7.60"}]}
    interface = await admin.post(f"{url}/networkInterfaces", document)
    assert interface.status == 201, interface.text
    assert told(driver, network) == (Reservation("10.113.7.60", MAC, None),)
    assert (await admin.delete(interface.location)).status == 200
    assert told(driver, network) == ()
    assert (await admin.document("addresses"))["count"] == 0


async def test_the_address_which_a_guest_takes_as_reserved_is_listed_once(
    admin: ApiClient, image: str, network: str, driver: MemoryDriver
) -> None:
    address = await reserved(admin, network)
    url = await created(admin, image, network, {"href": address["id"]})
    uuid = url.rpartition("/")[2]
    driver.state.interface_addresses[uuid] = (
        InterfaceAddress(MAC, "10.113.7.2", 24, "lease"),
        InterfaceAddress(MAC, "10.113.7.200", 24, "agent"),
    )
    while len(shown := await listed(admin, url)) < 2:
        assert shown[0]["id"] == address["id"]
    assert [(entry["ip"], entry["source"]) for entry in shown] == [
        ("10.113.7.2", "reservation"),
        ("10.113.7.200", "agent"),
    ]
    assert shown[1]["defaultGateway"] == "10.113.7.1"
    assert (await admin.delete(shown[1]["id"])).status == 409
    assert "operations" not in shown[1]


async def test_an_address_that_a_guest_uses_by_itself_is_not_reserved_for_another(
    admin: ApiClient, image: str, network: str, driver: MemoryDriver
) -> None:
    url = await created(admin, image, network)
    driver.state.interface_addresses[url.rpartition("/")[2]] = (InterfaceAddress(MAC, "10.113.7.2", 24, "agent"),)
    while not await listed(admin, url):
        pass
    assert (await reserved(admin, network))["ip"] == "10.113.7.3"
    answer = await admin.post("addresses", {"addressTemplate": {"network": {"href": network}, "ip": "10.113.7.2"}})
    assert answer.status == 409


async def test_reported_addresses_end_with_the_machine(
    admin: ApiClient, image: str, network: str, driver: MemoryDriver
) -> None:
    url = await created(admin, image, network)
    driver.state.interface_addresses[url.rpartition("/")[2]] = (InterfaceAddress(MAC, "10.113.7.200", 24, "lease"),)
    while not await listed(admin, url):
        pass
    assert (await admin.delete(url)).status == 200
    assert (await admin.document("addresses"))["count"] == 0


async def test_the_address_of_an_interface_that_was_just_plugged_in_is_looked_for_at_once(
    admin: ApiClient, image: str, network: str, driver: MemoryDriver
) -> None:
    url = await created(admin, image, network)
    uuid = id_of(url)
    driver.state.interface_addresses[uuid] = (InterfaceAddress(MAC, "10.113.7.200", 24, "lease"),)
    while not await listed(admin, url):
        await asyncio.sleep(0.02)
    other = "52:54:00:12:34:57"
    document = {"network": {"href": network}, "macAddress": other}
    interface = (await admin.post(f"{url}/networkInterfaces", document)).location
    driver.state.interface_addresses[uuid] += (InterfaceAddress(other, "10.113.7.201", 24, "lease"),)
    async with asyncio.timeout(PATIENCE):
        while (await admin.document(f"{interface}/addresses"))["count"] == 0:
            await asyncio.sleep(0.02)


# Held to its addresses by the packet filter

EUI64 = 0x5054_00FF_FE12_3456
"""What a guest with MAC makes its own address in a /64 with."""


async def address6(client: ApiClient, network: str, number: int) -> str:
    """The address of this number in the Network's IPv6 range."""
    return str(ip_network((await client.document(network))["cidr6"])[number])


async def test_a_guest_with_a_reserved_ipv4_address_may_send_from_that_alone(
    admin: ApiClient, image: str, network: str, driver: MemoryDriver
) -> None:
    await created(admin, image, network, {"ip": "10.113.7.50"})
    assert driver.state.interface_specs[MAC].source == "10.113.7.50/32"


async def test_a_guest_with_a_reserved_ipv6_address_may_send_from_that_and_from_its_macs_own(
    admin: ApiClient, image: str, network: str, driver: MemoryDriver
) -> None:
    await created(admin, image, network, {"protocol": "IPv6"})
    spec = driver.state.interface_specs[MAC]
    assert spec.filter == f"cimi-fixed-{id_of(network)}"
    assert list(spec.sources6) == [await address6(admin, network, number) for number in (2, EUI64)]
    assert spec.source == "10.113.7.0/24"
    assert driver.state.filters[id_of(network)].fixed


async def test_a_guest_without_a_reserved_address_may_use_its_network(
    admin: ApiClient, image: str, network: str, driver: MemoryDriver
) -> None:
    await created(admin, image, network)
    spec = driver.state.interface_specs[MAC]
    assert (spec.source, spec.sources6, spec.filter) == ("10.113.7.0/24", (), f"cimi-network-{id_of(network)}")


@pytest.mark.parametrize("template", [{"ip": "10.113.7.50"}, {"protocol": "IPv6"}])
async def test_an_address_added_to_a_running_machine_holds_its_guest_from_the_next_boot(
    admin: ApiClient, image: str, network: str, driver: MemoryDriver, template: dict[str, Any]
) -> None:
    url = await created(admin, image, network)
    before, address = driver.state.interface_specs[MAC], await reserved(admin, network, **template)
    entry = await admin.post(f"{url}/networkInterfaces/0/addresses", {"address": {"href": address["id"]}})
    assert driver.state.live_specs[MAC] == before
    assert driver.state.interface_specs[MAC] != before
    assert (await admin.delete(entry.location)).status == 200
    assert driver.state.live_specs[MAC] == driver.state.interface_specs[MAC] == before


async def test_what_an_address_job_has_still_to_bring_to_the_packet_filter_is_no_repair(
    admin: ApiClient, image: str, network: str, driver: MemoryDriver
) -> None:
    url, address = await created(admin, image, network), await reserved(admin, network, protocol="IPv6")
    driver.fail_next("filters.define", DriverUnavailable("away"))
    entry = {"address": {"href": address["id"]}}
    given = await admin.post(f"{url}/networkInterfaces/0/addresses", entry, Prefer="respond-async")
    driver.regain()
    await until(lambda: driver.state.filters[id_of(network)].fixed)
    assert (await admin.ended(given.job))["state"] == "SUCCESS"
    assert await repairs(admin, network) == []


async def test_a_guest_whose_address_is_deleted_may_use_its_network_again(
    admin: ApiClient, image: str, network: str, driver: MemoryDriver
) -> None:
    address = await reserved(admin, network)
    await created(admin, image, network, {"href": address["id"]})
    assert (await admin.delete(address["id"])).status == 200
    assert driver.state.interface_specs[MAC].source == driver.state.live_specs[MAC].source == "10.113.7.0/24"


async def test_a_new_interface_is_held_to_its_address_at_once(
    admin: ApiClient, image: str, network: str, driver: MemoryDriver
) -> None:
    url = (await admin.post("machines", admin.machine(image))).location
    document = {"network": {"href": network}, "macAddress": MAC, "addresses": [{"ip": "10.113.7.60"}]}
    assert (await admin.post(f"{url}/networkInterfaces", document)).status == 201
    assert driver.state.interface_specs[MAC].source == "10.113.7.60/32"


async def test_who_adds_an_ipv6_address_is_told_that_the_guest_has_to_set_it(
    admin: ApiClient, image: str, network: str
) -> None:
    url, address = await created(admin, image, network), await reserved(admin, network, protocol="IPv6")
    entry = await admin.post(f"{url}/networkInterfaces/0/addresses", {"address": {"href": address["id"]}})
    assert "has to be set in the guest" in (await admin.document(entry.job))["statusMessage"]


async def test_who_plugs_an_interface_in_with_an_ipv6_address_is_told_so_too(
    admin: ApiClient, image: str, network: str
) -> None:
    url = (await admin.post("machines", admin.machine(image))).location
    document = {"network": {"href": network}, "addresses": [{"protocol": "IPv6"}]}
    added = await admin.post(f"{url}/networkInterfaces", document)
    assert "has to be set in the guest" in (await admin.document(added.job))["statusMessage"]


@pytest.mark.parametrize("hypervisor", [{"anti_spoofing": False}])
async def test_without_anti_spoofing_no_guest_is_held(
    admin: ApiClient, image: str, network: str, driver: MemoryDriver
) -> None:
    await created(admin, image, network, {"ip": "10.113.7.50"}, {"protocol": "IPv6"})
    spec = driver.state.interface_specs[MAC]
    assert (spec.source, spec.sources6, spec.filter) == ("10.113.7.0/24", (), f"cimi-network-{id_of(network)}")


# Told to the guest by its seed


def network_config(driver: MemoryDriver, machine: str) -> dict[str, Any] | None:
    iso = pycdlib.PyCdlib()
    iso.open_fp(io.BytesIO(driver.state.contents[("default", f"cimi-{id_of(machine)}-seed.iso")]))
    text = io.BytesIO()
    try:
        iso.get_file_from_iso_fp(text, joliet_path="/network-config")
    except pycdlib.pycdlibexception.PyCdlibInvalidInput:
        return None
    found: dict[str, Any] = json.loads(text.getvalue())
    return found


async def test_a_new_guest_is_told_its_ipv6_address_since_no_dhcp_gives_it(
    admin: ApiClient, image: str, network: str, driver: MemoryDriver
) -> None:
    asked = [{}, {"network": {"href": network}, "macAddress": MAC, "addresses": [{"protocol": "IPv6"}]}]
    machine = (await admin.post("machines", admin.machine(image, networkInterfaces=asked))).location
    gateway, own = [await address6(admin, network, number) for number in (1, 2)]
    config = network_config(driver, machine)
    assert config is not None
    assert config["version"] == 2
    assert config["ethernets"]["eth0"]["dhcp4"] is True
    assert config["ethernets"]["eth1"] == {
        "match": {"macaddress": MAC},
        "set-name": "eth1",
        "dhcp4": True,
        "addresses": [f"{own}/64"],
        "gateway6": gateway,
        "nameservers": {"addresses": [gateway]},
    }


async def test_a_guest_without_a_reserved_ipv6_address_sets_its_interfaces_up_as_it_likes(
    admin: ApiClient, image: str, network: str, driver: MemoryDriver
) -> None:
    assert network_config(driver, await created(admin, image, network, {"ip": "10.113.7.50"})) is None

"""Addresses through the API: reserved once, freed on delete, and told to DHCP and DNS when somebody uses them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from drivers.base import DriverFailed, Reservation
from drivers.memory import MemoryDriver
from tests.api.addresses import MAC, address, private_network, reserved, told, until, wait_repaired
from tests.api.client import Answer, ApiClient
from tests.api.networks import libvirt_name

pytestmark = pytest.mark.slow


@pytest.fixture
async def network(admin: ApiClient) -> str:
    return await private_network(admin, cidr="10.113.7.0/24")


async def test_an_address_shows_what_a_guest_needs_to_use_it(admin: ApiClient, network: str) -> None:
    shown = await reserved(admin, network, hostname="db1")
    expected = {
        "ip": "10.113.7.2",
        "hostname": "db1",
        "allocation": "static",
        "defaultGateway": "10.113.7.1",
        "dns": ["10.113.7.1"],
        "protocol": "IPv4",
        "mask": "255.255.255.0",
        "network": {"href": network},
        "source": "reservation",
    }
    assert {name: shown[name] for name in expected} == expected
    assert "resource" not in shown


async def test_an_ipv6_address_is_reserved_by_its_protocol(admin: ApiClient, network: str) -> None:
    shown = await reserved(admin, network, protocol="ipv6")
    prefix = (await admin.document(network))["cidr6"].removesuffix("::/64")
    assert (shown["ip"], shown["mask"], shown["protocol"]) == (f"{prefix}::2", "64", "IPv6")


async def test_addresses_asked_for_at_once_are_all_different(admin: ApiClient, network: str) -> None:
    found = await asyncio.gather(*(reserved(admin, network) for _ in range(60)))
    assert len({shown["ip"] for shown in found}) == 60


async def test_an_address_is_read_and_made_in_xml_too(
    client: Callable[..., ApiClient], admin: ApiClient, network: str
) -> None:
    body = (
        '<AddressCreate xmlns="http://schemas.dmtf.org/cimi/1"><name>a</name><addressTemplate>'
        f'<ip>10.113.7.9</ip><hostname>x</hostname><network href="{network}"/></addressTemplate></AddressCreate>'
    )
    answer = await client("admin", "xml").post("addresses", body.encode())
    assert answer.status == 201, answer.text
    assert answer.xml.findtext("{*}ip") == "10.113.7.9"
    assert answer.xml.find("{*}network").get("href") == network  # type: ignore[union-attr]


async def refused(client: ApiClient, network: str | None, /, **template: Any) -> Answer:
    answer = await client.post("addresses", address(network, **template))
    assert answer.status >= 400, answer.text
    assert (await client.document("addresses"))["count"] == 0
    return answer


@pytest.mark.parametrize(
    ("template", "attribute", "words"),
    [
        ({"ip": "10.113.8.4"}, "ip", "outside the network's range 10.113.7.0/24"),
        ({"ip": "10.113.7.1"}, "ip", "the network's gateway"),
        ({"ip": "10.113.7.0"}, "ip", "the address of the range"),
        ({"ip": "10.113.7.255"}, "ip", "the broadcast address"),
        ({"ip": "10.113.7.200"}, "ip", "gives out by itself"),
        ({"ip": "10.113.7"}, "ip", "is no IPv4 or IPv6 address"),
        ({"ip": "fd00::1"}, "ip", "outside the network's range fd43"),
        ({"ip": "10.113.7.9", "protocol": "IPv6"}, "ip", "no IPv6 address"),
        ({"ip": "10.113.7.9", "allocation": "dynamic"}, "ip", "chosen by the gateway"),
        ({"hostname": "a,b"}, "hostname", "is no host name"),
        ({"hostname": "-a"}, "hostname", "is no host name"),
        ({"hostname": "a" * 64}, "hostname", "is no host name"),
        ({"hostname": "10.1.2.3"}, "hostname", "taken for an IPv4 address"),
        ({"mask": "255.0.0.0"}, "mask", "is 255.255.255.0 in this Network"),
        ({"defaultGateway": "10.113.7.77"}, "defaultGateway", "is 10.113.7.1 in this Network"),
        ({"protocol": "IPX"}, "protocol", "must be one of"),
        ({"network": {"href": "networks/none"}}, "network", "there is no Network"),
    ],
)
async def test_a_wish_that_cannot_be_is_refused_and_names_the_attribute(
    admin: ApiClient, network: str, template: dict[str, Any], attribute: str, words: str
) -> None:
    answer = await refused(admin, network, **template)
    assert answer.status == 400
    assert answer.message.startswith(f"addressTemplate.{attribute}: ")
    assert words in answer.message


async def test_a_reserved_address_is_not_given_again(admin: ApiClient, network: str) -> None:
    await reserved(admin, network, ip="10.113.7.9")
    answer = await admin.post("addresses", address(network, ip="10.113.7.9"))
    assert answer.status == 409
    assert answer.message.startswith("addressTemplate.ip: 10.113.7.9 is in use or reserved")


async def test_a_host_name_means_one_address_of_each_protocol(admin: ApiClient, network: str) -> None:
    await reserved(admin, network, hostname="web")
    await reserved(admin, network, hostname="web", protocol="IPv6")
    answer = await admin.post("addresses", address(network, hostname="WEB."))
    assert answer.status == 409
    assert answer.message.startswith("addressTemplate.hostname: web is the name of addresses/")
    assert (await admin.document("addresses"))["count"] == 2


async def test_an_exhausted_range_says_so(admin: ApiClient) -> None:
    small = await private_network(admin, cidr="10.113.9.0/29")
    assert [(await reserved(admin, small))["ip"] for _ in range(2)] == ["10.113.9.2", "10.113.9.3"]
    answer = await admin.post("addresses", address(small))
    assert answer.status == 409
    assert "no address is free in 10.113.9.0/29" in answer.message


async def test_a_deleted_address_is_free_again(admin: ApiClient, network: str) -> None:
    shown = await reserved(admin, network, ip="10.113.7.9", hostname="web")
    assert (await admin.delete(shown["id"])).status == 200
    assert (await admin.get(shown["id"])).status == 404
    again = await reserved(admin, network, ip="10.113.7.9", hostname="web")
    assert again["id"] != shown["id"]


async def test_a_name_is_told_to_dns_at_once_and_taken_back_on_delete(
    admin: ApiClient, network: str, driver: MemoryDriver
) -> None:
    shown = await reserved(admin, network, hostname="web")
    assert told(driver, network) == (Reservation("10.113.7.2", None, "web"),)
    await admin.delete(shown["id"])
    assert told(driver, network) == ()


async def test_another_name_replaces_the_first_in_dns(admin: ApiClient, network: str, driver: MemoryDriver) -> None:
    shown = await reserved(admin, network, hostname="web")
    answer = await admin.put(f"{shown['id']}?$select=hostname", {"hostname": "db"})
    assert answer.status == 200, answer.text
    assert told(driver, network) == (Reservation("10.113.7.2", None, "db"),)
    await reserved(admin, network, hostname="web")


async def test_a_name_that_dns_does_not_take_leaves_nothing(
    admin: ApiClient, network: str, driver: MemoryDriver
) -> None:
    driver.fail_next("networks.reserve_host", DriverFailed("dnsmasq is gone"))
    answer = await admin.post("addresses", address(network, hostname="web"))
    assert answer.status == 500
    assert (await admin.document("addresses"))["count"] == 0
    assert (await reserved(admin, network, hostname="web"))["ip"] == "10.113.7.2"


async def test_a_rename_that_dns_does_not_take_leaves_the_old_name(
    admin: ApiClient, network: str, driver: MemoryDriver
) -> None:
    shown = await reserved(admin, network, hostname="web")
    driver.fail_next("networks.reserve_host", DriverFailed("dnsmasq is gone"))
    assert (await admin.put(f"{shown['id']}?$select=hostname", {"hostname": "db"})).status == 500
    assert (await admin.document(shown["id"]))["hostname"] == "web"
    assert told(driver, network) == (Reservation("10.113.7.2", None, "web"),)
    await reserved(admin, network, hostname="db")


async def test_a_template_gives_what_the_create_does_not_say(admin: ApiClient, network: str) -> None:
    template = await admin.post("addressTemplates", {"name": "t", "network": {"href": network}, "ip": "10.113.7.20"})
    assert template.status == 201, template.text
    by_reference = {"addressTemplate": {"href": template.location}}
    assert (await admin.post("addresses", by_reference)).json["ip"] == "10.113.7.20"
    overridden = {"addressTemplate": {"href": template.location, "ip": None}}
    assert (await admin.post("addresses", overridden)).json["ip"] == "10.113.7.21"


@pytest.mark.parametrize(
    ("template", "attribute"),
    [({"ip": "x"}, "ip"), ({"hostname": "a b"}, "hostname"), ({"ip": "::1", "protocol": "IPv4"}, "ip")],
)
async def test_a_template_that_no_network_could_fulfil_is_refused(
    admin: ApiClient, template: dict[str, Any], attribute: str
) -> None:
    answer = await admin.post("addressTemplates", template)
    assert (answer.status, answer.message.partition(":")[0]) == (400, attribute)


async def test_anothers_address_is_neither_seen_nor_changed(
    client: Callable[..., ApiClient], network: str, admin: ApiClient
) -> None:
    shown = await reserved(admin, network)
    other = client("other")
    assert (await other.get(shown["id"])).status == 404
    assert (await other.delete(shown["id"])).status == 404
    assert (await other.post("addresses", address(network))).status == 400
    assert (await client("viewer").post("addresses", address(network))).status == 403


async def test_addresses_go_with_their_network(admin: ApiClient, network: str) -> None:
    shown = await reserved(admin, network)
    assert (await admin.delete(network)).status == 200
    assert (await admin.get(shown["id"])).status == 404


async def test_what_others_change_in_dhcp_and_dns_is_put_right_after_a_reconnect(
    admin: ApiClient, network: str, driver: MemoryDriver
) -> None:
    await reserved(admin, network, hostname="web")
    name = libvirt_name(network)
    foreign = Reservation("10.113.7.99", MAC, "intruder")
    driver.lose()
    driver.state.networks[name] = replace(driver.state.networks[name], reservations=(foreign,))
    driver.regain()
    await until(lambda: told(driver, network) == (Reservation("10.113.7.2", None, "web"),))
    detail = await wait_repaired(admin, network, "reservations put right")
    assert detail == "DHCP or DNS said something else of 10.113.7.2, 10.113.7.99"

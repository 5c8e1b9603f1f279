"""Addresses without a Network, and the type of an interface's Network, as clients of 1.x know them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from drivers.memory import MemoryDriver
from gateway.app import Gateway
from gateway.cimi.dialects import EXTENSION_NAMESPACE
from gateway.orchestration.networks import address_create
from gateway.orchestration.networks.host_network import show_networks
from tests.api.client import ApiClient
from tests.api.networks import DEFAULT_NETWORK, interfaces, made, network

pytestmark = pytest.mark.slow

Clients = Callable[..., ApiClient]
EMPTY_XML = b"<AddressCreate><addressTemplate/></AddressCreate>"


@pytest.fixture
async def public(admin: ApiClient) -> str:
    return await made(admin, "networks", network(networkType="PUBLIC", cidr="10.113.7.0/24"))


def empty(media: str) -> Any:
    return EMPTY_XML if media == "xml" else {"addressTemplate": {}}


@pytest.fixture
def without_dhcp(driver: MemoryDriver) -> None:
    driver.state.networks["default"] = replace(driver.state.networks["default"], served=None)


@pytest.fixture
async def theirs_alone(without_dhcp: None, gateway: Gateway, driver: MemoryDriver) -> None:
    """A host whose own network has no DHCP server of libvirt's."""
    await show_networks(gateway.store, gateway.settings.hypervisors[0], driver.state.networks)


@pytest.mark.parametrize("media", ["json", "xml"])
async def test_an_address_without_a_network_is_of_the_hosts_default_one(
    client: Clients, public: str, media: str
) -> None:
    answer = await client("admin", media).post("addresses", empty(media), Prefer="wait=30")
    assert answer.status == 201, answer.text
    shown = await client("admin").document(answer.location)
    assert shown["network"] == {"href": client("admin").base + DEFAULT_NETWORK}
    assert shown["ip"].startswith("192.168.122.")


@pytest.mark.parametrize("media", ["json", "xml"])
async def test_where_libvirt_gives_none_there_it_is_of_another_public_one(
    theirs_alone: None, client: Clients, public: str, media: str
) -> None:
    answer = await client("admin", media).post("addresses", empty(media), Prefer="wait=30")
    assert answer.status == 201, answer.text
    shown = await client("admin").document(answer.location)
    assert shown["network"] == {"href": public}
    assert shown["ip"].startswith("10.113.7.")


async def test_the_users_own_public_network_comes_before_a_shared_one(
    theirs_alone: None, client: Clients, public: str
) -> None:
    operator = client("operator")
    own = await made(operator, "networks", network(networkType="PUBLIC"))
    answer = await operator.post("addresses", {"addressTemplate": {}}, Prefer="wait=30")
    assert (answer.status, answer.json["network"]) == (201, {"href": own})


async def test_it_comes_before_more_shared_ones_than_are_looked_at(
    theirs_alone: None, client: Clients, public: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(address_create, "PAGE", 1)
    monkeypatch.setattr(address_create, "MOST_LOOKED_AT", 2)
    operator = client("operator")
    own = await made(operator, "networks", network(networkType="PUBLIC"))
    answer = await operator.post("addresses", {"addressTemplate": {}}, Prefer="wait=30")
    assert (answer.status, answer.json["network"]) == (201, {"href": own})


async def test_a_private_network_is_not_taken_unasked(theirs_alone: None, admin: ApiClient) -> None:
    await made(admin, "networks", network())
    answer = await admin.post("addresses", {"addressTemplate": {}})
    assert (answer.status, answer.message.partition(":")[0]) == (400, "addressTemplate.network")
    assert "make a Network, or name one" in answer.message


async def test_another_users_network_is_not_taken(theirs_alone: None, client: Clients) -> None:
    await made(client("other"), "networks", network(networkType="PUBLIC"))
    assert (await client("operator").post("addresses", {"addressTemplate": {}})).status == 400


@pytest.mark.parametrize(
    ("asked", "given"),
    [({"ip": "10.113.9.20"}, "10.113.9."), ({"protocol": "IPv6"}, "fd"), ({"hostname": "web"}, "10.113.")],
)
async def test_the_network_is_one_that_gives_what_is_asked_for(
    admin: ApiClient, public: str, asked: dict[str, str], given: str
) -> None:
    await made(admin, "networks", network(networkType="PUBLIC", cidr="10.113.9.0/24"))
    answer = await admin.post("addresses", {"addressTemplate": asked}, Prefer="wait=30")
    assert answer.status == 201, answer.text
    assert answer.json["ip"].startswith(given)


async def test_a_stored_template_without_a_network_will_do(admin: ApiClient) -> None:
    template = await admin.post("addressTemplates", {"name": "any"})
    assert template.status == 201, template.text
    answer = await admin.post("addresses", {"addressTemplate": {"href": template.location}}, Prefer="wait=30")
    assert (answer.status, answer.json["network"]) == (201, {"href": admin.base + DEFAULT_NETWORK})


# networkType of interfaces


@pytest.mark.parametrize("media", ["json", "xml"])
async def test_an_interface_shows_the_type_of_its_network(client: Clients, machine: str, media: str) -> None:
    answer = await client("admin", media).get(f"{machine}/networkInterfaces")
    if media == "json":
        shown = answer.json["machineNetworkInterfaces"][0]["networkType"]
    else:
        shown = str(answer.xml.findtext(f".//{{{EXTENSION_NAMESPACE}}}networkType"))
    assert shown == "PUBLIC"


async def test_an_interface_in_a_private_network_says_so(admin: ApiClient, machine: str) -> None:
    private = await made(admin, "networks", network())
    await made(admin, f"{machine}/networkInterfaces", {"network": {"href": private}, "networkType": "PUBLIC"})
    assert {entry["networkType"] for entry in await interfaces(admin, machine)} == {"PUBLIC", "PRIVATE"}
    found = await admin.document(f"{machine}/networkInterfaces?$filter=networkType='PRIVATE'")
    assert [entry["network"] for entry in found["machineNetworkInterfaces"]] == [{"href": private}]


async def test_the_type_is_announced_as_an_extension(admin: ApiClient) -> None:
    metadata = await admin.document("resourceMetadata/MachineNetworkInterface")
    [entry] = [entry for entry in metadata["attributes"] if entry["name"] == "networkType"]
    assert entry["namespace"] == EXTENSION_NAMESPACE


@pytest.mark.parametrize("media", ["json", "xml"])
@pytest.mark.parametrize("word", ["PUBLIC", "PRIVATE", "anything", ""])
async def test_what_a_template_says_of_the_type_is_tolerated(
    client: Clients, image: str, media: str, word: str
) -> None:
    sender = client("admin", media)
    body: Any = sender.machine(image, networkInterfaces=[{"networkType": word, "state": "Active"}])
    if media == "xml":
        interface = f"<networkInterface><state>Active</state><networkType>{word}</networkType></networkInterface>"
        config = "<machineConfig><cpu>1</cpu><memory>131072</memory></machineConfig>"
        inside = f'{config}<machineImage href="{image}"/>{interface}'
        body = f"<MachineCreate><machineTemplate>{inside}</machineTemplate></MachineCreate>".encode()
    answer = await sender.post("machines", body, Prefer="wait=30")
    assert answer.status == 201, answer.text
    [shown] = await interfaces(client("admin"), answer.location)
    assert shown["networkType"] == "PUBLIC"


async def test_interfaces_follow_a_network_of_the_host_that_is_made_another(
    gateway: Gateway, driver: MemoryDriver, admin: ApiClient, machine: str
) -> None:
    facts = replace(driver.state.networks["default"], forward="isolated")
    await show_networks(gateway.store, gateway.settings.hypervisors[0], {"default": facts})
    assert (await admin.document(DEFAULT_NETWORK))["networkType"] == "PRIVATE"
    [shown] = await interfaces(admin, machine)
    assert shown["networkType"] == "PRIVATE"

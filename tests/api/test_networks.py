"""Networks through the API, with a client's eyes."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable
from typing import Any

import pytest

from drivers.base import BandwidthClass, DriverConflict, NetworkFacts
from drivers.memory import MemoryDriver
from gateway.app import Gateway
from tests.api.client import ApiClient
from tests.api.namespaces import NAMESPACE
from tests.api.networks import DEFAULT_NETWORK, id_of, libvirt_name, made, network, port, refused, removed
from tests.api.operations import verbs
from tests.patience import eventually

pytestmark = pytest.mark.slow


async def test_a_new_network_is_started_and_has_ranges_of_the_pools(admin: ApiClient, driver: MemoryDriver) -> None:
    shown = await admin.document(await made(admin, "networks", network()))
    assert shown["state"] == "STARTED"
    assert ipaddress.IPv4Network(shown["cidr"]).subnet_of(ipaddress.IPv4Network("10.113.0.0/16"))
    assert ipaddress.ip_network(shown["cidr6"]).prefixlen == 64
    assert driver.state.networks[libvirt_name(shown["id"])].active


async def test_50_networks_created_at_once_get_50_ranges_and_bridges(admin: ApiClient, driver: MemoryDriver) -> None:
    urls = await asyncio.gather(*(made(admin, "networks", network()) for _ in range(50)))
    documents = [await admin.document(url) for url in urls]
    assert len({shown["cidr"] for shown in documents}) == 50
    assert len({shown["cidr6"] for shown in documents}) == 50
    assert len({driver.state.networks[libvirt_name(url)].bridge for url in urls}) == 50


async def test_a_deleted_network_is_gone_everywhere_and_its_range_is_free(
    admin: ApiClient, driver: MemoryDriver
) -> None:
    url = await made(admin, "networks", network())
    cidr = (await admin.document(url))["cidr"]
    answer = await admin.delete(url, Prefer="wait=30")
    assert answer.status == 200, answer.text
    assert (await admin.get(url)).status == 404
    assert libvirt_name(url) not in driver.state.networks
    assert (await admin.document(await made(admin, "networks", network())))["cidr"] == cidr


async def test_stop_and_start_move_the_network(admin: ApiClient, driver: MemoryDriver) -> None:
    url = await made(admin, "networks", network())
    assert (await admin.acted(url, "stop"))["state"] == "SUCCESS"
    assert (await admin.document(url))["state"] == "STOPPED"
    assert not driver.state.networks[libvirt_name(url)].active
    assert (await admin.acted(url, "start"))["state"] == "SUCCESS"
    assert (await admin.document(url))["state"] == "STARTED"


async def test_the_hosts_network_is_seen_and_not_changed(admin: ApiClient) -> None:
    await admin.state(DEFAULT_NETWORK, "STARTED")
    shown = (await admin.document("networks"))["networks"][0]
    assert shown["name"] == "default"
    assert shown["networkType"] == "PUBLIC"
    assert shown["cidr"] == "192.168.122.0/24"
    assert "operations" not in shown
    assert (await admin.delete(shown["id"])).status == 403
    assert (await admin.act(shown["id"], "stop")).status == 403


async def test_a_network_created_in_xml_is_shown_in_xml_with_its_range_outside_the_standards_namespace(
    client: Callable[..., ApiClient],
) -> None:
    body = b"""<NetworkCreate xmlns="http://schemas.dmtf.org/cimi/1"><name>backend</name><networkTemplate>
      <networkConfig><networkType>private</networkType><mtu>1400</mtu></networkConfig></networkTemplate></NetworkCreate>"""
    answer = await client("admin", "xml").post("networks", body, Prefer="wait=30")
    assert answer.status == 201, answer.text
    assert answer.xml.findtext(f"{NAMESPACE}networkType") == "PRIVATE"
    assert answer.xml.findtext(f"{NAMESPACE}mtu") == "1400"
    assert answer.xml.findtext("{http://cimi-gateway.org/ns/1}cidr", "").startswith("10.113.")


async def test_a_network_is_made_from_a_template_whose_attributes_may_be_overridden(admin: ApiClient) -> None:
    config = await made(admin, "networkConfigs", {"networkType": "PRIVATE", "mtu": 1400})
    template = {"initialState": "STOPPED", "networkConfig": {"href": config}}
    href = await made(admin, "networkTemplates", template)
    shown = await admin.document(await made(admin, "networks", {"networkTemplate": {"href": href}}))
    assert (shown["state"], shown["mtu"]) == ("STOPPED", 1400)
    over = {"href": href, "initialState": "STARTED", "networkConfig": {"href": config, "mtu": 1500}}
    shown = await admin.document(await made(admin, "networks", {"networkTemplate": over}))
    assert (shown["state"], shown["mtu"]) == ("STARTED", 1500)


async def test_a_public_network_leads_out_by_nat(admin: ApiClient, driver: MemoryDriver) -> None:
    url = await made(admin, "networks", network(networkType="PUBLIC"))
    assert driver.state.networks[libvirt_name(url)].forward == "nat"


async def test_each_network_has_a_packet_filter_that_goes_with_it(admin: ApiClient, driver: MemoryDriver) -> None:
    url = await made(admin, "networks", network())
    assert id_of(url) in driver.state.filters
    await removed(admin, url)
    assert driver.state.filters == {}


async def test_a_range_may_be_wished_for(admin: ApiClient) -> None:
    shown = await admin.document(await made(admin, "networks", network(cidr="10.113.77.0/24")))
    assert shown["cidr"] == "10.113.77.0/24"


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"cidr": "172.16.0.0/24"}, ("cidr", "10.113.0.0/16")),
        ({"cidr": "10.113.0.0/30"}, ("cidr", "prefix")),
        ({"cidr": "10.113.0.1/24"}, ("cidr", "host bits")),
        ({"cidr": "fd43:494d:4900:5::/64"}, ("cidr", "IPv6")),
        ({"cidr6": "10.113.4.0/24"}, ("cidr6", "IPv4")),
        ({"cidr6": "fd43:494d:4900:5::/80"}, ("cidr6", "64")),
        ({"mtu": 1279}, ("mtu", "1280")),
        ({"mtu": 9001}, ("mtu", "9000")),
        ({"mtu": 20}, ("mtu",)),
        ({"classOfService": "PLATINUM"}, ("classOfService",)),
        ({"networkType": "SECRET"}, ("networkType", "PRIVATE")),
        ({"colour": "blue"}, ("colour",)),
    ],
)
async def test_a_wrong_configuration_is_refused_by_the_name_of_what_is_wrong(
    admin: ApiClient, driver: MemoryDriver, config: dict[str, Any], words: tuple[str, ...]
) -> None:
    await refused(admin, "networks", network(**config), 400, *words)
    assert set(driver.state.networks) == {"default"}


async def test_a_configuration_is_needed(admin: ApiClient) -> None:
    await refused(admin, "networks", {"networkTemplate": {}}, 400, "networkTemplate.networkConfig")


async def test_a_range_that_the_host_or_a_network_uses_is_in_conflict(admin: ApiClient, driver: MemoryDriver) -> None:
    driver.state.host_routes = ("10.113.8.0/22",)
    await refused(admin, "networks", network(cidr="10.113.9.0/24"), 409, "10.113.8.0/22")
    await made(admin, "networks", network(cidr="10.113.16.0/24"))
    await refused(admin, "networks", network(cidr="10.113.16.128/25"), 409, "10.113.16.0/24")


async def test_new_ranges_go_round_the_hosts_routes(admin: ApiClient, driver: MemoryDriver) -> None:
    driver.state.host_routes = ("10.113.0.0/23", "10.113.3.7/32")
    urls = [await made(admin, "networks", network()) for _ in range(2)]
    assert [(await admin.document(url))["cidr"] for url in urls] == ["10.113.2.0/24", "10.113.4.0/24"]


async def test_when_all_ranges_are_used_a_create_says_so_and_makes_nothing(
    admin: ApiClient, driver: MemoryDriver
) -> None:
    driver.state.host_routes = ("10.113.0.0/16",)
    await refused(admin, "networks", network(), 409, "10.113.0.0/16", "pool")
    assert (await admin.document("networks"))["count"] == 1


async def test_a_network_that_cannot_start_is_undone(admin: ApiClient, driver: MemoryDriver) -> None:
    driver.fail_next("networks.start", DriverConflict("the bridge is taken"))
    answer = await admin.post("networks", network(), Prefer="wait=30")
    assert answer.status == 409
    assert "the bridge is taken" in answer.message
    assert set(driver.state.networks) == {"default"}
    assert driver.state.filters == {}
    assert (await admin.document("networks"))["count"] == 1


async def test_each_state_offers_its_operations(admin: ApiClient) -> None:
    url = await made(admin, "networks", network())
    assert await verbs(admin, url) == {"edit", "delete", "stop"}
    await admin.acted(url, "stop")
    assert await verbs(admin, url) == {"edit", "delete", "start"}
    answer = await admin.act(url, "stop")
    assert answer.status == 409
    assert "STOPPED" in answer.message


async def test_an_edit_reaches_the_definition_and_says_when_it_takes_effect(
    admin: ApiClient, driver: MemoryDriver
) -> None:
    url = await made(admin, "networks", network())
    answer = await admin.put(f"{url}?$select=mtu,name", {"mtu": 1400, "name": "other"}, Prefer="wait=30")
    assert answer.status == 200, answer.text
    assert "mtu takes effect" in (await admin.document(answer.job))["statusMessage"]
    assert driver.state.networks[libvirt_name(url)].mtu == 1400
    assert (await admin.document(url))["name"] == "other"


async def test_an_edit_to_an_mtu_out_of_bounds_changes_nothing(admin: ApiClient, driver: MemoryDriver) -> None:
    url = await made(admin, "networks", network(mtu=1500))
    answer = await admin.put(f"{url}?$select=mtu", {"mtu": 70000}, Prefer="wait=30")
    assert answer.status == 400
    assert "mtu" in answer.message
    assert driver.state.networks[libvirt_name(url)].mtu == 1500


async def test_a_network_which_machines_or_ports_use_is_not_deleted(admin: ApiClient, image: str) -> None:
    url = await made(admin, "networks", network())
    place = await made(admin, "networkPorts", port(url))
    answer = await admin.delete(url, Prefer="wait=30")
    assert answer.status == 409
    assert id_of(place) in answer.message
    await removed(admin, place)
    machine = await made(admin, "machines", admin.machine(image, networkInterfaces=[{"network": {"href": url}}]))
    answer = await admin.delete(url, Prefer="wait=30")
    assert answer.status == 409
    assert id_of(machine) in answer.message
    await removed(admin, machine)
    await removed(admin, url)


async def test_anothers_network_is_as_one_that_is_not(client: Callable[..., ApiClient], image: str) -> None:
    url = await made(client("operator"), "networks", network())
    other = client("other")
    assert (await other.get(url)).status == 404
    document = other.machine(image, networkInterfaces=[{"network": {"href": url}}])
    await refused(other, "machines", document, 400, "networkInterfaces.0.network")
    await refused(other, "networkPorts", port(url), 400, "networkPortTemplate.network")


async def test_a_network_stopped_by_the_hosts_admin_is_stopped_and_started_again_is_started(
    admin: ApiClient, driver: MemoryDriver
) -> None:
    url = await made(admin, "networks", network())
    driver.network_externally(libvirt_name(url), active=False)
    await admin.state(url, "STOPPED")
    driver.network_externally(libvirt_name(url), active=True)
    await admin.state(url, "STARTED")


async def test_a_network_that_stopped_while_the_hypervisor_was_away_is_started_again(
    admin: ApiClient, driver: MemoryDriver
) -> None:
    url = await made(admin, "networks", network())
    driver.lose()
    name = libvirt_name(url)
    facts = driver.state.networks.pop(name)
    driver.regain()
    await eventually(lambda: name in driver.state.networks and driver.state.networks[name].active, "it runs again")
    assert driver.state.networks[name].ranges == facts.ranges
    shown = await admin.document(url)
    assert shown["state"] == "STARTED"
    listed = await admin.document(f"{shown['eventLog']['href']}/events?$filter=type='alarm'")
    assert {event["content"]["code"] for event in listed["events"]} == {"defined again", "started again"}


async def test_a_foreign_network_is_neither_shown_nor_touched(admin: ApiClient, driver: MemoryDriver) -> None:
    driver.state.networks["theirs"] = NetworkFacts("theirs", False, "virbr9", "nat", uuid="x")
    driver.lose()
    driver.regain()
    await admin.state(DEFAULT_NETWORK, "STARTED")
    assert (await admin.document("networks"))["count"] == 1
    assert not driver.state.networks["theirs"].active


async def test_a_create_that_is_retried_with_its_key_gives_the_first_network_again(admin: ApiClient) -> None:
    first = await admin.post("networks", network(), Idempotency_Key="k")
    again = await admin.post("networks", network(), Idempotency_Key="k")
    assert again.location == first.location
    assert (await admin.document("networks"))["count"] == 2


class TestClassesOfService:
    """With classes in the configuration."""

    @pytest.fixture
    def hypervisor(self) -> dict[str, Any]:
        gold = BandwidthClass("GOLD", inbound=1000, inbound_peak=2000, outbound=500)
        return {"bandwidth_classes": (gold, BandwidthClass("SILVER", inbound=100))}

    async def test_a_class_is_known_in_any_case(self, gateway: Gateway, admin: ApiClient) -> None:
        shown = await admin.document(await made(admin, "networks", network(classOfService="gold")))
        assert shown["classOfService"] == "GOLD"

    async def test_an_unknown_class_is_answered_with_the_known_ones(self, gateway: Gateway, admin: ApiClient) -> None:
        await refused(admin, "networks", network(classOfService="lead"), 400, "GOLD", "SILVER")

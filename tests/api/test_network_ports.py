"""NetworkPorts through the API, with a client's eyes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from drivers.base import BandwidthClass, DriverFailed, Traffic
from drivers.memory import MemoryDriver
from tests.api.client import ApiClient
from tests.api.namespaces import NAMESPACE
from tests.api.networks import DEFAULT_NETWORK, id_of, interfaces, made, network, plugged, port, refused, removed

pytestmark = pytest.mark.slow

OWN = "{http://cimi-gateway.org/ns/1}"


@pytest.fixture
async def net(admin: ApiClient) -> str:
    return await made(admin, "networks", network())


@pytest.fixture
async def place(admin: ApiClient, net: str) -> str:
    """URL of a port of the network."""
    return await made(admin, "networkPorts", port(net))


@pytest.fixture
async def user(admin: ApiClient, image: str, place: str) -> str:
    """URL of a running Machine which uses the port."""
    return await made(admin, "machines", admin.machine(image, networkInterfaces=[{"networkPort": {"href": place}}]))


async def test_a_new_port_is_started_and_has_a_mac(admin: ApiClient, net: str, place: str) -> None:
    shown = await admin.document(place)
    assert shown["state"] == "STARTED"
    assert shown["network"]["href"] == net
    assert shown["portType"] == "ACCESS"
    assert shown["macAddress"].startswith("52:54:00:")


async def test_a_port_stands_among_its_networks_ports_until_it_is_deleted(
    admin: ApiClient, net: str, place: str
) -> None:
    listed = (await admin.document(net + "/networkPorts"))["networkNetworkPorts"]
    assert [entry["networkPort"]["href"] for entry in listed] == [place]
    await removed(admin, place)
    assert (await admin.document(net + "/networkPorts"))["count"] == 0
    assert (await admin.get(place)).status == 404


async def test_a_port_created_in_xml_is_shown_in_xml(client: Callable[..., ApiClient], net: str) -> None:
    body = f"""<NetworkPortCreate xmlns="http://schemas.dmtf.org/cimi/1"><networkPortTemplate><network href="{net}"/>
      <networkPortConfig><portType>ACCESS</portType></networkPortConfig></networkPortTemplate></NetworkPortCreate>"""
    answer = await client("admin", "xml").post("networkPorts", body.encode(), Prefer="wait=30")
    assert answer.status == 201, answer.text
    assert answer.xml.findtext(f"{NAMESPACE}portType") == "ACCESS"
    assert answer.xml.findtext(f"{OWN}macAddress", "").startswith("52:54:00:")


async def test_a_port_is_made_from_a_template(admin: ApiClient, net: str) -> None:
    config = await made(admin, "networkPortConfigs", {"portType": "ACCESS"})
    template = {"network": {"href": net}, "networkPortConfig": {"href": config}}
    href = await made(admin, "networkPortTemplates", template)
    shown = await admin.document(await made(admin, "networkPorts", {"networkPortTemplate": {"href": href}}))
    assert shown["network"]["href"] == net


async def test_a_mac_may_be_wished_for_once(admin: ApiClient, net: str) -> None:
    shown = await admin.document(await made(admin, "networkPorts", port(net, macAddress="52-54-00-AA-BB-01")))
    assert shown["macAddress"] == "52:54:00:aa:bb:01"
    await refused(admin, "networkPorts", port(net, macAddress="52:54:00:aa:bb:01"), 409, "macAddress", "NetworkPort")


@pytest.mark.parametrize(
    "mac",
    [
        "52:54:00:aa:bb",
        "52:54:00:aa:bb:zz",
        "01:00:5e:00:00:01",
        "ff:ff:ff:ff:ff:ff",
        "00:00:00:00:00:00",
        "fe:54:00:00:00:01",
    ],
)
async def test_a_wrong_mac_is_refused(admin: ApiClient, net: str, mac: str) -> None:
    await refused(admin, "networkPorts", port(net, macAddress=mac), 400, "networkPortTemplate.macAddress")


async def test_a_port_without_a_network_is_refused(admin: ApiClient) -> None:
    await refused(admin, "networkPorts", {"networkPortTemplate": {}}, 400, "networkPortTemplate.network")


async def test_a_trunk_is_not_offered(admin: ApiClient, net: str) -> None:
    document = port(net, networkPortConfig={"portType": "TRUNK"})
    await refused(admin, "networkPorts", document, 501, "portType", "ACCESS")


async def test_each_state_of_a_port_offers_its_operations(admin: ApiClient, place: str) -> None:
    async def verbs() -> set[str]:
        return {entry["rel"].rpartition("/")[2] for entry in (await admin.document(place))["operations"]}

    assert await verbs() == {"edit", "delete", "stop"}
    await admin.acted(place, "stop")
    assert (await admin.document(place))["state"] == "STOPPED"
    assert await verbs() == {"edit", "delete", "start"}
    assert (await admin.act(place, "stop")).status == 409


async def test_an_interface_at_a_port_has_its_mac_and_the_port_says_who_uses_it(
    admin: ApiClient, net: str, place: str, user: str, driver: MemoryDriver
) -> None:
    interface = (await interfaces(admin, user))[0]
    shown = await admin.document(place)
    assert interface["macAddress"] == shown["macAddress"]
    assert interface["networkPort"]["href"] == place
    assert interface["network"]["href"] == net
    assert shown["resource"]["href"] == interface["id"]
    assert plugged(driver, user)[shown["macAddress"]].network == f"cimi-{id_of(net)}"


async def test_stopping_a_port_takes_the_link_of_its_interface_down_and_starting_brings_it_up(
    admin: ApiClient, place: str, user: str, driver: MemoryDriver
) -> None:
    mac = (await admin.document(place))["macAddress"]
    assert (await admin.acted(place, "stop"))["state"] == "SUCCESS"
    assert not plugged(driver, user)[mac].link_up
    assert (await admin.acted(place, "start"))["state"] == "SUCCESS"
    assert plugged(driver, user)[mac].link_up


async def test_a_machine_at_a_stopped_port_starts_with_its_link_down(
    admin: ApiClient, place: str, image: str, driver: MemoryDriver
) -> None:
    await admin.acted(place, "stop")
    template = {"networkInterfaces": [{"networkPort": {"href": place}}]}
    machine = await made(admin, "machines", admin.machine(image, **template))
    assert [interface.link_up for interface in plugged(driver, machine).values()] == [False]


async def test_a_port_whose_stop_does_not_reach_the_guest_is_still_started(
    admin: ApiClient, place: str, user: str, driver: MemoryDriver
) -> None:
    driver.fail_next("devices.update_interface", DriverFailed("the guest's network is stuck"))
    job = await admin.acted(place, "stop")
    assert job["state"] == "FAILED"
    assert "stuck" in job["statusMessage"]
    assert (await admin.document(place))["state"] == "STARTED"


async def test_a_used_port_is_not_deleted_nor_given_to_another(
    admin: ApiClient, place: str, user: str, image: str
) -> None:
    answer = await admin.delete(place, Prefer="wait=30")
    assert answer.status == 409
    assert id_of(user) in answer.message
    document = admin.machine(image, networkInterfaces=[{"networkPort": {"href": place}}])
    await refused(admin, "machines", document, 409)


async def test_a_deleted_machine_frees_its_port(admin: ApiClient, place: str, user: str) -> None:
    await removed(admin, user)
    assert "resource" not in await admin.document(place)
    await removed(admin, place)


async def test_a_port_of_another_network_than_the_one_beside_it_is_refused(
    admin: ApiClient, place: str, image: str
) -> None:
    both = {"networkPort": {"href": place}, "network": {"href": admin.base + DEFAULT_NETWORK}}
    await refused(admin, "machines", admin.machine(image, networkInterfaces=[both]), 400, "networkPort")


async def test_a_mac_beside_a_port_must_be_the_ports(admin: ApiClient, place: str, image: str) -> None:
    both = {"networkPort": {"href": place}, "macAddress": "52:54:00:00:00:01"}
    await refused(admin, "machines", admin.machine(image, networkInterfaces=[both]), 400, "macAddress")


async def test_a_port_on_the_shared_network_is_its_owners_alone(client: Callable[..., ApiClient]) -> None:
    operator, other = client("operator"), client("other")
    place = await made(operator, "networkPorts", port(operator.base + DEFAULT_NETWORK))
    assert (await other.get(place)).status == 404
    assert (await other.document(f"{DEFAULT_NETWORK}/networkPorts"))["count"] == 0
    assert (await operator.document(f"{DEFAULT_NETWORK}/networkPorts"))["count"] == 1


class TestClassesOfService:
    @pytest.fixture
    def hypervisor(self) -> dict[str, Any]:
        return {"bandwidth_classes": (BandwidthClass("GOLD", inbound=1000), BandwidthClass("SILVER", outbound=100))}

    def traffic(self, driver: MemoryDriver, mac: str) -> Traffic | None:
        return driver.state.interface_specs[mac].traffic

    async def test_the_class_of_a_port_limits_its_interface(
        self, admin: ApiClient, net: str, image: str, driver: MemoryDriver
    ) -> None:
        place = await made(admin, "networkPorts", port(net, networkPortConfig={"classOfService": "silver"}))
        shown = await admin.document(place)
        assert shown["classOfService"] == "SILVER"
        document = admin.machine(image, networkInterfaces=[{"networkPort": {"href": place}}])
        await made(admin, "machines", document)
        assert self.traffic(driver, shown["macAddress"]) == BandwidthClass("SILVER", outbound=100).traffic

    async def test_an_edit_of_the_class_reaches_the_interface(
        self, admin: ApiClient, place: str, user: str, driver: MemoryDriver
    ) -> None:
        answer = await admin.put(f"{place}?$select=classOfService", {"classOfService": "GOLD"}, Prefer="wait=30")
        assert answer.status == 200, answer.text
        shown = await admin.document(place)
        assert shown["classOfService"] == "GOLD"
        assert shown["state"] == "STARTED"
        assert self.traffic(driver, shown["macAddress"]) == BandwidthClass("GOLD", inbound=1000).traffic

    async def test_an_edit_that_does_not_reach_the_guest_keeps_the_old_class(
        self, admin: ApiClient, place: str, user: str, driver: MemoryDriver
    ) -> None:
        driver.fail_next("devices.update_interface", DriverFailed("tc: no such thing"))
        answer = await admin.put(f"{place}?$select=classOfService", {"classOfService": "GOLD"}, Prefer="wait=30")
        assert answer.status == 500
        assert "classOfService" not in await admin.document(place)

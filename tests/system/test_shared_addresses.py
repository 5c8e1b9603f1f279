"""Addresses without a Network on an ordinary host: of libvirt's own network ``default``, with real DHCP entries."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree

import pytest

from tests import hypervisor
from tests.cimi_client import CimiClient
from tests.gateway_process import GatewayProcess
from tests.system.conftest import machine_create
from tests.system.test_networks import interfaces
from tests.system.test_own_addresses import sources_of

pytestmark = pytest.mark.qemu


def entries() -> dict[str, str]:
    """What libvirt's DHCP keeps in ``default``, by address: the MACs."""
    with hypervisor.connection() as host:
        root = ElementTree.fromstring(host.networkLookupByName("default").XMLDesc(0))
    return {str(entry.get("ip")): str(entry.get("mac")) for entry in root.iterfind("ip/dhcp/host")}


def reserved(client: CimiClient) -> dict[str, str]:
    added = client.added("addresses", {"addressTemplate": {}})
    return {"id": str(added["id"]), "ip": str(added["ip"]), "network": str(added["network"]["href"])}


@pytest.fixture
def address(operator: CimiClient) -> Iterator[dict[str, str]]:
    made = reserved(operator)
    yield made
    operator.remove(made["id"])
    assert made["ip"] not in entries()


@pytest.fixture
def operator(gateway: GatewayProcess) -> CimiClient:
    return gateway.client("operator")


def test_an_address_without_a_network_is_kept_in_the_default_one(
    operator: CimiClient, address: dict[str, str]
) -> None:
    assert operator.get(address["network"])["name"] == "default"
    assert entries()[address["ip"]].startswith("02:")


def test_a_machine_that_is_made_with_it_is_held_to_it_and_leaves_it_reserved(
    operator: CimiClient, image: str, address: dict[str, str]
) -> None:
    kept = entries()[address["ip"]]
    template = {"networkInterfaces": [{"addresses": [{"href": address["id"]}]}]}
    machine = str(operator.added("machines", machine_create(image, "STOPPED", **template))["id"])
    [interface] = interfaces(operator, machine)
    assert entries()[address["ip"]] == interface["macAddress"]
    assert list(entries().values()).count(interface["macAddress"]) == 1
    assert sources_of(machine) == [address["ip"]]
    operator.remove(machine)
    assert entries()[address["ip"]] == kept


def test_given_to_a_machine_that_is_off_it_takes_the_place_of_the_own_address(
    operator: CimiClient, image: str, address: dict[str, str]
) -> None:
    machine = str(operator.added("machines", machine_create(image, "STOPPED"))["id"])
    [interface] = interfaces(operator, machine)
    [own] = sources_of(machine)
    assert own != address["ip"]
    made = operator.request("POST", f"{interface['id']}/addresses", {"address": {"href": address["id"]}})
    operator.succeed(made.job)
    assert sources_of(machine) == [address["ip"]]
    assert own not in entries()
    operator.remove(made.headers["location"])
    assert sources_of(machine) == [next(ip for ip, mac in entries().items() if mac == interface["macAddress"])]
    operator.remove(machine)


def test_it_survives_a_new_start_of_the_gateway(
    gateway: GatewayProcess, operator: CimiClient, address: dict[str, str]
) -> None:
    before = entries()
    gateway.kill()
    gateway.start()
    assert operator.get(address["id"])["ip"] == address["ip"]
    assert entries() == before

"""Addresses without a Network on an ordinary host: of the host's own network, with real DHCP entries."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cimi_client import CimiClient
from tests.gateway_process import GatewayProcess
from tests.guests import machine_create
from tests.system.host_network import HostNetwork, entries, gateway_on, host_network, sources_of
from tests.system.networks import interfaces

pytestmark = pytest.mark.qemu


@pytest.fixture(scope="module")
def host_net() -> Iterator[HostNetwork]:
    """A network of the host's own that no other test has: entries come and go in `default` while others run."""
    with host_network(translated=True) as made:
        yield made


@pytest.fixture(scope="module")
def gateway(
    pool: str, images: Path, host_net: HostNetwork, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayProcess]:
    with gateway_on(host_net, pool, images, tmp_path_factory.mktemp("gateway")) as process:
        yield process


def reserved(client: CimiClient) -> dict[str, str]:
    added = client.added("addresses", {"addressTemplate": {}})
    return {"id": str(added["id"]), "ip": str(added["ip"]), "network": str(added["network"]["href"])}


@pytest.fixture
def address(operator: CimiClient, host_net: HostNetwork) -> Iterator[dict[str, str]]:
    made = reserved(operator)
    yield made
    operator.remove(made["id"])
    assert made["ip"] not in entries(host_net)


@pytest.fixture
def operator(gateway: GatewayProcess) -> CimiClient:
    return gateway.client("operator")


def test_an_address_without_a_network_is_kept_in_the_hosts_own_one(
    operator: CimiClient, host_net: HostNetwork, address: dict[str, str]
) -> None:
    assert operator.get(address["network"])["name"] == host_net.name
    assert entries(host_net)[address["ip"]].startswith("02:")


def test_a_machine_that_is_made_with_it_is_held_to_it_and_leaves_it_reserved(
    operator: CimiClient, host_net: HostNetwork, image: str, address: dict[str, str]
) -> None:
    kept = entries(host_net)[address["ip"]]
    template = {"networkInterfaces": [{"addresses": [{"href": address["id"]}]}]}
    machine = str(operator.added("machines", machine_create(image, "STOPPED", **template))["id"])
    [interface] = interfaces(operator, machine)
    assert entries(host_net)[address["ip"]] == interface["macAddress"]
    assert list(entries(host_net).values()).count(interface["macAddress"]) == 1
    assert sources_of(machine) == [address["ip"]]
    operator.remove(machine)
    assert entries(host_net)[address["ip"]] == kept


def test_given_to_a_machine_that_is_off_it_takes_the_place_of_the_own_address(
    operator: CimiClient, host_net: HostNetwork, image: str, address: dict[str, str]
) -> None:
    machine = str(operator.added("machines", machine_create(image, "STOPPED"))["id"])
    [interface] = interfaces(operator, machine)
    [own] = sources_of(machine)
    assert own != address["ip"]
    made = operator.request("POST", f"{interface['id']}/addresses", {"address": {"href": address["id"]}})
    operator.succeed(made.job)
    assert sources_of(machine) == [address["ip"]]
    assert own not in entries(host_net)
    operator.remove(made.headers["location"])
    assert sources_of(machine) == [next(ip for ip, mac in entries(host_net).items() if mac == interface["macAddress"])]
    operator.remove(machine)


def test_it_survives_a_new_start_of_the_gateway(
    gateway: GatewayProcess, operator: CimiClient, host_net: HostNetwork, address: dict[str, str]
) -> None:
    before = entries(host_net)
    gateway.kill()
    gateway.start()
    assert operator.get(address["id"])["ip"] == address["ip"]
    assert entries(host_net) == before

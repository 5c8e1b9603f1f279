"""Real guests on real networks: who reaches whom, ports, hot-plug, and an admin who uses virsh."""

from __future__ import annotations

from typing import Any

import libvirt
import pytest

from tests import hypervisor
from tests.cimi_client import CimiClient, wait_until
from tests.guests import machine_create
from tests.system.networks import address, interfaces, libvirt_name, network_create, reaches, shell, told, wait_answers
from tests.urls import uuid_of

pytestmark = pytest.mark.qemu
"""Seconds in which a guest has an address."""


@pytest.fixture(scope="module")
def network(admin: CimiClient) -> str:
    return str(admin.added("networks", network_create())["id"])


@pytest.fixture(scope="module")
def port(admin: CimiClient, network: str) -> str:
    return str(admin.added("networkPorts", {"networkPortTemplate": {"network": {"href": network}}})["id"])


@pytest.fixture(scope="module")
def pair(admin: CimiClient, image: str, network: str, port: str) -> tuple[str, str]:
    """URLs of two running guests on the private network, the first at the port."""
    asked: tuple[dict[str, Any], ...] = ({"networkPort": {"href": port}}, {"network": {"href": network}})
    created = [admin.add("machines", machine_create(image, networkInterfaces=[one])) for one in asked]
    for answer in created:
        admin.succeed(answer.job)
        wait_answers(answer.headers["location"])
    first, second = (answer.headers["location"] for answer in created)
    return first, second


@pytest.fixture(scope="module")
def ips(admin: CimiClient, pair: tuple[str, str]) -> tuple[str, str]:
    first, second = (address(admin, interfaces(admin, machine)[0]) for machine in pair)
    return first, second


@pytest.fixture(scope="module")
def outside(admin: CimiClient, image: str) -> str:
    """The address of a guest on the host's default network."""
    machine = str(admin.added("machines", machine_create(image))["id"])
    return address(admin, interfaces(admin, machine)[0])


def test_two_guests_on_a_private_network_reach_each_other(pair: tuple[str, str], ips: tuple[str, str]) -> None:
    assert reaches(pair[0], ips[1], 5)
    assert reaches(pair[1], ips[0], 5)


def test_a_guest_on_a_private_network_reaches_nobody_outside(
    admin: CimiClient, network: str, pair: tuple[str, str], outside: str
) -> None:
    gateway = admin.get(network)["cidr"].replace(".0/24", ".1")
    assert reaches(pair[0], gateway, 5), "the host answers"
    shell(pair[0], f"ip route add default via {gateway}")
    assert not reaches(pair[0], outside, 2)
    shell(pair[0], "ip route del default")


def test_a_guest_configures_itself_for_ipv6(admin: CimiClient, network: str, pair: tuple[str, str]) -> None:
    prefix = admin.get(network)["cidr6"].removesuffix("::/64")
    wait_until(lambda: f"inet6 {prefix}:" in shell(pair[0], "ip addr show eth0")[1], 30, "an IPv6 address")
    assert reaches(pair[0], f"{prefix}::1", 5)


def test_a_guest_cannot_send_from_an_address_outside_its_network(pair: tuple[str, str], ips: tuple[str, str]) -> None:
    shell(pair[0], "ip addr add 10.250.0.1/24 dev eth0")
    shell(pair[1], "ip route add 10.250.0.0/24 dev eth0")
    assert shell(pair[0], f"ping -c 1 -W 2 -I 10.250.0.1 {ips[1]}")[0] != 0
    shell(pair[1], "ip route del 10.250.0.0/24")
    shell(pair[0], "ip addr del 10.250.0.1/24 dev eth0")
    assert reaches(pair[0], ips[1], 5)


def test_a_guest_cannot_take_the_gateways_address(admin: CimiClient, network: str, pair: tuple[str, str]) -> None:
    gateway = admin.get(network)["cidr"].replace(".0/24", ".1")
    shell(pair[0], f"ip addr add {gateway}/32 dev eth0; arping -c 2 -U -I eth0 {gateway}")
    mac = interfaces(admin, pair[0])[0]["macAddress"]
    shell(pair[1], f"ip neigh flush dev eth0; ping -c 1 -W 5 {gateway}")
    assert mac not in shell(pair[1], f"ip neigh show {gateway}")[1]
    shell(pair[0], f"ip addr del {gateway}/32 dev eth0")


def test_a_stopped_port_takes_the_guests_link_away_and_a_started_one_gives_it_back(
    admin: CimiClient, port: str, pair: tuple[str, str], ips: tuple[str, str]
) -> None:
    admin.acted(port, "stop")
    assert shell(pair[0], "cat /sys/class/net/eth0/carrier")[1] == "0\n"
    assert not reaches(pair[0], ips[1], 1)
    admin.acted(port, "start")
    wait_until(lambda: reaches(pair[0], ips[1], 1), 30, "the link is back")


def test_an_interface_added_to_a_running_guest_gets_an_address_and_goes_again(
    admin: CimiClient, network: str, pair: tuple[str, str], ips: tuple[str, str]
) -> None:
    collection = admin.get(pair[1])["networkInterfaces"]["href"]
    answer = admin.request("POST", collection, {"network": {"href": network}})
    assert answer.status in (201, 202), answer.body
    admin.succeed(answer.job)
    added = admin.get(answer.headers["location"])
    ip = address(admin, added)
    assert ip in shell(pair[1], "ip addr show eth1")[1]
    assert ip in leased(network)
    admin.remove(added["id"])
    assert shell(pair[1], "ip addr show eth1")[0] != 0
    assert len(interfaces(admin, pair[1])) == 1
    wait_until(lambda: ip not in leased(network), 10, "its lease is given back")


def leased(network: str) -> set[str]:
    """What the network's DHCP server has given out."""
    with hypervisor.connection() as host:
        return {lease["ipaddr"] for lease in host.networkLookupByName(libvirt_name(network)).DHCPLeases()}


def test_guests_reach_each_other_again_after_the_network_was_stopped_and_started_through_the_api(
    admin: CimiClient, network: str, pair: tuple[str, str], ips: tuple[str, str]
) -> None:
    admin.acted(network, "stop")
    assert not reaches(pair[0], ips[1], 1)
    admin.acted(network, "start")
    wait_until(lambda: reaches(pair[0], ips[1], 1), 30, "the guests are back on the network")


def test_guests_reach_each_other_again_after_an_admin_stopped_and_started_the_network(
    admin: CimiClient, network: str, pair: tuple[str, str], ips: tuple[str, str]
) -> None:
    with hypervisor.connection() as host:
        net = host.networkLookupByName(libvirt_name(network))
        net.destroy()
        admin.wait_state(network, "STOPPED")
        net.create()
    admin.wait_state(network, "STARTED")
    wait_until(lambda: reaches(pair[0], ips[1], 1), 30, "the guests are back on the network")
    assert "reconnected" in told(admin, network)


def test_the_definition_of_a_network_that_an_admin_removed_is_back(admin: CimiClient, network: str) -> None:
    with hypervisor.connection() as host:
        net = host.networkLookupByName(libvirt_name(network))
        net.undefine()
        wait_until(net.isPersistent, 30, "the network is defined again")
        assert net.isActive()
    assert admin.get(network)["state"] == "STARTED"
    assert "defined again" in told(admin, network)


def test_a_public_network_is_served_by_nat_and_gone_when_deleted(admin: CimiClient) -> None:
    url = str(admin.added("networks", network_create("PUBLIC", mtu=1400))["id"])
    with hypervisor.connection() as host:
        xml = host.networkLookupByName(libvirt_name(url)).XMLDesc(0)
    assert "<forward mode='nat'>" in xml
    assert "<mtu size='1400'/>" in xml
    admin.remove(url)
    with hypervisor.connection() as host, pytest.raises(libvirt.libvirtError):
        host.networkLookupByName(libvirt_name(url))


def test_a_class_of_service_limits_the_bridge_or_leaves_nothing_where_the_kernel_cannot(admin: CimiClient) -> None:
    document = network_create(classOfService="gold")
    answer = admin.request("POST", "networks", document, headers={"Prefer": "respond-async"})
    job, url = admin.finish(answer.job), answer.headers["location"]
    if job["state"] == "SUCCESS":
        with hypervisor.connection() as host:
            assert "<inbound average='100000'/>" in host.networkLookupByName(libvirt_name(url)).XMLDesc(0)
        admin.remove(url)
    else:
        assert job["returnCode"] == 10501
        assert "cannot limit bandwidth" in job["statusMessage"]
    assert hypervisor.traces_of_network(uuid_of(url)) == []


def test_the_class_of_a_port_stands_in_the_definition_of_its_guest(admin: CimiClient, image: str, network: str) -> None:
    config = {"classOfService": "GOLD"}
    template = {"network": {"href": network}, "networkPortConfig": config}
    port = admin.added("networkPorts", {"networkPortTemplate": template})["id"]
    asked = [{"networkPort": {"href": port}}]
    machine = str(admin.added("machines", machine_create(image, "STOPPED", networkInterfaces=asked))["id"])
    with hypervisor.connection() as host:
        xml = hypervisor.domain_of(machine, host).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    assert "<inbound average='100000'/>" in xml
    assert "<outbound average='50000'/>" in xml
    admin.remove(machine)
    admin.remove(port)

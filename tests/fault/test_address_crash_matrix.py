"""The gateway is killed with SIGKILL after every step of address and forwarding-group jobs, and started again.

Each time the job ends definite, and nothing half-made is left in libvirt, in the files of its DHCP and DNS server, in
its packet filters, or in the store.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import libvirt
import pytest
from lxml import etree

from tests import hypervisor
from tests.cimi_client import Answer, CimiClient
from tests.fault.crashes import killed_after, restarted
from tests.gateway_process import GatewayProcess
from tests.guests import machine_create
from tests.urls import uuid_of

pytestmark = pytest.mark.qemu
DNSMASQ = Path("/var/lib/libvirt/dnsmasq")
ASYNC = {"Prefer": "respond-async"}


def network_create() -> dict[str, Any]:
    return {"networkTemplate": {"networkConfig": {"networkType": "PRIVATE"}}}


@pytest.fixture(scope="module")
def gateway(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """One for all of these tests: what a test leaves behind would break the next."""
    pool = f"cimi-fault-{os.getpid()}-{uuid.uuid4().hex[:6]}"
    hypervisor.quiet()
    hypervisor.make_pool(pool)
    process = GatewayProcess(tmp_path_factory.mktemp("gateway"), pool, images)
    process.prepare()
    yield process
    process.clear()
    hypervisor.drop_pool(pool)


@pytest.fixture(scope="module")
def kept(gateway: GatewayProcess) -> list[str]:
    """URLs of two PRIVATE Networks."""
    gateway.start()
    client = gateway.client()
    return [str(client.added("networks", network_create())["id"]) for _ in range(2)]


@pytest.fixture(scope="module")
def interface(gateway: GatewayProcess, kept: list[str], images: Path) -> str:
    """URL of the interface of a stopped Machine on the first Network."""
    client = gateway.client()
    image = str(client.added("machineImages", {"imageLocation": f"file://{images / 'guest.qcow2'}"})["id"])
    asked = [{"network": {"href": kept[0]}}]
    machine = client.added("machines", machine_create(image, "STOPPED", networkInterfaces=asked))["id"]
    return f"{machine}/networkInterfaces/0"


@pytest.fixture
def networks(gateway: GatewayProcess, kept: list[str]) -> Iterator[list[str]]:
    yield kept
    client = gateway.client()
    for group in client.get("forwardingGroups").get("forwardingGroups", []):
        client.remove(group["id"])
    for address in client.get("addresses").get("addresses", []):
        client.remove(address["id"])


def asked(gateway: GatewayProcess, method: str, url: str, document: dict[str, Any] | None = None) -> Answer:
    answer = gateway.client().request(method, url, document, headers=ASYNC)
    assert answer.status == 202, answer.body
    return answer


def served(network: str) -> str:
    """What libvirt's definition and its DNS server's files say of names, as text."""
    with hypervisor.connection() as host:
        found = host.networkLookupByUUIDString(uuid_of(network))
        texts = [found.XMLDesc(0), found.XMLDesc(libvirt.VIR_NETWORK_XML_INACTIVE)]
    files = [DNSMASQ / f"cimi-{uuid_of(network)}.{end}" for end in ("addnhosts", "hostsfile")]
    return "\n".join([*texts, *(path.read_text() for path in files if path.exists())])


def reached(network: str) -> set[str]:
    """The IPv4 networks to which the packet filter lets guests of this one send."""
    with hypervisor.connection() as host:
        text = host.nwfilterLookupByName(f"cimi-network-{uuid_of(network)}").XMLDesc(0)
    rules = etree.fromstring(text).iterfind("rule[@action='accept'][@direction='out']/ip[@srcipaddr]")
    return {str(rule.get("dstipaddr")) for rule in rules}


def address_of(client: CimiClient, network: str) -> str:
    return str(client.get(network)["cidr"].partition("/")[0])


@pytest.mark.parametrize("step", ["reserve address", "settle address"])
def test_an_address_create_killed_after_a_step_is_finished(
    gateway: GatewayProcess, networks: list[str], step: str
) -> None:
    killed_after(gateway, "add", step)
    template = {"network": {"href": networks[0]}, "hostname": "crashed"}
    answer = asked(gateway, "POST", "addresses", {"addressTemplate": template})
    client = restarted(gateway)
    client.succeed(answer.job)
    shown = client.get(answer.headers["location"])
    assert shown["hostname"] == "crashed"
    assert served(networks[0]).count("crashed") == 3
    client.remove(shown["id"])
    assert "crashed" not in served(networks[0])
    assert client.get("addresses")["count"] == 0


@pytest.mark.parametrize("step", ["release address", "settle address"])
def test_an_address_delete_killed_after_a_step_is_finished(
    gateway: GatewayProcess, networks: list[str], step: str
) -> None:
    template = {"network": {"href": networks[0]}, "hostname": "crashed"}
    shown = gateway.client().added("addresses", {"addressTemplate": template})
    killed_after(gateway, "delete", step)
    answer = asked(gateway, "DELETE", shown["id"])
    client = restarted(gateway)
    client.succeed(answer.job)
    assert client.request("GET", shown["id"]).status == 404
    assert "crashed" not in served(networks[0])
    again = client.added("addresses", {"addressTemplate": {**template, "ip": shown["ip"]}})
    assert again["ip"] == shown["ip"]


def test_a_rename_killed_after_its_step_is_finished(gateway: GatewayProcess, networks: list[str]) -> None:
    template = {"network": {"href": networks[0]}, "hostname": "before"}
    shown = gateway.client().added("addresses", {"addressTemplate": template})
    killed_after(gateway, "edit", "rename address")
    answer = asked(gateway, "PUT", f"{shown['id']}?$select=hostname", {"hostname": "crashed"})
    client = restarted(gateway)
    client.succeed(answer.job)
    assert client.get(shown["id"])["hostname"] == "crashed"
    assert served(networks[0]).count("crashed") == 3
    assert "before" not in served(networks[0])
    again = client.added("addresses", {"addressTemplate": template})
    assert again["hostname"] == "before"


def held_to(interface: str) -> set[str]:
    """The addresses which the packet filter of the Machine's interface asks for."""
    with hypervisor.connection() as host:
        text = hypervisor.domain_of(machine_of(interface), host).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    parameters = etree.fromstring(text).iterfind("devices/interface/filterref/parameter")
    return {str(found.get("value")) for found in parameters if found.get("name") in ("SOURCE", "SOURCE6")}


def machine_of(interface: str) -> str:
    return interface.partition("/networkInterfaces/")[0]


def mac_of(client: CimiClient, interface: str) -> str:
    return str(client.get(interface)["macAddress"])


@pytest.mark.parametrize("protocol", ["IPv4", "IPv6"])
def test_an_address_killed_after_it_was_assigned_is_the_interfaces(
    gateway: GatewayProcess, networks: list[str], interface: str, protocol: str
) -> None:
    template = {"network": {"href": networks[0]}, "protocol": protocol, "hostname": "crashed"}
    shown = gateway.client().added("addresses", {"addressTemplate": template})
    killed_after(gateway, "add", "assign address")
    answer = asked(gateway, "POST", f"{interface}/addresses", {"address": {"href": shown["id"]}})
    client = restarted(gateway)
    client.succeed(answer.job)
    assert client.get(shown["id"])["resource"]["href"] == interface
    assert client.get(answer.headers["location"])["address"]["href"] == shown["id"]
    assert shown["ip"] in held_to(interface)
    assert (mac_of(client, interface) in served(networks[0])) == (protocol == "IPv4")
    client.remove(answer.headers["location"])
    assert shown["ip"] not in held_to(interface)


@pytest.mark.parametrize("protocol", ["IPv4", "IPv6"])
def test_an_address_killed_after_it_was_withdrawn_is_nobodys(
    gateway: GatewayProcess, networks: list[str], interface: str, protocol: str
) -> None:
    template = {"network": {"href": networks[0]}, "protocol": protocol}
    shown = gateway.client().added("addresses", {"addressTemplate": template})
    given = gateway.client().request("POST", f"{interface}/addresses", {"address": {"href": shown["id"]}})
    gateway.client().succeed(given.job)
    entry = given.headers["location"]
    assert shown["ip"] in held_to(interface)
    killed_after(gateway, "delete", "withdraw address")
    answer = asked(gateway, "DELETE", entry)
    client = restarted(gateway)
    client.succeed(answer.job)
    assert "resource" not in client.get(shown["id"])
    assert client.request("GET", entry).status == 404
    assert held_to(interface) == {address_of(client, networks[0])}
    assert mac_of(client, interface) not in served(networks[0])


@pytest.mark.parametrize("step", ["form group", "settle group"])
def test_a_group_create_killed_after_a_step_is_finished(
    gateway: GatewayProcess, networks: list[str], step: str
) -> None:
    killed_after(gateway, "add", step)
    members = [{"href": network} for network in networks]
    answer = asked(gateway, "POST", "forwardingGroups", {"forwardingGroupTemplate": {"networks": members}})
    client = restarted(gateway)
    client.succeed(answer.job)
    one, other = networks
    assert reached(one) == reached(other) == {address_of(client, one), address_of(client, other)}


@pytest.mark.parametrize("step", ["dissolve group", "settle group"])
def test_a_group_delete_killed_after_a_step_is_finished(
    gateway: GatewayProcess, networks: list[str], step: str
) -> None:
    members = [{"href": network} for network in networks]
    group = gateway.client().added("forwardingGroups", {"forwardingGroupTemplate": {"networks": members}})
    killed_after(gateway, "delete", step)
    answer = asked(gateway, "DELETE", group["id"])
    client = restarted(gateway)
    client.succeed(answer.job)
    assert client.request("GET", group["id"]).status == 404
    for network in networks:
        assert reached(network) == {address_of(client, network)}
        assert "forwardingGroup" not in client.get(network)


def test_a_join_killed_after_its_step_is_finished(gateway: GatewayProcess, networks: list[str]) -> None:
    one, other = networks
    document = {"forwardingGroupTemplate": {"networks": [{"href": one}]}}
    group = gateway.client().added("forwardingGroups", document)
    killed_after(gateway, "add", "join group")
    answer = asked(gateway, "POST", f"{group['id']}/networks", {"network": {"href": other}})
    client = restarted(gateway)
    client.succeed(answer.job)
    assert reached(one) == reached(other) == {address_of(client, one), address_of(client, other)}


def test_a_leave_killed_after_its_step_is_finished(gateway: GatewayProcess, networks: list[str]) -> None:
    members = [{"href": network} for network in networks]
    group = gateway.client().added("forwardingGroups", {"forwardingGroupTemplate": {"networks": members}})
    entry = gateway.client().get(f"{group['id']}/networks")["forwardingGroupNetworks"][0]["id"]
    killed_after(gateway, "delete", "leave group")
    answer = asked(gateway, "DELETE", entry)
    client = restarted(gateway)
    client.succeed(answer.job)
    for network in networks:
        assert reached(network) == {address_of(client, network)}
    assert client.get(f"{group['id']}/networks")["count"] == 1


def test_a_member_network_deleted_with_a_kill_after_leaving_its_group_is_gone_everywhere(
    gateway: GatewayProcess, networks: list[str]
) -> None:
    one, other = networks[0], str(gateway.client().added("networks", network_create())["id"])
    members = [{"href": network} for network in (one, other)]
    gateway.client().added("forwardingGroups", {"forwardingGroupTemplate": {"networks": members}})
    killed_after(gateway, "delete", "leave group")
    answer = asked(gateway, "DELETE", other)
    client = restarted(gateway)
    client.succeed(answer.job)
    assert reached(one) == {address_of(client, one)}
    assert hypervisor.traces_of_network(uuid_of(other)) == []

"""Real guests on two networks: which addresses they get, and that only a group lets them reach each other."""

from __future__ import annotations

import re
from functools import partial

import pytest

from tests import hypervisor
from tests.cimi_client import CimiClient, wait_until
from tests.gateway_process import GatewayProcess
from tests.guests import machine_create
from tests.system.networks import address, interfaces, libvirt_name, network_create, reaches, shell, told, wait_answers

pytestmark = pytest.mark.qemu


@pytest.fixture(scope="module")
def networks(admin: CimiClient) -> tuple[str, str]:
    """URLs of two PRIVATE networks."""
    one, other = (str(admin.added("networks", network_create())["id"]) for _ in range(2))
    return one, other


@pytest.fixture(scope="module")
def reserved(admin: CimiClient, networks: tuple[str, str]) -> str:
    """URL of an Address of the first network, with a name."""
    template = {"network": {"href": networks[0]}, "hostname": "db"}
    return str(admin.added("addresses", {"addressTemplate": template})["id"])


@pytest.fixture(scope="module")
def guests(admin: CimiClient, image: str, networks: tuple[str, str], reserved: str) -> tuple[str, str]:
    """URLs of a running guest on each network: its address by reference, and two by value."""
    addresses = [{"href": reserved}], [{"ip": host(admin, networks[1], 77)}, {"ip": host6(admin, networks[1], "77")}]
    asked = [{"network": {"href": url}, "addresses": given} for url, given in zip(networks, addresses, strict=True)]
    created = [admin.add("machines", machine_create(image, networkInterfaces=[one])) for one in asked]
    for answer in created:
        admin.succeed(answer.job)
        wait_answers(answer.headers["location"])
    one, other = (answer.headers["location"] for answer in created)
    return one, other


@pytest.fixture(scope="module")
def outsider(admin: CimiClient, image: str) -> str:
    """URL of a running guest on the host's own network."""
    machine = str(admin.added("machines", machine_create(image))["id"])
    wait_answers(machine)
    address(admin, interfaces(admin, machine)[0])
    return machine


def host(client: CimiClient, network: str, number: int) -> str:
    return str(client.get(network)["cidr"]).replace(".0/24", f".{number}")


def host6(client: CimiClient, network: str, number: str) -> str:
    return str(client.get(network)["cidr6"]).replace("/64", number)


def ip_of(client: CimiClient, machine: str) -> str:
    """The IPv4 address, once the guest has it."""
    ip = address(client, interfaces(client, machine)[0])
    wait_until(lambda: f"inet {ip}/" in shell(machine, "ip addr show eth0")[1], 60, f"the guest has {ip}")
    return ip


def ip6_of(client: CimiClient, machine: str, network: str) -> str:
    prefix = str(client.get(network)["cidr6"]).removesuffix("::/64")
    own = re.compile(rf"inet6 ({prefix}:\S+)/")
    found = wait_until(lambda: own.search(shell(machine, "ip addr show eth0")[1]), 60, "an IPv6 address")
    assert found is not None
    return found.group(1)


def ways(client: CimiClient, guests: tuple[str, str], networks: tuple[str, str]) -> list[tuple[str, str]]:
    """A guest and the other's address: from each side, by IPv4 and by IPv6."""
    one, other = guests
    return [
        (one, ip_of(client, other)),
        (other, ip_of(client, one)),
        (one, ip6_of(client, other, networks[1])),
        (other, ip6_of(client, one, networks[0])),
    ]


def assert_joined(client: CimiClient, guests: tuple[str, str], networks: tuple[str, str]) -> None:
    for way in ways(client, guests, networks):
        wait_until(partial(reaches, *way), 30, "{} reaches {}".format(*way))


def assert_apart(client: CimiClient, guests: tuple[str, str], networks: tuple[str, str]) -> None:
    assert [ip for machine, ip in ways(client, guests, networks) if reaches(machine, ip)] == []


def form(client: CimiClient, networks: tuple[str, str]) -> str:
    members = [{"href": url} for url in networks]
    return str(client.added("forwardingGroups", {"forwardingGroupTemplate": {"networks": members}})["id"])


def test_an_address_reserved_for_a_machine_is_the_one_its_guest_gets(
    admin: CimiClient, guests: tuple[str, str], networks: tuple[str, str], reserved: str
) -> None:
    assert ip_of(admin, guests[0]) == admin.get(reserved)["ip"]
    assert ip_of(admin, guests[1]) == host(admin, networks[1], 77)


def test_an_ipv6_address_reserved_for_a_machine_is_the_one_its_guest_sets(
    admin: CimiClient, guests: tuple[str, str], networks: tuple[str, str]
) -> None:
    own = host6(admin, networks[1], "77")
    wait_until(lambda: f"inet6 {own}/64" in shell(guests[1], "ip addr show eth0")[1], 30, f"the guest has {own}")
    wait_until(lambda: answered(guests[1], own, host6(admin, networks[1], "1")), 30, "it is answered")


def answered(machine: str, source: str, target: str) -> bool:
    """Whether the target answers the guest's packets from this source."""
    return shell(machine, f"ping -c 1 -W 2 -I {source} {target}")[0] == 0


def test_a_guest_with_a_reserved_address_cannot_use_another_of_its_network(
    admin: CimiClient, guests: tuple[str, str], networks: tuple[str, str]
) -> None:
    gateway, own, other = (host(admin, networks[1], number) for number in (1, 77, 78))
    assert ip_of(admin, guests[1]) == own
    shell(guests[1], f"ip addr add {other}/24 dev eth0")
    assert answered(guests[1], own, gateway)
    assert not answered(guests[1], other, gateway)
    shell(guests[1], f"ip addr del {other}/24 dev eth0")


def test_a_guest_with_a_reserved_ipv6_address_cannot_use_another_but_its_macs_own(
    admin: CimiClient, guests: tuple[str, str], networks: tuple[str, str]
) -> None:
    gateway, own, other = (host6(admin, networks[1], number) for number in ("1", "77", "78"))
    shell(guests[1], f"ip -6 addr add {other}/64 dev eth0")
    wait_until(lambda: answered(guests[1], own, gateway), 30, "its reserved address is answered")
    made = ip6_made(admin, guests[1], networks[1])
    wait_until(lambda: answered(guests[1], made, gateway), 30, "the address that its MAC makes is answered")
    assert not answered(guests[1], other, gateway)
    shell(guests[1], f"ip -6 addr del {other}/64 dev eth0")


def ip6_made(client: CimiClient, machine: str, network: str) -> str:
    """The address that the guest has made of its MAC."""
    prefix = str(client.get(network)["cidr6"]).removesuffix("::/64")
    own = re.compile(rf"inet6 ({prefix}:\S+ff:fe\S+)/")
    found = wait_until(lambda: own.search(shell(machine, "ip addr show eth0")[1]), 60, "an IPv6 address")
    assert found is not None
    return found.group(1)


def test_the_name_of_an_address_is_known_to_the_networks_dns(
    admin: CimiClient, guests: tuple[str, str], networks: tuple[str, str], reserved: str
) -> None:
    answer = shell(guests[0], f"nslookup db {host(admin, networks[0], 1)}")[1]
    assert admin.get(reserved)["ip"] in answer


def test_guests_of_two_networks_do_not_reach_each_other(
    admin: CimiClient, guests: tuple[str, str], networks: tuple[str, str]
) -> None:
    assert_apart(admin, guests, networks)


def test_guests_reach_each_other_only_while_a_group_joins_their_networks(
    admin: CimiClient, guests: tuple[str, str], networks: tuple[str, str], outsider: str
) -> None:
    group = form(admin, networks)
    assert_joined(admin, guests, networks)
    assert not reaches(outsider, ip_of(admin, guests[0]))
    assert not reaches(guests[0], ip_of(admin, outsider))
    entry = admin.get(f"{group}/networks")["forwardingGroupNetworks"][1]
    admin.remove(entry["id"])
    assert_apart(admin, guests, networks)
    admin.remove(group)


def test_a_group_joins_its_networks_after_restarts_of_the_gateway_and_of_a_network(
    admin: CimiClient, gateway: GatewayProcess, guests: tuple[str, str], networks: tuple[str, str]
) -> None:
    group = form(admin, networks)
    gateway.stop()
    gateway.start()
    assert_joined(admin, guests, networks)
    with hypervisor.connection() as libvirt:
        network = libvirt.networkLookupByName(libvirt_name(networks[0]))
        network.destroy()
        admin.wait_state(networks[0], "STOPPED")
        network.create()
    assert_joined(admin, guests, networks)
    admin.remove(group)
    assert_apart(admin, guests, networks)


def test_what_an_admin_takes_out_of_the_packet_filter_is_put_back(
    admin: CimiClient, guests: tuple[str, str], networks: tuple[str, str]
) -> None:
    """Opened by hand, closed again by the gateway, which says so in the Network's event log."""
    name = f"cimi-network-{networks[0].rpartition('/')[2]}"
    with hypervisor.connection() as libvirt:
        found = libvirt.nwfilterLookupByName(name)
        libvirt.nwfilterDefineXML(f"<filter name='{name}' chain='root'><uuid>{found.UUIDString()}</uuid></filter>")
        wait_until(lambda: "<rule" in libvirt.nwfilterLookupByName(name).XMLDesc(0), 60, "the rules are back")
    wait_until(lambda: "packet filter put right" in told(admin, networks[0]), 60, "the gateway tells of it")
    assert_apart(admin, guests, networks)

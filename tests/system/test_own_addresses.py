"""Two tenants' guests on a network of the host's own: neither can take the other's address, of either protocol.

The victim's addresses are also given to the thief, which shouts and answers as loudly as its kernel can.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import libvirt
import pytest

from tests import hypervisor
from tests.cimi_client import CimiClient, wait_until
from tests.gateway_process import GatewayProcess
from tests.guests import machine_create
from tests.system.host_network import HostNetwork, gateway_on, host_network, sources_of
from tests.system.networks import address, interfaces, shell, wait_answers

pytestmark = pytest.mark.qemu


@pytest.fixture(scope="module")
def host_net() -> Iterator[HostNetwork]:
    with host_network() as made:
        yield made


@pytest.fixture(scope="module")
def gateway(
    pool: str, images: Path, host_net: HostNetwork, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayProcess]:
    with gateway_on(host_net, pool, images, tmp_path_factory.mktemp("gateway")) as process:
        yield process


@dataclass(frozen=True)
class Guest:
    """A tenant's running Machine on the host's network, by its URL."""

    url: str
    mac: str
    ip: str
    global6: str
    local6: str

    def sh(self, command: str) -> str:
        return shell(self.url, command)[1]


def started(client: CimiClient, image: str) -> Guest:
    url = str(client.added("machines", machine_create(image))["id"])
    wait_answers(url)
    [interface] = interfaces(client, url)
    ip = address(client, interface)

    def six(scope: str) -> str:
        shown = shell(url, f"ip -6 addr show dev eth0 scope {scope}")[1]
        found = re.search(r"inet6 (\S+)/64", shown)
        return found.group(1) if found and "tentative" not in shown else ""

    global6, local6 = (wait_until(partial(six, scope), 60, scope) for scope in ("global", "link"))
    return Guest(url, interface["macAddress"], ip, global6, local6)


@pytest.fixture(scope="module")
def victim(gateway: GatewayProcess, image: str) -> Guest:
    return started(gateway.client("operator"), image)


@pytest.fixture(scope="module")
def thief(gateway: GatewayProcess, image: str, victim: Guest) -> Guest:
    return started(gateway.client("other"), image)


@pytest.fixture(params=["ip", "global6", "local6"])
def stolen(request: pytest.FixtureRequest, host_net: HostNetwork, victim: Guest, thief: Guest) -> Iterator[str]:
    """An address of the victim's, which the thief has given itself and shouts about."""
    taken = str(getattr(victim, request.param))
    prefix = 32 if ":" not in taken else 128
    # A thief does not ask first whether the address is free, and tells all neighbours that it has it now.
    thief.sh("cd /proc/sys/net/ipv6/conf/eth0; echo 0 >accept_dad; echo 0 >dad_transmits; echo 1 >ndisc_notify; cd /")
    thief.sh(f"ip addr add {taken}/{prefix} dev eth0")
    if ":" not in taken:
        thief.sh(f"arping -c 3 -U -I eth0 {taken} & arping -c 3 -A -I eth0 {taken}; wait")
    shown = thief.sh(f"ip addr show dev eth0 | grep '{taken}/{prefix}'")
    assert taken in shown
    assert "tentative" not in shown
    assert "dadfailed" not in shown
    yield taken
    victim.sh("ip link set dev eth0 up")
    thief.sh(f"ip addr del {taken}/{prefix} dev eth0")


def test_each_guest_has_an_address_of_its_own_from_its_first_boot_on(
    host_net: HostNetwork, victim: Guest, thief: Guest
) -> None:
    entries = host_net.entries()
    assert entries[victim.mac] == victim.ip
    assert entries[thief.mac] == thief.ip
    assert victim.ip != thief.ip


def test_guests_are_reached_at_their_addresses_of_both_protocols(
    host_net: HostNetwork, victim: Guest, thief: Guest
) -> None:
    for guest in (victim, thief):
        for ip in (guest.ip, guest.global6, guest.local6):
            assert host_net.answers(ip), ip
            assert host_net.neighbour(ip) == guest.mac


def test_guests_reach_each_other(victim: Guest, thief: Guest) -> None:
    for ip in (victim.ip, victim.global6, f"{victim.local6}%eth0"):
        assert " 0% packet loss" in thief.sh(f"ping -c 2 -W 5 {ip}"), ip


def test_what_is_sent_to_an_address_that_a_neighbour_took_reaches_its_holder(
    host_net: HostNetwork, victim: Guest, stolen: str
) -> None:
    for _ in range(3):
        assert host_net.answers(stolen)
        assert host_net.neighbour(stolen) == victim.mac


def test_a_thief_cannot_answer_though_the_holder_is_silent(host_net: HostNetwork, victim: Guest, stolen: str) -> None:
    victim.sh("ip link set dev eth0 down")
    assert not host_net.answers(stolen)
    assert host_net.neighbour(stolen) == ""


def test_a_thief_cannot_send_from_the_address_that_it_took(host_net: HostNetwork, thief: Guest, stolen: str) -> None:
    if stolen.startswith("fe80"):
        # The one link-local address that it has is the one that it sends from.
        own = f"{thief.local6}/64 dev eth0"
        route = "ip -6 route add fe80::/64 dev eth0"
        said = thief.sh(f"ip addr del {own}; {route}; ping -c 2 -W 2 {host_net.local6}%eth0; ip addr add {own}")
    else:
        host = f"{host_net.range6}::1" if ":" in stolen else f"{host_net.range4}.1"
        said = thief.sh(f"ping -c 2 -W 2 -I {stolen} {host}")
    assert "2 packets transmitted" in said
    assert "100% packet loss" in said


def test_an_interface_that_is_plugged_in_has_an_address_of_its_own_and_gives_it_back(
    gateway: GatewayProcess, host_net: HostNetwork, victim: Guest
) -> None:
    client = gateway.client("operator")
    collection = client.get(victim.url)["networkInterfaces"]["href"]
    made = client.request("POST", collection, {"network": {"href": network_of(client, host_net)}})
    assert made.status in (201, 202), made.body
    client.succeed(made.job)
    added = client.get(made.headers["location"])
    assert address(client, added) == host_net.entries()[added["macAddress"]]
    client.remove(added["id"])
    assert added["macAddress"] not in host_net.entries()


def network_of(client: CimiClient, host_net: HostNetwork) -> str:
    listed = client.get("networks").get("networks", [])
    return next(str(entry["id"]) for entry in listed if entry["name"] == host_net.name)


def test_a_deleted_machine_gives_its_address_back(gateway: GatewayProcess, host_net: HostNetwork, image: str) -> None:
    client = gateway.client("operator")
    url = str(client.added("machines", machine_create(image, "STOPPED"))["id"])
    mac = interfaces(client, url)[0]["macAddress"]
    assert mac in host_net.entries()
    client.remove(url)
    assert mac not in host_net.entries()


def test_an_entry_that_an_admin_named_is_used_and_stays(
    gateway: GatewayProcess, host_net: HostNetwork, image: str
) -> None:
    mac, ip = "52:54:00:0a:0b:0c", f"{host_net.range4}.200"
    with hypervisor.connection() as host:
        flags = libvirt.VIR_NETWORK_UPDATE_AFFECT_LIVE | libvirt.VIR_NETWORK_UPDATE_AFFECT_CONFIG
        entry = f"<host mac='{mac}' name='web' ip='{ip}'/>"
        section = libvirt.VIR_NETWORK_SECTION_IP_DHCP_HOST
        host.networkLookupByName(host_net.name).update(
            libvirt.VIR_NETWORK_UPDATE_COMMAND_ADD_LAST, section, -1, entry, flags
        )
        client = gateway.client("operator")
        template = {"networkInterfaces": [{"macAddress": mac}]}
        url = str(client.added("machines", machine_create(image, "STOPPED", **template))["id"])
        assert sources_of(url) == [ip]
        client.remove(url)
        assert entry in host.networkLookupByName(host_net.name).XMLDesc(0)


def test_a_guest_of_an_older_gateway_is_held_to_the_address_that_it_has(
    gateway: GatewayProcess, host_net: HostNetwork, thief: Guest
) -> None:
    """As those gateways made it: with the network's whole range, and no entry of its own."""
    loosen(thief, host_net)
    gateway.kill()
    gateway.start()
    wait_until(lambda: filters_of(thief.url) == {"cimi-guard-own"}, 60, "the guest is held")
    assert host_net.entries()[thief.mac] == thief.ip
    assert host_net.answers(thief.ip)


def loosen(guest: Guest, host_net: HostNetwork) -> None:
    with hypervisor.connection() as host:
        domain, net = hypervisor.domain_of(guest.url, host), host.networkLookupByName(host_net.name)
        flags = libvirt.VIR_NETWORK_UPDATE_AFFECT_LIVE | libvirt.VIR_NETWORK_UPDATE_AFFECT_CONFIG
        entry = f"<host mac='{guest.mac}' ip='{guest.ip}'/>"
        section = libvirt.VIR_NETWORK_SECTION_IP_DHCP_HOST
        net.update(libvirt.VIR_NETWORK_UPDATE_COMMAND_DELETE, section, -1, entry, flags)
        for flag, scope in (
            (0, libvirt.VIR_DOMAIN_AFFECT_LIVE),
            (libvirt.VIR_DOMAIN_XML_INACTIVE, libvirt.VIR_DOMAIN_AFFECT_CONFIG),
        ):
            interface = ElementTree.fromstring(domain.XMLDesc(flag)).find("devices/interface")
            assert interface is not None
            reference = interface.find("filterref")
            assert reference is not None
            reference.set("filter", "cimi-guard-host")
            for parameter in list(reference):
                wide = {"SOURCE": f"{host_net.range4}.0", "SOURCEMASK": "24"}
                parameter.set("value", wide.get(str(parameter.get("name")), str(parameter.get("value"))))
                if parameter.get("name") == "SOURCE6":
                    reference.remove(parameter)
            domain.updateDeviceFlags(ElementTree.tostring(interface, encoding="unicode"), scope)


def filters_of(url: str) -> set[str]:
    """The filters of the guest as it runs and at its next boot."""
    found = set()
    with hypervisor.connection() as host:
        for flag in (0, libvirt.VIR_DOMAIN_XML_INACTIVE):
            root = ElementTree.fromstring(hypervisor.domain_of(url, host).XMLDesc(flag))
            found |= {str(entry.get("filter")) for entry in root.iterfind(".//filterref")}
    return found


def test_guests_keep_their_addresses_over_a_new_start_of_the_gateway(
    gateway: GatewayProcess, host_net: HostNetwork, victim: Guest
) -> None:
    before = host_net.entries()
    gateway.kill()
    gateway.start()
    gateway.client("operator").get(victim.url)
    assert host_net.entries() == before
    assert host_net.answers(victim.ip)

"""Guests keep their networks, or get them back, when the gateway or libvirtd was away; and what joins these, too."""

from __future__ import annotations

import re
import time
from functools import partial
from pathlib import Path

import pytest

from demo.guest_shell import GuestShellError, run_in_guest
from tests import hypervisor
from tests.cimi_client import wait_until
from tests.fault.libvirtd import start_libvirtd, stop_libvirtd
from tests.gateway_process import GatewayProcess
from tests.guests import machine_create
from tests.system.networks import libvirt_name, network_create, reaches
from tests.urls import uuid_of

pytestmark = pytest.mark.qemu


@pytest.fixture(scope="module")
def gateway(shared: GatewayProcess) -> GatewayProcess:
    """The module's gateway: each test leaves it alive."""
    return shared


@pytest.fixture(scope="module")
def network(gateway: GatewayProcess) -> str:
    return str(gateway.client().added("networks", network_create())["id"])


@pytest.fixture(scope="module")
def image(gateway: GatewayProcess, images: Path) -> str:
    return str(gateway.client().added("machineImages", {"imageLocation": f"file://{images / 'guest.qcow2'}"})["id"])


def guest_on(gateway: GatewayProcess, network: str, image: str) -> str:
    """URL of a running guest on the network, which reaches the host's end of it."""
    asked = [{"network": {"href": network}}]
    machine = str(gateway.client().added("machines", machine_create(image, networkInterfaces=asked))["id"])
    reaches_the_host(gateway, network, machine)
    return machine


@pytest.fixture(scope="module")
def guest(gateway: GatewayProcess, network: str, image: str) -> str:
    return guest_on(gateway, network, image)


def reaches_the_host(gateway: GatewayProcess, network: str, machine: str) -> None:
    """Wait until the guest does."""
    host = gateway.client().get(network)["cidr"].replace(".0/24", ".1")

    def answered() -> bool:
        try:
            return run_in_guest(uuid_of(machine), f"ping -c 1 -W 1 {host}", 10)[0] == 0
        except GuestShellError:
            return False

    wait_until(answered, 120, "the guest reaches the host")


def test_a_network_that_an_admin_removed_while_the_gateway_was_down_is_back_with_its_guests(
    gateway: GatewayProcess, network: str, guest: str
) -> None:
    gateway.kill()
    with hypervisor.connection() as host:
        net = host.networkLookupByName(libvirt_name(network))
        net.destroy()
        net.undefine()
    gateway.start()
    gateway.client().wait_state(network, "STARTED")
    reaches_the_host(gateway, network, guest)


def test_a_guest_goes_on_using_its_network_while_the_gateway_is_down(
    gateway: GatewayProcess, network: str, guest: str
) -> None:
    host = gateway.client().get(network)["cidr"].replace(".0/24", ".1")
    gateway.kill()
    assert run_in_guest(uuid_of(guest), f"ping -c 1 -W 5 {host}", 30)[0] == 0
    gateway.start()


@pytest.mark.exclusive
def test_a_guest_keeps_its_network_over_a_restart_of_libvirtd(
    gateway: GatewayProcess, network: str, guest: str
) -> None:
    stop_libvirtd()
    start_libvirtd()
    wait_until(lambda: gateway.client().request("GET", "networks").status == 200, 30, "the gateway answers")
    reaches_the_host(gateway, network, guest)
    assert gateway.client().get(network)["state"] == "STARTED"
    added = gateway.client().added("networks", network_create())
    gateway.client().remove(added["id"])


def own_address(machine: str) -> str:
    """The IPv4 address that the guest has."""
    found = re.search(r"inet (\S+)/", run_in_guest(uuid_of(machine), "ip -4 addr show eth0")[1])
    assert found is not None
    return found.group(1)


def connected(gateway: GatewayProcess) -> bool:
    return gateway.client().request("GET", f"http://127.0.0.1:{gateway.port}/health/ready").status == 200


@pytest.mark.exclusive
def test_guests_of_a_group_reach_each_other_and_nobody_else_over_a_restart_of_libvirtd(
    gateway: GatewayProcess, network: str, guest: str, image: str
) -> None:
    client = gateway.client()
    joined, apart = (str(client.added("networks", network_create())["id"]) for _ in range(2))
    neighbour = guest_on(gateway, joined, image)
    ways = (guest, own_address(neighbour)), (neighbour, own_address(guest))
    stranger = client.get(apart)["cidr"].replace(".0/24", ".1")
    members = [{"href": network}, {"href": joined}]
    group = client.added("forwardingGroups", {"forwardingGroupTemplate": {"networks": members}})["id"]
    for way in ways:
        wait_until(partial(reaches, *way), 60, "{} reaches {}".format(*way))
    run_in_guest(uuid_of(guest), f"ping -c 100 -i 0.2 {ways[0][1]} >/tmp/pings 2>&1 & echo $! >/tmp/pinging")
    stop_libvirtd()
    time.sleep(2)  # While libvirtd is away the pings go on.
    start_libvirtd()
    wait_until(partial(connected, gateway), 60, "the gateway is connected again")
    run_in_guest(uuid_of(guest), "kill -INT $(cat /tmp/pinging); wait")
    lost = re.search(r"(\d+)% packet loss", run_in_guest(uuid_of(guest), "sleep 1; cat /tmp/pings")[1])
    assert lost is not None
    assert int(lost.group(1)) < 20
    for way in ways:
        wait_until(partial(reaches, *way), 60, "{} reaches {}".format(*way))
    assert not reaches(guest, stranger, 2)
    client.remove(group)
    assert [reaches(*way, 2) for way in ways] == [False, False]

"""The gateway is killed with SIGKILL after every step of what is done to networks, ports and interfaces.

Each time the job ends definite after a restart, and nothing half-made is left in libvirt, in dnsmasq's files, in the
packet filter, or in the store.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import libvirt
import pytest

from gateway.orchestration.networks.group_steps import LeaveGroup
from gateway.orchestration.networks.steps import (
    DefineNetwork,
    DeleteFilter,
    DeleteNetwork,
    FilterNetwork,
    StartNetwork,
)
from tests import hypervisor
from tests.cimi_client import CimiClient
from tests.fault.crashes import killed_after, restarted
from tests.gateway_process import GatewayProcess
from tests.guests import machine_create
from tests.urls import uuid_of

pytestmark = pytest.mark.qemu
NETWORK = {"networkTemplate": {"networkConfig": {"networkType": "PRIVATE"}}}
ASYNC = {"Prefer": "respond-async"}
CREATE_STEPS = [step.name for step in (FilterNetwork, DefineNetwork, StartNetwork)]
DELETE_STEPS = [step.name for step in (LeaveGroup, DeleteNetwork, DeleteFilter)]


@pytest.fixture(scope="module")
def process(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """One gateway for all tests: each leaves it alive, and itself nothing."""
    pool = f"cimi-fault-{os.getpid()}-{uuid.uuid4().hex[:6]}"
    hypervisor.quiet()
    hypervisor.make_pool(pool)
    process = GatewayProcess(tmp_path_factory.mktemp("gateway"), pool, images)
    process.prepare()
    yield process
    process.clear()
    hypervisor.drop_pool(pool)


@pytest.fixture
def gateway(process: GatewayProcess) -> GatewayProcess:
    if process.process is None:
        process.start()
    return process


@pytest.fixture(scope="module")
def image(process: GatewayProcess, images: Path) -> str:
    if process.process is None:
        process.start()
    client = process.client()
    return str(client.added("machineImages", {"imageLocation": f"file://{images / 'guest.qcow2'}"})["id"])


@pytest.fixture
def machine(gateway: GatewayProcess, image: str) -> Iterator[str]:
    """URL of a stopped Machine with one interface."""
    url = str(gateway.client().added("machines", machine_create(image, "STOPPED"))["id"])
    yield url
    gateway.client().remove(url)


@pytest.mark.parametrize("step", CREATE_STEPS)
def test_a_network_whose_create_is_killed_after_a_step_is_whole_or_gone(gateway: GatewayProcess, step: str) -> None:
    answer = killed_after(gateway, "add", step).request("POST", "networks", NETWORK, headers=ASYNC)
    assert answer.status == 202, answer.body
    url, client = answer.headers["location"], restarted(gateway)
    job = client.finish(answer.job)
    if job["state"] == "SUCCESS":
        assert client.get(url)["state"] == "STARTED"
        client.remove(url)
    assert client.request("GET", url).status == 404
    assert hypervisor.traces_of_network(uuid_of(url)) == []


@pytest.mark.parametrize("step", DELETE_STEPS)
def test_a_network_whose_delete_is_killed_after_a_step_is_gone_after_the_restart(
    gateway: GatewayProcess, step: str
) -> None:
    url = str(gateway.client().added("networks", NETWORK)["id"])
    answer = killed_after(gateway, "delete", step).request("DELETE", url, headers=ASYNC)
    assert answer.status == 202, answer.body
    client = restarted(gateway)
    client.succeed(answer.job)
    assert client.request("GET", url).status == 404
    assert hypervisor.traces_of_network(uuid_of(url)) == []


@pytest.mark.parametrize("action", ["stop", "start"])
def test_a_network_killed_while_it_is_switched_ends_as_was_asked(gateway: GatewayProcess, action: str) -> None:
    client = gateway.client()
    url = str(client.added("networks", NETWORK)["id"])
    if action == "start":
        client.acted(url, "stop")
    answer = killed_after(gateway, action, f"{action} network").act(url, action)
    client = restarted(gateway)
    client.succeed(answer.job)
    assert client.get(url)["state"] == ("STOPPED" if action == "stop" else "STARTED")
    client.remove(url)
    assert hypervisor.traces_of_network(uuid_of(url)) == []


def macs(machine: str) -> set[str]:
    """Of the domain's interfaces."""
    with hypervisor.connection() as host:
        xml = hypervisor.domain_of(machine, host).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    return {line.split("'")[1] for line in xml.splitlines() if "<mac address=" in line}


def shown_macs(client: CimiClient, machine: str) -> set[str]:
    listed = client.get(client.get(machine)["networkInterfaces"]["href"])
    return {entry["macAddress"] for entry in listed["machineNetworkInterfaces"]}


@pytest.mark.parametrize("step", ["plug interface", "settle interface"])
def test_an_interface_whose_add_is_killed_is_where_the_machine_shows_it(
    gateway: GatewayProcess, machine: str, step: str
) -> None:
    client = gateway.client()
    port = client.added("networkPorts", {"networkPortTemplate": {"network": default_network(client)}})["id"]
    collection = client.get(machine)["networkInterfaces"]["href"]
    killing = killed_after(gateway, "add", step)
    answer = killing.request("POST", collection, {"networkPort": {"href": port}}, headers=ASYNC)
    assert answer.status == 202, answer.body
    client = restarted(gateway)
    client.succeed(answer.job)
    assert macs(machine) == shown_macs(client, machine)
    assert len(macs(machine)) == 2
    assert client.get(port)["resource"]["href"] == answer.headers["location"]


@pytest.mark.parametrize("step", ["unplug interface", "settle interface"])
def test_an_interface_whose_delete_is_killed_is_gone_from_the_domain_and_from_the_machine(
    gateway: GatewayProcess, machine: str, step: str
) -> None:
    client = gateway.client()
    interface = client.get(client.get(machine)["networkInterfaces"]["href"])["machineNetworkInterfaces"][0]["id"]
    answer = killed_after(gateway, "delete", step).request("DELETE", interface, headers=ASYNC)
    assert answer.status == 202, answer.body
    client = restarted(gateway)
    client.succeed(answer.job)
    assert macs(machine) == set()
    assert client.request("GET", interface).status == 404


@pytest.mark.parametrize("step", ["apply port", "settle port"])
def test_a_port_whose_stop_is_killed_has_its_interfaces_link_down(
    gateway: GatewayProcess, machine: str, step: str
) -> None:
    client = gateway.client()
    port = client.added("networkPorts", {"networkPortTemplate": {"network": default_network(client)}})["id"]
    collection = client.get(machine)["networkInterfaces"]["href"]
    client.succeed(client.request("POST", collection, {"networkPort": {"href": port}}).job)
    answer = killed_after(gateway, "stop", step).act(port, "stop")
    client = restarted(gateway)
    client.succeed(answer.job)
    assert client.get(port)["state"] == "STOPPED"
    with hypervisor.connection() as host:
        xml = hypervisor.domain_of(machine, host).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    assert xml.count("<link state='down'/>") == 1


def default_network(client: CimiClient) -> dict[str, Any]:
    listed = client.get(client.entry("networks"))["networks"]
    return {"href": next(entry["id"] for entry in listed if entry["name"] == "default")}

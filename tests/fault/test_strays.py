"""What an interrupted libvirtd left in a running QEMU, and knows nothing of, does not stand in the way for long.

The strays are made by QEMU's own commands here, just as libvirt gives them; test_libvirtd_storage.py kills libvirtd.
"""

from __future__ import annotations

import json
import subprocess
from itertools import count
from pathlib import Path
from typing import Any

import libvirt
import libvirt_qemu
import pytest
from lxml import etree

from demo.guest_shell import run_in_guest
from tests import hypervisor
from tests.cimi_client import CimiClient, wait_until
from tests.gateway_process import GatewayProcess
from tests.guest_marks import mark, memory_mark
from tests.guests import machine_create, wait_ready
from tests.urls import uuid_of

pytestmark = pytest.mark.qemu


@pytest.fixture(scope="module")
def gateway(shared: GatewayProcess) -> GatewayProcess:
    """The module's gateway, whose guest gets strays."""
    return shared


@pytest.fixture(scope="module")
def client(gateway: GatewayProcess) -> CimiClient:
    return gateway.client()


@pytest.fixture(scope="module")
def guest(client: CimiClient, images: Path) -> str:
    image = client.added("machineImages", {"imageLocation": f"file://{images / 'guest.qcow2'}"})["id"]
    made = str(client.added("machines", machine_create(image))["id"])
    wait_ready(client, made)
    return made


def qemu(machine: str, command: str, **arguments: Any) -> Any:
    with hypervisor.connection() as host:
        domain = hypervisor.domain_of(machine, host)
        asked = {"execute": command, "arguments": arguments}
        answer = json.loads(libvirt_qemu.qemuMonitorCommand(domain, json.dumps(asked), 0))
    return answer.get("return")


def nodes(machine: str) -> set[str]:
    return {entry["node-name"] for entry in qemu(machine, "query-named-block-nodes")}


@pytest.fixture
def stray(guest: str) -> str:
    """A writable block node, of the name that libvirt gives the next one."""
    numbers = [int(name.split("-")[1]) for name in nodes(guest) if name.startswith("libvirt-") and name[8].isdigit()]
    name = f"libvirt-{max(numbers) + 1}-storage"
    qemu(guest, "blockdev-add", driver="null-co", size=1024**2, **{"node-name": name})
    assert name in nodes(guest)
    return name


def test_a_volume_is_connected_though_its_name_is_taken(client: CimiClient, guest: str, stray: str) -> None:
    template = {"volumeTemplate": {"volumeConfig": {"capacity": 8_000, "format": "qcow2"}}}
    volume = str(client.added("volumes", template)["id"])
    answer = client.request("POST", f"{guest}/volumes", {"volume": {"href": volume}})
    client.succeed(answer.job)
    serial = uuid_of(volume)[:20]
    seen = f"grep -q {serial} /sys/block/*/serial"
    wait_until(lambda: run_in_guest(uuid_of(guest), seen)[0] == 0, 30, "the guest sees the Volume")
    client.remove(answer.headers["location"])
    client.remove(volume)
    assert stray not in nodes(guest)


def test_a_snapshot_with_memory_is_taken_and_gone_back_to(client: CimiClient, guest: str, stray: str) -> None:
    mark(guest, "kept")
    taken = client.request("POST", f"{guest}/snapshot", {})
    client.succeed(taken.job)
    mark(guest, "changed")
    client.acted(guest, "restore", image={"href": taken.headers["location"]})
    assert memory_mark(guest) == "kept"
    client.remove(taken.headers["location"])


def test_a_restore_works_when_it_came_after_the_snapshot(
    client: CimiClient, guest: str, request: pytest.FixtureRequest
) -> None:
    mark(guest, "kept")
    taken = client.request("POST", f"{guest}/snapshot", {})
    client.succeed(taken.job)
    mark(guest, "changed")
    request.getfixturevalue("stray")
    client.acted(guest, "restore", image={"href": taken.headers["location"]})
    assert memory_mark(guest) == "kept"
    client.remove(taken.headers["location"])


def test_a_snapshot_that_is_deleted_is_gone_from_the_disk(
    client: CimiClient, gateway: GatewayProcess, guest: str, stray: str
) -> None:
    taken = client.request("POST", f"{guest}/snapshot", {"properties": {"disksOnly": "true"}})
    client.succeed(taken.job)
    client.remove(taken.headers["location"])
    disk = hypervisor.POOLS / gateway.pool / f"cimi-{uuid_of(guest)}-vda.qcow2"
    listed = subprocess.run(["qemu-img", "snapshot", "-l", "-U", disk], capture_output=True, text=True, check=True)
    assert listed.stdout == ""


def test_a_disk_that_the_guest_has_on_it_is_unplugged(client: CimiClient, guest: str, stray: str) -> None:
    plug(guest, stray)
    client.succeed(client.request("POST", f"{guest}/snapshot", {}).job)
    assert stray not in nodes(guest)
    assert not any(entry["qdev"].startswith("/machine/peripheral/stray") for entry in qemu(guest, "query-block"))
    client.remove(client.get(guest)["latestSnapshot"]["href"])


def plug(machine: str, node: str) -> None:
    """Into the first slot that is free."""
    with hypervisor.connection() as host:
        live = etree.fromstring(hypervisor.domain_of(machine, host).XMLDesc(libvirt.VIR_DOMAIN_XML_SECURE))
    ports = {int(port.attrib["index"]) for port in live.iterfind(".//controller[@model='pcie-root-port']")}
    taken = {int(address.attrib["bus"], 16) for address in live.iterfind(".//address[@type='pci']")}
    bus = next(number for number in count(1) if number in ports - taken)
    arguments = {"driver": "virtio-blk-pci", "id": "stray", "bus": f"pci.{bus}", "addr": "0x0", "drive": node}
    assert qemu(machine, "device_add", **arguments) == {}

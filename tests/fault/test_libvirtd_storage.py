"""The host's own libvirtd is killed while it plugs a Volume in or out, or takes a snapshot, and comes back.

The guest's QEMU is held meanwhile, so that libvirt is in the middle for certain. Then the job is definite, and what the
gateway shows, what libvirt knows, and what is in the disk's file are the same.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import libvirt
import pytest

from demo.guest_shell import run_in_guest
from tests import hypervisor
from tests.cimi_client import ACTION, Answer, CimiClient, wait_until
from tests.fault.libvirtd import daemon, running, start_libvirtd
from tests.fault.volumes import connected, disconnected
from tests.gateway_process import GatewayProcess
from tests.guest_marks import disk_mark, mark, memory_mark
from tests.guests import machine_create, wait_ready
from tests.held_guest import held
from tests.urls import uuid_of

pytestmark = [pytest.mark.qemu, pytest.mark.exclusive]
LATER = {"Prefer": "respond-async"}
PATIENCE = 240


@pytest.fixture(scope="module")
def gateway(shared: GatewayProcess) -> GatewayProcess:
    """The module's gateway, which outlives libvirtd."""
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


@pytest.fixture
def volume(client: CimiClient, guest: str) -> Iterator[str]:
    template = {"volumeTemplate": {"volumeConfig": {"capacity": 8_000, "format": "qcow2"}}}
    made = str(client.added("volumes", template)["id"])
    yield made
    for entry in client.get(f"{guest}/volumes").get("machineVolumes", []):
        client.remove(entry["id"])
    client.remove(made)


@contextmanager
def libvirtd_killed(machine: str) -> Iterator[None]:
    """What is asked in here reaches libvirt, and then QEMU does not answer; libvirtd dies, and starts again."""
    try:
        with held(machine):
            yield
            wait_until(lambda: occupied(machine), 60, "libvirt waits for QEMU")
            killed = daemon()
            os.kill(killed, signal.SIGKILL)
            wait_until(lambda: not running(killed), 20, "libvirtd is gone")
    finally:
        if not running(daemon()):
            start_libvirtd()


def occupied(machine: str) -> bool:
    """Whether a call of libvirt's on the domain, or a job of several, waits for QEMU."""
    with hypervisor.connection() as host:
        return bool(hypervisor.domain_of(machine, host).controlInfo()[0] != libvirt.VIR_DOMAIN_CONTROL_OK)


def ended(client: CimiClient, answer: Answer) -> str:
    assert answer.status == 202, answer.body
    return str(client.finish(answer.job, PATIENCE)["state"])


def test_an_attachment_is_whole_or_not_there_when_libvirtd_dies_in_its_middle(
    client: CimiClient, gateway: GatewayProcess, guest: str, volume: str
) -> None:
    with libvirtd_killed(guest):
        answer = client.request("POST", f"{guest}/volumes", {"volume": {"href": volume}}, headers=LATER)
    state = ended(client, answer)
    shown = client.request("GET", answer.headers["location"]).status
    if state == "SUCCESS":
        assert shown == 200
        assert connected(gateway, guest, volume)
        wait_until(lambda: in_sight(guest, volume), 30, "the guest sees the Volume")
    else:
        assert shown == 404
        assert disconnected(gateway, guest, volume)
        assert not in_sight(guest, volume)


def in_sight(machine: str, volume: str) -> bool:
    """Whether the guest has a disk with the Volume's serial number."""
    serial = uuid_of(volume)[:20]
    return run_in_guest(uuid_of(machine), f"grep -q {serial} /sys/block/*/serial 2>/dev/null")[0] == 0


def test_a_detachment_is_done_or_not_when_libvirtd_dies_in_its_middle(
    client: CimiClient, gateway: GatewayProcess, guest: str, volume: str
) -> None:
    added = client.request("POST", f"{guest}/volumes", {"volume": {"href": volume}})
    client.succeed(added.job)
    with libvirtd_killed(guest):
        answer = client.request("DELETE", added.headers["location"], headers=LATER)
    state = ended(client, answer)
    shown = client.request("GET", added.headers["location"]).status
    if state == "SUCCESS":
        assert shown == 404
        assert disconnected(gateway, guest, volume)
        assert not in_sight(guest, volume)
    else:
        assert shown == 200
        assert connected(gateway, guest, volume)


def in_disk(gateway: GatewayProcess, machine: str) -> list[str]:
    """Names of the snapshots that QEMU sees in the boot disk's file."""
    path = hypervisor.POOLS / gateway.pool / f"cimi-{uuid_of(machine)}-vda.qcow2"
    listed = subprocess.run(["qemu-img", "snapshot", "-l", "-U", path], capture_output=True, text=True, check=True)
    return [line.split()[1] for line in listed.stdout.splitlines()[2:]]


def in_libvirt(machine: str) -> list[str]:
    with hypervisor.connection() as host:
        return [str(name) for name in hypervisor.domain_of(machine, host).snapshotListNames()]


@pytest.mark.parametrize("properties", [{}, {"disksOnly": "true"}])
def test_a_snapshot_is_whole_or_not_there_when_libvirtd_dies_in_its_middle(
    client: CimiClient, gateway: GatewayProcess, guest: str, properties: dict[str, str]
) -> None:
    mark(guest, "kept")
    with libvirtd_killed(guest):
        answer = client.request("POST", f"{guest}/snapshot", {"properties": properties}, headers=LATER)
    state, image = ended(client, answer), answer.headers["location"]
    assert client.get(guest)["state"] == "STARTED"
    assert (memory_mark(guest), disk_mark(guest)) == ("kept", "kept")
    expected = [uuid_of(image)] if state == "SUCCESS" else []
    assert client.request("GET", image).status == (200 if expected else 404)
    assert in_libvirt(guest) == expected
    assert in_disk(gateway, guest) == expected
    if expected:
        client.remove(image)
    assert in_disk(gateway, guest) == []


def test_a_snapshot_whose_deletion_is_asked_is_gone_everywhere_or_nowhere_when_libvirtd_dies_in_its_middle(
    client: CimiClient, gateway: GatewayProcess, guest: str
) -> None:
    taken = client.request("POST", f"{guest}/snapshot", {})
    client.succeed(taken.job)
    image = taken.headers["location"]
    with libvirtd_killed(guest):
        answer = client.request("DELETE", image, headers=LATER)
    gone = ended(client, answer) == "SUCCESS"
    expected = [] if gone else [uuid_of(image)]
    assert client.request("GET", image).status == (404 if gone else 200)
    assert in_libvirt(guest) == in_disk(gateway, guest) == expected
    if not gone:
        client.remove(image)


def test_a_restore_brings_everything_back_or_fails_when_libvirtd_dies_in_its_middle(
    client: CimiClient, gateway: GatewayProcess, guest: str
) -> None:
    mark(guest, "kept")
    taken = client.request("POST", f"{guest}/snapshot", {})
    client.succeed(taken.job)
    image = taken.headers["location"]
    mark(guest, "changed")
    document = {"action": ACTION + "restore", "image": {"href": image}}
    with libvirtd_killed(guest):
        answer = client.request("POST", f"{guest}/restore", document, headers=LATER)
    if ended(client, answer) != "SUCCESS":
        client.acted(guest, "restore", image={"href": image})
    assert client.get(guest)["state"] == "STARTED"
    assert (memory_mark(guest), disk_mark(guest)) == ("kept", "kept")
    client.remove(image)

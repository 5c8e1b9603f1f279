"""The gateway is killed with SIGKILL after every step of volume create, attach and detach, and started again.

Each time the job ends definite, nothing half-made is left, and the bytes of what existed before are as they were.
"""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import hypervisor
from tests.cimi_client import Answer
from tests.fault.test_machine_crash_matrix import killed_after
from tests.gateway_process import GatewayProcess
from tests.system.conftest import machine_create, wait_ready

pytestmark = pytest.mark.qemu
CAPACITY = 8_000
LATER = {"Prefer": "respond-async"}


@pytest.fixture(scope="module")
def pool() -> Iterator[str]:
    with hypervisor.own_pool() as name:
        yield name


@pytest.fixture(scope="module")
def running(pool: str, images: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """One gateway for all of them: each kills it, and finds it as the one before left it."""
    process = GatewayProcess(tmp_path_factory.mktemp("gateway"), pool, images)
    process.prepare()
    process.start()
    yield process
    process.clear()


@pytest.fixture
def gateway(running: GatewayProcess) -> Iterator[GatewayProcess]:
    """Without any Volume, before and after."""
    yield running
    running.revive()
    client = running.client()
    for volume in client.get("volumes").get("volumes", []):
        client.remove(volume["id"])
    assert volumes_in(running) == []


@pytest.fixture(scope="module")
def image(running: GatewayProcess, images: Path) -> str:
    document = {"imageLocation": f"file://{images / 'guest.qcow2'}"}
    return str(running.client().added("machineImages", document)["id"])


@pytest.fixture(scope="module")
def machine(running: GatewayProcess, image: str) -> str:
    """A running Machine whose guest has booted."""
    made = str(running.client().added("machines", machine_create(image))["id"])
    wait_ready(running.client(), made)
    return made


def create(**config: Any) -> dict[str, Any]:
    return {"volumeTemplate": {"volumeConfig": {"capacity": CAPACITY, "format": "raw", **config}}}


def volumes_in(gateway: GatewayProcess) -> list[str]:
    return [name for name in hypervisor.files_in(gateway.pool) if name.startswith("cimi-volume-")]


def fill(gateway: GatewayProcess, volume: str) -> str:
    """Write bytes into the Volume's file; their checksum."""
    path = file_of(gateway, volume)
    with path.open("r+b") as file:
        file.write(hashlib.sha256(volume.encode()).digest() * 4096)
    return checksum(gateway, volume)


def file_of(gateway: GatewayProcess, volume: str) -> Path:
    name = next(name for name in volumes_in(gateway) if volume.rpartition("/")[2] in name)
    return hypervisor.POOLS / gateway.pool / name


def checksum(gateway: GatewayProcess, volume: str) -> str:
    return hashlib.sha256(file_of(gateway, volume).read_bytes()).hexdigest()


def connected(gateway: GatewayProcess, machine: str, volume: str) -> bool:
    """As libvirt tells, both of the running guest and of its next boot."""
    with hypervisor.connection() as host:
        domain = hypervisor.domain_of(machine, host)
        name = file_of(gateway, volume).name
        return all(name in domain.XMLDesc(flags) for flags in (0, 2))


def disconnected(gateway: GatewayProcess, machine: str, volume: str) -> bool:
    with hypervisor.connection() as host:
        domain = hypervisor.domain_of(machine, host)
        name = file_of(gateway, volume).name
        return not any(name in domain.XMLDesc(flags) for flags in (0, 2))


def after_restart(gateway: GatewayProcess, answer: Answer) -> dict[str, Any]:
    """The job's end, once the killed gateway runs again."""
    assert answer.status == 202, answer.body
    gateway.wait_killed()
    gateway.start()
    return gateway.client().finish(answer.job)


@pytest.mark.parametrize("step", ["create volume", "settle volume"])
def test_a_volume_create_killed_after_a_step_is_finished(gateway: GatewayProcess, step: str) -> None:
    old = gateway.client().added("volumes", create())["id"]
    before = fill(gateway, old)
    killed_after(gateway, "add", step)
    answer = gateway.client().request("POST", "volumes", create(), headers=LATER)
    job = after_restart(gateway, answer)
    assert job["state"] == "SUCCESS"
    client = gateway.client()
    assert client.get(answer.headers["location"])["state"] == "AVAILABLE"
    assert len(volumes_in(gateway)) == 2
    client.remove(answer.headers["location"])
    assert checksum(gateway, old) == before


def recognised(path: Path) -> str:
    """The file system that the host's tools see in a raw Volume."""
    command = ["/usr/sbin/blkid", "-p", "-o", "value", "-s", "TYPE", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stdout.strip()


@pytest.mark.parametrize("step", ["reserve volume", "format volume", "settle volume"])
def test_a_volume_with_a_file_system_is_finished_with_it(gateway: GatewayProcess, step: str) -> None:
    killed_after(gateway, "add", step)
    document = {"volumeTemplate": {"volumeConfig": {"capacity": CAPACITY, "format": "ext4"}}}
    answer = gateway.client().request("POST", "volumes", document, headers=LATER)
    job = after_restart(gateway, answer)
    assert job["state"] == "SUCCESS"
    made = answer.headers["location"]
    assert gateway.client().get(made)["state"] == "AVAILABLE"
    assert len(volumes_in(gateway)) == 1
    raw = gateway.home / "raw"
    subprocess.run(["qemu-img", "convert", "-O", "raw", str(file_of(gateway, made)), str(raw)], check=True, timeout=60)
    assert recognised(raw) == "ext4"
    assert not any((gateway.home / "staging").glob("volumes-*"))
    gateway.client().remove(made)


@pytest.mark.parametrize("step", ["delete volume", "settle volume"])
def test_a_volume_delete_killed_after_a_step_is_finished(gateway: GatewayProcess, step: str) -> None:
    old, doomed = (gateway.client().added("volumes", create())["id"] for _ in range(2))
    before = fill(gateway, old)
    killed_after(gateway, "delete", step)
    job = after_restart(gateway, gateway.client().request("DELETE", doomed, headers=LATER))
    assert job["state"] == "SUCCESS"
    assert gateway.client().request("GET", doomed).status == 404
    assert [file_of(gateway, old).name] == volumes_in(gateway)
    assert checksum(gateway, old) == before


def test_a_growth_killed_in_the_middle_is_finished_and_keeps_the_bytes(gateway: GatewayProcess) -> None:
    volume = gateway.client().added("volumes", create())["id"]
    fill(gateway, volume)
    head = file_of(gateway, volume).read_bytes()
    killed_after(gateway, "edit", "grow volume")
    answer = gateway.client().request("PUT", f"{volume}?$select=capacity", {"capacity": 2 * CAPACITY}, headers=LATER)
    assert after_restart(gateway, answer)["state"] == "SUCCESS"
    assert gateway.client().get(volume)["capacity"] == 2 * CAPACITY
    grown = file_of(gateway, volume).read_bytes()
    assert len(grown) >= 2 * CAPACITY * 1000
    assert grown[: len(head)] == head


@pytest.mark.parametrize("step", ["attach volume", "settle attachment"])
def test_an_attachment_killed_after_a_step_is_finished(gateway: GatewayProcess, machine: str, step: str) -> None:
    volume = gateway.client().added("volumes", create())["id"]
    before = fill(gateway, volume)
    killed_after(gateway, "add", step)
    document = {"volume": {"href": volume}}
    answer = gateway.client().request("POST", f"{machine}/volumes", document, headers=LATER)
    assert after_restart(gateway, answer)["state"] == "SUCCESS"
    client = gateway.client()
    assert connected(gateway, machine, volume)
    assert client.request("DELETE", volume).status == 409
    client.remove(answer.headers["location"])
    assert disconnected(gateway, machine, volume)
    assert checksum(gateway, volume) == before


@pytest.mark.parametrize("step", ["detach volume", "settle attachment"])
def test_a_detachment_killed_after_a_step_is_finished(gateway: GatewayProcess, machine: str, step: str) -> None:
    client = gateway.client()
    volume = client.added("volumes", create())["id"]
    before = fill(gateway, volume)
    answer = client.request("POST", f"{machine}/volumes", {"volume": {"href": volume}})
    client.succeed(answer.job)
    attachment = answer.headers["location"]
    killed_after(gateway, "delete", step)
    assert after_restart(gateway, gateway.client().request("DELETE", attachment, headers=LATER))["state"] == "SUCCESS"
    client = gateway.client()
    assert client.request("GET", attachment).status == 404
    assert disconnected(gateway, machine, volume)
    assert checksum(gateway, volume) == before


@pytest.mark.parametrize("step", ["create disk", "attach disk", "settle disk"])
def test_a_disk_killed_after_a_step_is_there_once(gateway: GatewayProcess, machine: str, step: str) -> None:
    before = hypervisor.files_in(gateway.pool)
    killed_after(gateway, "add", step)
    answer = gateway.client().request("POST", f"{machine}/disks", {"capacity": CAPACITY}, headers=LATER)
    assert after_restart(gateway, answer)["state"] == "SUCCESS"
    client = gateway.client()
    assert client.get(f"{machine}/disks")["count"] == 2
    assert len(hypervisor.files_in(gateway.pool)) == len(before) + 1
    client.remove(answer.headers["location"])
    assert hypervisor.files_in(gateway.pool) == before


@pytest.mark.parametrize("step", ["grow disk", "settle grown disk"])
def test_a_disk_killed_while_it_grows_has_grown(gateway: GatewayProcess, machine: str, step: str) -> None:
    added = gateway.client().request("POST", f"{machine}/disks", {"capacity": CAPACITY})
    gateway.client().succeed(added.job)
    disk = added.headers["location"]
    killed_after(gateway, "edit", step)
    answer = gateway.client().request("PUT", disk, {"capacity": 2 * CAPACITY}, headers=LATER)
    assert after_restart(gateway, answer)["state"] == "SUCCESS"
    client = gateway.client()
    assert client.get(disk)["capacity"] == 2 * CAPACITY
    assert client.operation(client.get(disk), "edit") is not None
    with hypervisor.connection() as host:
        assert hypervisor.domain_of(machine, host).blockInfo("vdb")[0] >= 2 * CAPACITY * 1000
    client.remove(disk)


@pytest.mark.parametrize("step", ["create volume", "attach volume"])
def test_a_machine_create_killed_with_its_volumes_half_made_is_finished(
    gateway: GatewayProcess, image: str, step: str
) -> None:
    client = gateway.client()
    old = client.added("volumes", create())["id"]
    before = fill(gateway, old)
    killed_after(gateway, "add", step)
    template = {"volumes": [{"href": old}], "volumeTemplates": [create()["volumeTemplate"]]}
    document = machine_create(image, "STOPPED", **template)
    answer = gateway.client().request("POST", "machines", document, headers=LATER)
    assert after_restart(gateway, answer)["state"] == "SUCCESS"
    client = gateway.client()
    made = answer.headers["location"]
    assert client.get(f"{made}/volumes")["count"] == 2
    client.remove(made)
    assert len(volumes_in(gateway)) == 2
    assert checksum(gateway, old) == before

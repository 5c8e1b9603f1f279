"""The gateway is killed with SIGKILL after every step of snapshot, restore, capture and of a snapshot's deletion.

Each time the job ends definite after the restart, the guest's disk holds what it held, and nothing half-made is left
in libvirt, in the disk's file, in the pool, or in the store.
"""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import hypervisor
from tests.cimi_client import Answer
from tests.gateway_process import GatewayProcess
from tests.guest_marks import disk_mark, mark, memory_mark
from tests.guests import machine_create, wait_ready
from tests.urls import uuid_of

pytestmark = pytest.mark.qemu
ASYNC = {"Prefer": "respond-async"}


@pytest.fixture(scope="module")
def gateway(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """One gateway and one guest for all: what is killed is the gateway alone."""
    pool = f"cimi-fault-{os.getpid()}-{uuid.uuid4().hex[:6]}"
    hypervisor.quiet()
    hypervisor.make_pool(pool)
    process = GatewayProcess(tmp_path_factory.mktemp("gateway"), pool, images)
    process.prepare()
    process.start()
    yield process
    process.kill()
    hypervisor.remove_domains(pool)
    hypervisor.drop_pool(pool)


@pytest.fixture(scope="module")
def guest(gateway: GatewayProcess, images: Path) -> str:
    client = gateway.client()
    image = client.added("machineImages", {"imageLocation": f"file://{images / 'guest.qcow2'}"})
    made = client.added("machines", machine_create(str(image["id"])))["id"]
    wait_ready(client, made)
    return str(made)


@pytest.fixture
def machine(gateway: GatewayProcess, guest: str) -> Iterator[str]:
    """The guest, running and marked ``kept``; afterwards no snapshot is left of it."""
    mark(guest, "kept")
    yield guest
    client = gateway.client()
    while latest := client.get(guest).get("latestSnapshot"):
        client.remove(latest["href"])
    client.wait_state(guest, "STARTED")
    assert in_disk(gateway, guest) == in_libvirt(guest) == []


def in_disk(gateway: GatewayProcess, machine: str) -> list[str]:
    """Names of the snapshots that QEMU sees in the boot disk's file."""
    path = next((hypervisor.POOLS / gateway.pool).glob(f"cimi-{uuid_of(machine)}-vda*.qcow2"))
    listed = subprocess.run(["qemu-img", "snapshot", "-l", "-U", path], capture_output=True, text=True, check=True)
    return sorted(line.split()[1] for line in listed.stdout.splitlines()[2:])


def in_libvirt(machine: str) -> list[str]:
    with hypervisor.connection() as host:
        return sorted(hypervisor.domain_of(machine, host).snapshotListNames())


def in_store(gateway: GatewayProcess) -> list[str]:
    found = gateway.client().get("machineImages?$filter=type='SNAPSHOT'").get("machineImages", [])
    return sorted(uuid_of(image["id"]) for image in found if image["state"] == "AVAILABLE")


def images_in_pool(gateway: GatewayProcess) -> list[str]:
    names = [name for name in hypervisor.files_in(gateway.pool) if name.startswith("cimi-image-")]
    return sorted(name.removeprefix("cimi-image-").removesuffix(".qcow2") for name in names)


def images_in_store(gateway: GatewayProcess) -> list[str]:
    found = gateway.client().get("machineImages?$filter=type='IMAGE'")["machineImages"]
    return sorted(uuid_of(image["id"]) for image in found)


def killed_after(gateway: GatewayProcess, action: str, step: str, method: str, url: str, document: object) -> Answer:
    """Ask for it of a gateway that kills itself right after this step, and start it again."""
    gateway.crash_after(action, step)
    body = document if isinstance(document, dict) else None
    answer = gateway.client().request(method, url, body, headers=ASYNC)
    assert answer.status == 202, answer.body
    gateway.wait_killed()
    gateway.start()
    return answer


def taken(gateway: GatewayProcess, machine: str) -> str:
    answer = gateway.client().request("POST", f"{machine}/snapshot", {})
    gateway.client().succeed(answer.job)
    return answer.headers["location"]


@pytest.mark.parametrize("properties", [{}, {"disksOnly": "true"}])
@pytest.mark.parametrize("step", ["take snapshot", "settle snapshot"])
def test_a_snapshot_killed_after_a_step_is_whole_after_the_restart(
    gateway: GatewayProcess, machine: str, step: str, properties: dict[str, str]
) -> None:
    answer = killed_after(gateway, "snapshot", step, "POST", f"{machine}/snapshot", {"properties": properties})
    client = gateway.client()
    client.succeed(answer.job)
    image = answer.headers["location"]
    assert client.get(machine)["latestSnapshot"]["href"] == image
    assert in_store(gateway) == in_libvirt(machine) == in_disk(gateway, machine) == [uuid_of(image)]
    assert (memory_mark(machine), disk_mark(machine)) == ("kept", "kept")


@pytest.mark.parametrize("step", ["revert to snapshot", "describe domain", "settle restored"])
def test_a_restore_killed_after_a_step_is_finished_after_the_restart(
    gateway: GatewayProcess, machine: str, step: str
) -> None:
    image = taken(gateway, machine)
    mark(machine, "changed")
    document = {"image": {"href": image}}
    answer = killed_after(gateway, "restore", step, "POST", f"{machine}/restore", document)
    client = gateway.client()
    client.succeed(answer.job)
    assert client.get(machine)["state"] == "STARTED"
    assert (memory_mark(machine), disk_mark(machine)) == ("kept", "kept")


@pytest.mark.parametrize("step", ["drop snapshot", "settle dropped"])
def test_a_deletion_killed_after_a_step_is_finished_after_the_restart(
    gateway: GatewayProcess, machine: str, step: str
) -> None:
    first, second = taken(gateway, machine), taken(gateway, machine)
    answer = killed_after(gateway, "delete", step, "DELETE", first, None)
    gateway.client().succeed(answer.job)
    assert in_store(gateway) == in_libvirt(machine) == in_disk(gateway, machine) == [uuid_of(second)]
    assert "relatedImage" not in gateway.client().get(second)
    assert disk_mark(machine) == "kept"


@pytest.mark.parametrize("state", ["STARTED", "STOPPED"])
@pytest.mark.parametrize("step", ["copy boot disk", "settle captured"])
def test_a_capture_killed_after_a_step_is_whole_after_the_restart(
    gateway: GatewayProcess, machine: str, step: str, state: str
) -> None:
    client = gateway.client()
    if state == "STOPPED":
        client.acted(machine, "stop", force=True)
    answer = killed_after(gateway, "capture", step, "POST", f"{machine}/capture", {})
    client.succeed(answer.job)
    assert client.get(machine)["state"] == state
    assert images_in_store(gateway) == images_in_pool(gateway)
    path = hypervisor.POOLS / gateway.pool / f"cimi-image-{uuid_of(answer.headers['location'])}.qcow2"
    subprocess.run(["qemu-img", "check", "-U", path], check=True, capture_output=True)
    client.remove(answer.headers["location"])
    if state == "STOPPED":
        boots = 1 + client.request("GET", f"{machine}/console").body.count(b"READY")
        client.acted(machine, "start")
        wait_ready(client, machine, boots)
    assert disk_mark(machine) == "kept"


def test_a_gateway_killed_in_the_middle_of_a_snapshot_finishes_it_after_the_restart(
    gateway: GatewayProcess, machine: str
) -> None:
    answer = gateway.client().request("POST", f"{machine}/snapshot", {}, headers=ASYNC)
    gateway.kill()
    gateway.start()
    gateway.client().succeed(answer.job)
    assert in_store(gateway) == in_libvirt(machine) == in_disk(gateway, machine)
    assert (memory_mark(machine), disk_mark(machine)) == ("kept", "kept")


def test_a_gateway_killed_in_the_middle_of_a_live_capture_finishes_it_after_the_restart(
    gateway: GatewayProcess, machine: str
) -> None:
    answer = gateway.client().request("POST", f"{machine}/capture", {}, headers=ASYNC)
    gateway.kill()
    gateway.start()
    gateway.client().succeed(answer.job)
    assert images_in_store(gateway) == images_in_pool(gateway)
    gateway.client().remove(answer.headers["location"])


@pytest.mark.parametrize("step", ["power off", "new boot disk", "swap boot disk", "start domain", "drop old boot disk"])
def test_a_restore_from_an_image_killed_after_a_step_ends_with_one_whole_boot_disk(
    gateway: GatewayProcess, machine: str, step: str
) -> None:
    client = gateway.client()
    image = next(entry for entry in client.get("machineImages")["machineImages"] if entry["type"] == "IMAGE")
    document = {"image": {"href": image["id"]}}
    boots = 1 + client.request("GET", f"{machine}/console").body.count(b"READY")
    answer = killed_after(gateway, "restore", step, "POST", f"{machine}/restore", document)
    client.succeed(answer.job)
    wait_ready(client, machine, boots)
    assert disk_mark(machine) != "kept"
    own = [name for name in hypervisor.files_in(gateway.pool) if uuid_of(machine) in name]
    with hypervisor.connection() as host:
        described = hypervisor.domain_of(machine, host).XMLDesc(0)
    assert len(own) == 2
    assert all(name in described for name in own)


def test_deleting_a_machine_with_snapshots_killed_after_its_snapshots_leaves_nothing(
    gateway: GatewayProcess, guest: str
) -> None:
    client = gateway.client()
    image = next(entry for entry in client.get("machineImages")["machineImages"] if entry["type"] == "IMAGE")
    made = client.added("machines", machine_create(image["id"]))["id"]
    taken(gateway, made)
    answer = killed_after(gateway, "delete", "drop snapshots", "DELETE", made, None)
    gateway.client().succeed(answer.job)
    assert in_store(gateway) == []
    assert not [name for name in hypervisor.files_in(gateway.pool) if uuid_of(made) in name]

"""Snapshots and captures in trouble: stopped in the middle, QEMU killed, the pool full, two requests at once.

A guest's QEMU that is held (SIGSTOP) holds the hypervisor's call on it, so that what happens meanwhile is no luck.
"""

from __future__ import annotations

import os
import signal
import subprocess
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests import hypervisor
from tests.cimi_client import Answer, CimiClient, wait_until
from tests.fault.full_pool import full
from tests.gateway_process import GatewayProcess
from tests.guest_marks import disk_mark, mark, memory_mark
from tests.guests import machine_create, wait_ready
from tests.held_guest import bytes_written, held, run_a_slice
from tests.urls import uuid_of

pytestmark = pytest.mark.qemu
ASYNC = {"Prefer": "respond-async"}
MIB = 1024**2
POOL_MIB = 400
TRIES = 20
SOME_MEMORY = 2 * MIB
ONLY_LEAKS = 3
"""Exit code of ``qemu-img check`` for a file that is whole, with room in it that nobody uses."""


@pytest.fixture(scope="module")
def gateway(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """Its pool is a small file system of its own, which a test can fill."""
    pool = f"cimi-fault-{os.getpid()}-{uuid.uuid4().hex[:6]}"
    directory = hypervisor.POOLS / pool
    directory.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={POOL_MIB}m", "tmpfs", directory], check=True)
    hypervisor.quiet()
    hypervisor.make_pool(pool)
    process = GatewayProcess(tmp_path_factory.mktemp("gateway"), pool, images)
    process.prepare()
    process.start()
    yield process
    process.kill()
    hypervisor.remove_domains(pool)
    with hypervisor.connection() as host:
        host.storagePoolLookupByName(pool).destroy()
        host.storagePoolLookupByName(pool).undefine()
    subprocess.run(["umount", directory], check=True)
    directory.rmdir()


@pytest.fixture(scope="module")
def client(gateway: GatewayProcess) -> CimiClient:
    return gateway.client()


@pytest.fixture(scope="module")
def guest(client: CimiClient, images: Path) -> str:
    image = client.added("machineImages", {"imageLocation": f"file://{images / 'guest.qcow2'}"})
    made = client.added("machines", machine_create(str(image["id"])))["id"]
    wait_ready(client, made)
    return str(made)


@pytest.fixture
def machine(gateway: GatewayProcess, client: CimiClient, guest: str) -> Iterator[str]:
    """The guest, running and marked ``kept``; afterwards nothing is left of what a test began."""
    if client.get(guest)["state"] != "STARTED":
        boots = 1 + client.request("GET", f"{guest}/console").body.count(b"READY")
        client.acted(guest, "start")
        wait_ready(client, guest, boots)
    mark(guest, "kept")
    yield guest
    while latest := client.get(guest).get("latestSnapshot"):
        client.remove(latest["href"])
    with hypervisor.connection() as host:
        assert hypervisor.domain_of(guest, host).snapshotListNames() == []
    assert snapshots_in(disk_of(gateway, guest)) == b""
    assert images_of(client) == images_in_pool(gateway)


def disk_of(gateway: GatewayProcess, machine: str) -> Path:
    return hypervisor.POOLS / gateway.pool / f"cimi-{uuid_of(machine)}-vda.qcow2"


def snapshots_in(disk: Path) -> bytes:
    """Return the table of snapshots in the disk's file, in which QEMU enters one when all of it is written."""
    list_them: list[str | Path] = ["qemu-img", "snapshot", "-l", "-U", disk]
    return subprocess.run(list_them, capture_output=True, check=True).stdout


def images_in_pool(gateway: GatewayProcess) -> list[str]:
    return [name for name in hypervisor.files_in(gateway.pool) if name.startswith("cimi-image-")]


def images_of(client: CimiClient) -> list[str]:
    """Names of the files that the images in the store should have."""
    found = client.get("machineImages")["machineImages"]
    return sorted(f"cimi-image-{uuid_of(image['id'])}.qcow2" for image in found if image["type"] == "IMAGE")


def ask(client: CimiClient, machine: str, verb: str, **document: object) -> Answer:
    answer = client.request("POST", f"{machine}/{verb}", dict(document), headers=ASYNC)
    assert answer.status == 202, answer.body
    return answer


def test_a_snapshot_stopped_in_the_middle_is_undone(client: CimiClient, machine: str) -> None:
    with held(machine):
        answer = ask(client, machine, "snapshot")
        assert client.request("POST", f"{answer.job}/stop", {}).status == 202
    assert client.finish(answer.job)["state"] == "STOPPED"
    assert client.request("GET", answer.headers["location"]).status == 404
    assert client.get(machine)["state"] == "STARTED"
    assert (memory_mark(machine), disk_mark(machine)) == ("kept", "kept")


def killed_in_the_middle(client: CimiClient, machine: str, disk: Path) -> Answer:
    """Ask for a snapshot, and kill QEMU when it has written some of the memory and not all of it.

    QEMU runs in short slices, and is looked at while it stands still. A snapshot that one slice sufficed for is a try.
    """
    for _ in range(TRIES):
        with held(machine) as process:
            since = bytes_written(process)
            answer = ask(client, machine, "snapshot")
            wait_until(partial(wrote, process, since + SOME_MEMORY), 60, "memory is written")
            if snapshots_in(disk) == b"":
                os.kill(process, signal.SIGKILL)
                return answer
        client.succeed(answer.job)
        client.remove(answer.headers["location"])
    raise AssertionError("no snapshot was caught in its middle")


def wrote(process: int, total: int) -> bool:
    run_a_slice(process)
    return bytes_written(process) >= total


def test_qemu_killed_while_it_writes_a_snapshot_fails_it_and_the_disk_is_good(
    client: CimiClient, gateway: GatewayProcess, machine: str
) -> None:
    disk = disk_of(gateway, machine)
    answer = killed_in_the_middle(client, machine, disk)
    job = client.finish(answer.job)
    assert client.wait_state(machine, "ERROR")
    assert job["state"] == "FAILED", job
    assert client.request("GET", answer.headers["location"]).status == 404
    checked = subprocess.run(["qemu-img", "check", disk], check=False, capture_output=True)
    assert checked.returncode in (0, ONLY_LEAKS), checked
    boots = 1 + client.request("GET", f"{machine}/console").body.count(b"READY")
    client.acted(machine, "start")
    wait_ready(client, machine, boots)
    assert disk_mark(machine) == "kept"


def test_memory_that_does_not_fit_is_refused_before_anything_happens(
    client: CimiClient, gateway: GatewayProcess, machine: str
) -> None:
    with full(gateway, told=True):
        answer = client.request("POST", f"{machine}/snapshot", {})
    assert answer.status == 507
    assert (client.get(machine)["state"], memory_mark(machine)) == ("STARTED", "kept")


def test_a_pool_that_fills_up_while_memory_is_written_fails_the_snapshot_alone(
    client: CimiClient, gateway: GatewayProcess, machine: str
) -> None:
    with full(gateway, told=False):
        job = client.finish(ask(client, machine, "snapshot").job)
    assert job["state"] == "FAILED"
    assert job["returnCode"] == 10507, job
    assert client.get(machine)["state"] == "STARTED"
    assert (memory_mark(machine), disk_mark(machine)) == ("kept", "kept")


def test_a_snapshot_is_not_deleted_while_its_machine_is_restored(client: CimiClient, machine: str) -> None:
    taken = ask(client, machine, "snapshot")
    client.succeed(taken.job)
    image = taken.headers["location"]
    mark(machine, "changed")
    with held(machine):
        restoring = ask(client, machine, "restore", image={"href": image})
        answer = client.request("DELETE", image)
        assert answer.status == 409
        assert "RESTORING" in answer.json["statusMessage"]
        assert client.request("POST", f"{machine}/snapshot", {}).status == 409
    client.succeed(restoring.job)
    assert (memory_mark(machine), disk_mark(machine)) == ("kept", "kept")


def test_of_two_snapshots_asked_at_once_one_is_a_conflict(client: CimiClient, machine: str) -> None:
    with held(machine):
        first = ask(client, machine, "snapshot")
        second = client.request("POST", f"{machine}/snapshot", {})
        assert second.status == 409
    client.succeed(first.job)


def test_a_live_capture_stopped_in_the_middle_leaves_no_file(client: CimiClient, machine: str) -> None:
    with held(machine):
        answer = ask(client, machine, "capture")
        assert client.request("POST", f"{machine}/snapshot", {}).status == 409
        assert client.request("POST", f"{answer.job}/stop", {}).status == 202
    assert client.finish(answer.job)["state"] == "STOPPED"
    assert client.request("GET", answer.headers["location"]).status == 404
    assert memory_mark(machine) == "kept"


def test_an_image_deleted_while_it_is_captured_ends_the_copy(client: CimiClient, machine: str) -> None:
    answer = ask(client, machine, "capture")
    removed = client.request("DELETE", answer.headers["location"])
    assert removed.status in (200, 202), removed.body
    client.finish(removed.job)
    assert client.request("GET", answer.headers["location"]).status == 404


def test_a_guest_killed_while_it_is_captured_fails_the_capture_and_leaves_no_file(
    client: CimiClient, machine: str
) -> None:
    with held(machine) as process:
        answer = ask(client, machine, "capture")
        os.kill(process, signal.SIGKILL)
    assert client.finish(answer.job)["state"] == "FAILED"
    assert client.request("GET", answer.headers["location"]).status == 404
    client.wait_state(machine, "ERROR")


def test_a_live_capture_that_finds_no_room_fails_alone(
    client: CimiClient, gateway: GatewayProcess, machine: str
) -> None:
    with full(gateway, told=False):
        job = client.finish(ask(client, machine, "capture").job)
    assert (job["state"], job["returnCode"]) == ("FAILED", 10507), job
    assert (client.get(machine)["state"], memory_mark(machine)) == ("STARTED", "kept")

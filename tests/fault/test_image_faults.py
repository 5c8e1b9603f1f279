"""Disks that fill up, servers that misbehave, jobs that are stopped: while real bytes flow into a real pool."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import hypervisor
from tests.cimi_client import ACTION, CimiClient, wait_until
from tests.gateway_process import GatewayProcess
from tests.web_server import WebServer, running

pytestmark = pytest.mark.qemu
MIB = 1024**2
DISK = b"\xfa" * 510 + b"\x55\xaa" + os.urandom(8 * MIB - 512)


@pytest.fixture
def server() -> Iterator[WebServer]:
    with running(WebServer(DISK)) as started:
        yield started


@pytest.fixture(autouse=True)
def fetching(gateway: GatewayProcess) -> None:
    gateway.image_settings = 'private_networks = ["127.0.0.0/8"]\nstall_seconds = 60'
    gateway.configure()


def small_disk(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(directory)], check=True)


@pytest.fixture
def small_pool(pool: str) -> Iterator[str]:
    """The test's pool on a file system of 12 MiB of its own."""
    directory = hypervisor.POOLS / pool
    small_disk(directory)
    with hypervisor.connection() as host:
        host.storagePoolLookupByName(pool).refresh(0)
    yield pool
    subprocess.run(["umount", "-l", str(directory)], check=True)


@pytest.fixture
def small_staging(gateway: GatewayProcess) -> Iterator[Path]:
    directory = gateway.home / "staging"
    small_disk(directory)
    yield directory
    gateway.kill()
    subprocess.run(["umount", str(directory)], check=True)


def begun(client: CimiClient, server: WebServer) -> tuple[str, str]:
    """An import that has brought half of its bytes and now waits for the server: image and job."""
    server.stall_at = 4 * MIB
    answer = client.request("POST", "machineImages", {"imageLocation": server.url}, headers={"Prefer": "respond-async"})
    assert answer.status == 202, answer.body
    wait_until(lambda: server.stalled, 30, "half of the bytes are there")
    return answer.headers["location"], answer.job


def nothing_is_left(gateway: GatewayProcess, image: str) -> None:
    assert gateway.client().request("GET", image).status == 404
    assert [name for name in hypervisor.files_in(gateway.pool) if name.startswith("cimi-image")] == []
    staging = gateway.home / "staging"
    assert not staging.exists() or [path.name for path in staging.iterdir() if path.name != "filler"] == []


def test_a_pool_that_fills_up_in_the_middle_fails_the_job_and_leaves_nothing(
    gateway: GatewayProcess, small_pool: str, server: WebServer
) -> None:
    gateway.start()
    image, job = begun(gateway.client(), server)
    (hypervisor.POOLS / small_pool / "filler").write_bytes(b"x" * 6 * MIB)
    server.stall_at = None
    ended = gateway.client().finish(job)
    assert (ended["state"], ended["returnCode"]) == ("FAILED", 10507), ended
    nothing_is_left(gateway, image)


def test_a_staging_disk_that_fills_up_in_the_middle_fails_the_job_and_leaves_nothing(
    gateway: GatewayProcess, small_staging: Path, server: WebServer
) -> None:
    server.ranges = False
    gateway.start()
    image, job = begun(gateway.client(), server)
    (small_staging / "filler").write_bytes(b"x" * 6 * MIB)
    server.stall_at = None
    ended = gateway.client().finish(job)
    assert (ended["state"], ended["returnCode"]) == ("FAILED", 10507), ended
    nothing_is_left(gateway, image)


def test_an_upload_into_a_full_staging_disk_is_507_and_can_go_on_later(
    gateway: GatewayProcess, small_staging: Path
) -> None:
    gateway.start()
    client = gateway.client()
    image = client.add("machineImages", {"size": len(DISK)}).json["id"]
    filler = small_staging / "filler"
    filler.write_bytes(b"x" * 7 * MIB)
    octets = {"Content-Type": "application/octet-stream"}
    sent = client.request("PUT", f"{image}/upload", body=DISK, headers=octets)
    assert sent.status == 507, sent.body
    filler.unlink()
    have = int(client.request("GET", f"{image}/upload").headers["upload-offset"])
    told = {"Content-Range": f"bytes {have}-{len(DISK) - 1}/{len(DISK)}"}
    sent = client.request("PUT", f"{image}/upload", body=DISK[have:], headers={**octets, **told})
    client.succeed(sent.job)
    assert client.request("GET", f"{image}/download").body == DISK


def test_progress_moves_with_the_bytes_and_stopping_the_job_removes_them(
    gateway: GatewayProcess, server: WebServer
) -> None:
    gateway.start()
    client = gateway.client()
    server.pace = 0.02
    image, job = begun(client, server)
    wait_until(lambda: 20 <= client.get(job)["progress"] <= 60, 20, "the progress tells of half of the bytes")
    assert [name for name in hypervisor.files_in(gateway.pool) if name.startswith("cimi-image")]
    client.request("POST", f"{job}/stop", {"action": ACTION + "stop"})
    assert client.finish(job, 20)["state"] == "STOPPED"
    nothing_is_left(gateway, image)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"ranges": False, "claim": len(DISK) + 10 * MIB}, 10502),
        ({"break_at": len(DISK) * 9 // 10, "tag": None}, 10502),
        ({"break_at": len(DISK) * 9 // 10, "ranges": False}, 10502),
    ],
)
def test_a_server_that_lies_or_breaks_off_fails_the_job_and_leaves_nothing(
    gateway: GatewayProcess, server: WebServer, change: dict[str, object], code: int
) -> None:
    for name, value in change.items():
        setattr(server, name, value)
    gateway.start()
    client = gateway.client()
    answer = client.request("POST", "machineImages", {"imageLocation": server.url}, headers={"Prefer": "respond-async"})
    ended = client.finish(answer.job)
    assert (ended["state"], ended["returnCode"]) == ("FAILED", code), ended
    nothing_is_left(gateway, answer.headers["location"])


def test_a_connection_that_breaks_at_90_per_cent_goes_on_where_it_broke(
    gateway: GatewayProcess, server: WebServer
) -> None:
    server.break_at, server.breaks = len(DISK) * 9 // 10, 1
    gateway.start()
    client = gateway.client()
    image = client.added("machineImages", {"imageLocation": server.url})
    assert client.request("GET", image["id"] + "/download").body == DISK

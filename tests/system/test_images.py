"""Images on a real libvirt: the bytes that went in are those that come out, and guests boot from them."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import hypervisor
from tests.cimi_client import CimiClient
from tests.gateway_process import GatewayProcess
from tests.guests import machine_create, wait_ready
from tests.system.converting import converted
from tests.web_server import WebServer, running

pytestmark = pytest.mark.qemu
OCTETS = {"Content-Type": "application/octet-stream"}


@pytest.fixture(scope="module")
def gateway(pool: str, images: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """One that may fetch from this host."""
    process = GatewayProcess(tmp_path_factory.mktemp("gateway"), pool, images)
    process.image_settings = 'private_networks = ["127.0.0.0/8"]'
    process.prepare()
    process.start()
    yield process
    process.kill()


@pytest.fixture(scope="module")
def guest_bytes(images: Path) -> bytes:
    return (images / "guest.qcow2").read_bytes()


def href(image: dict[str, Any], verb: str) -> str:
    return str(next(entry["href"] for entry in image["operations"] if entry["rel"].endswith(f"/action/{verb}")))


def left_in_staging(gateway: GatewayProcess) -> list[str]:
    return [str(path) for path in (gateway.home / "staging").rglob("*")]


def test_a_guest_boots_from_an_image_that_came_as_a_vmdk_by_url(
    admin: CimiClient, gateway: GatewayProcess, images: Path, tmp_path: Path
) -> None:
    data = converted(images, tmp_path, "vmdk", "subformat=streamOptimized")
    with running(WebServer(data)) as server:
        image = admin.added("machineImages", {"imageLocation": server.url + "/guest.vmdk"})
    assert left_in_staging(gateway) == []
    machine = admin.added("machines", machine_create(image["id"]))
    wait_ready(admin, machine["id"])
    admin.remove(machine["id"])
    admin.remove(image["id"])


def test_a_guest_boots_from_an_uploaded_image_and_its_bytes_come_back(
    admin: CimiClient, gateway: GatewayProcess, guest_bytes: bytes
) -> None:
    sum_of_it = hashlib.sha256(guest_bytes).hexdigest()
    image = admin.add("machineImages", {"name": "up", "size": len(guest_bytes), "sha256": sum_of_it}).json
    half = len(guest_bytes) // 2
    for begin, piece in ((0, guest_bytes[:half]), (half, guest_bytes[half:])):
        told = f"bytes {begin}-{begin + len(piece) - 1}/{len(guest_bytes)}"
        sent = admin.request("PUT", href(image, "upload"), body=piece, headers={**OCTETS, "Content-Range": told})
        assert sent.status in (200, 202), sent.body
    admin.succeed(sent.job)
    image = admin.get(image["id"])
    assert left_in_staging(gateway) == []
    assert admin.request("GET", href(image, "download")).body == guest_bytes
    machine = admin.added("machines", machine_create(image["id"]))
    wait_ready(admin, machine["id"])
    admin.remove(machine["id"])
    admin.remove(image["id"])


@pytest.mark.parametrize("kind", ["raw", "vdi", "vpc", "vhdx", "vmdk"])
def test_every_format_becomes_the_same_disk(
    admin: CimiClient, gateway: GatewayProcess, images: Path, tmp_path: Path, kind: str
) -> None:
    size = ["force_size=on"] if kind == "vpc" else []
    with running(WebServer(converted(images, tmp_path, kind, *size))) as server:
        image = admin.added("machineImages", {"imageLocation": server.url})
    (tmp_path / "back").write_bytes(admin.request("GET", href(image, "download")).body)
    kept = "raw" if kind == "raw" else "qcow2"
    command: list[str | Path] = [
        "qemu-img",
        "compare",
        "-f",
        "qcow2",
        "-F",
        kept,
        images / "guest.qcow2",
        tmp_path / "back",
    ]
    assert subprocess.run(command, check=False, capture_output=True).returncode == 0
    admin.remove(image["id"])


def test_a_raw_image_keeps_its_holes_in_the_pool(
    admin: CimiClient, gateway: GatewayProcess, images: Path, tmp_path: Path
) -> None:
    data = converted(images, tmp_path, "raw")
    with running(WebServer(data)) as server:
        image = admin.added("machineImages", {"imageLocation": server.url})
    name = image["id"].rpartition("/")[2]
    file = hypervisor.POOLS / gateway.pool / f"cimi-image-{name}.raw"
    assert file.read_bytes() == data
    assert file.stat().st_blocks * 512 < len(data)
    admin.remove(image["id"])

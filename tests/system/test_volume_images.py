"""VolumeImages with a real guest: what it wrote is in the image as of one moment, and in the Volumes made of it."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import hypervisor
from tests.cimi_client import CimiClient
from tests.gateway_process import GatewayProcess
from tests.guests import in_guest
from tests.system.converting import converted
from tests.system.volumes import connect, create, device, file_of
from tests.web_server import WebServer, running

pytestmark = pytest.mark.qemu
FIRST, SECOND = 0, 3072
"""Blocks of 4 KiB where the guest keeps the two halves of what belongs together."""


@pytest.fixture(scope="module")
def gateway(pool: str, images: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway that may fetch from this host."""
    process = GatewayProcess(tmp_path_factory.mktemp("gateway"), pool, images)
    process.image_settings = 'private_networks = ["127.0.0.0/8"]'
    process.prepare()
    process.start()
    yield process
    process.kill()


def image_of(admin: CimiClient, volume: str) -> str:
    return str(admin.added("volumeImages", {"imageLocation": volume})["id"])


def made_of(admin: CimiClient, image: str, **config: Any) -> str:
    template = {"volumeImage": {"href": image}, "volumeConfig": config}
    return str(admin.added("volumes", {"volumeTemplate": template})["id"])


def path_of(pool: str, resource: str) -> Path:
    return hypervisor.POOLS / pool / file_of(pool, resource)


def described(path: Path) -> dict[str, Any]:
    shown = subprocess.run(["qemu-img", "info", "-U", "--output=json", path], capture_output=True, check=True)
    document: dict[str, Any] = json.loads(shown.stdout)
    return document


def summed(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(params=["qcow2", "raw"])
def connected(request: pytest.FixtureRequest, admin: CimiClient, guest: str) -> Iterator[tuple[str, str]]:
    """A Volume in the running guest, and its device there."""
    volume = admin.added("volumes", create(format=request.param))["id"]
    attachment = connect(admin, guest, volume)
    yield volume, device(guest, volume)
    admin.remove(attachment)
    admin.remove(volume)


def test_a_volume_that_a_guest_writes_is_imaged_as_of_one_moment(
    admin: CimiClient, guest: str, pool: str, connected: tuple[str, str]
) -> None:
    volume, name = connected
    in_guest(
        guest,
        f"n=0; (while [ ! -e /tmp/enough ]; do n=$((n+1)); for at in {FIRST} {SECOND}; do "
        f'printf "%012d" $n | dd of=/dev/{name} bs=4k seek=$at conv=fsync,notrunc 2>/dev/null; done; done) & sleep 1',
    )
    try:
        image = image_of(admin, volume)
    finally:
        in_guest(guest, "touch /tmp/enough; sleep 1; rm /tmp/enough")
    assert (admin.get(volume)["state"], admin.get(guest)["state"]) == ("AVAILABLE", "STARTED")
    assert not {"backing-filename", "snapshots"} & described(path_of(pool, image)).keys()
    copy = made_of(admin, image, format="raw")
    content = path_of(pool, copy).read_bytes()
    first, second = (int(content[at * 4096 : at * 4096 + 12]) for at in (FIRST, SECOND))
    assert first > 0
    assert first - second in (0, 1)
    for resource in (copy, image):
        admin.remove(resource)


def test_a_guest_reads_in_a_volume_of_an_image_what_was_written_and_its_writes_leave_the_image(
    admin: CimiClient, guest: str, pool: str
) -> None:
    volume = admin.added("volumes", create(format="qcow2"))["id"]
    attachment = connect(admin, guest, volume)
    name = device(guest, volume)
    in_guest(guest, f"dd if=/dev/urandom of=/dev/{name} bs=1M count=2 conv=fsync 2>/dev/null")
    written = in_guest(guest, f"dd if=/dev/{name} bs=1M count=2 2>/dev/null | md5sum")
    admin.remove(attachment)
    image = image_of(admin, volume)
    before = summed(path_of(pool, image))
    admin.remove(volume)
    overlay = made_of(admin, image)
    assert described(path_of(pool, overlay))["backing-filename"] == str(path_of(pool, image))
    attachment = connect(admin, guest, overlay)
    name = device(guest, overlay)
    assert in_guest(guest, f"dd if=/dev/{name} bs=1M count=2 2>/dev/null | md5sum") == written
    in_guest(guest, f"dd if=/dev/zero of=/dev/{name} bs=1M count=2 conv=fsync 2>/dev/null")
    assert admin.request("DELETE", image).status == 409
    admin.remove(attachment)
    admin.remove(overlay)
    assert summed(path_of(pool, image)) == before
    admin.remove(image)


@pytest.mark.parametrize(("kind", "kept"), [("raw", "raw"), ("raw", "qcow2"), ("vmdk", "qcow2"), ("qcow2", "raw")])
def test_an_image_by_value_becomes_the_same_disk_in_the_volume(
    admin: CimiClient,
    gateway: GatewayProcess,
    pool: str,
    images: Path,
    tmp_path: Path,
    kind: str,
    kept: str,
) -> None:
    with running(WebServer(converted(images, tmp_path, kind))) as server:
        config = {"format": kept, "capacity": 400_000}
        template = {"volumeConfig": config, "volumeImage": {"imageLocation": server.url, "bootable": True}}
        volume = admin.added("volumes", {"volumeTemplate": template})
    assert (volume["state"], volume["capacity"], volume["bootable"]) == ("AVAILABLE", 400_000, True)
    made = path_of(pool, volume["id"])
    assert described(made)["virtual-size"] >= 400_000_000
    command: list[str | Path] = ["qemu-img", "compare", "-f", "qcow2", "-F", kept, images / "guest.qcow2", made]
    assert subprocess.run(command, check=False, capture_output=True).returncode == 0
    assert not list((gateway.home / "staging").rglob("*"))
    admin.remove(volume["id"])

"""Pools that fill up while Volumes are made in them: the job says so, and nothing half-made is left."""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import hypervisor
from tests.cimi_client import CimiClient
from tests.fault.full_pool import full
from tests.fault.volumes import volumes_in
from tests.gateway_process import GatewayProcess

pytestmark = pytest.mark.qemu
MIB = 1024**2
DISK = b"\xfa" * 510 + b"\x55\xaa" + os.urandom(6 * MIB - 512)
LATER = {"Prefer": "respond-async"}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """Its pool is a file system of 24 MiB of its own, which a test can fill."""
    name, images = f"cimi-fault-{os.getpid()}-{uuid.uuid4().hex[:6]}", tmp_path_factory.mktemp("files")
    (images / "disk.raw").write_bytes(DISK)
    hypervisor.quiet()
    with hypervisor.small_pool(name, 24):
        process = GatewayProcess(tmp_path_factory.mktemp("gateway"), name, images)
        process.prepare()
        process.start()
        yield process
        process.clear()


@pytest.fixture
def client(gateway: GatewayProcess) -> Iterator[CimiClient]:
    """Nothing is in the pool, before and after."""
    client = gateway.client()
    yield client
    for kind in ("volumes", "volumeImages"):
        for entry in client.get(kind).get(kind, []):
            client.remove(entry["id"])
    assert hypervisor.files_in(gateway.pool) == []


@pytest.fixture
def image(client: CimiClient, gateway: GatewayProcess) -> str:
    location = f"file://{gateway.images / 'disk.raw'}"
    return str(client.added("volumeImages", {"imageLocation": location})["id"])


def config(capacity: int = 6_400, format: str = "raw") -> dict[str, object]:
    return {"capacity": capacity, "format": format}


def failed(client: CimiClient, template: dict[str, object]) -> None:
    """The create's job ends with 507 in its return code, and the Volume is gone."""
    answer = client.request("POST", "volumes", {"volumeTemplate": template}, headers=LATER)
    assert answer.status == 202, answer.body
    job = client.finish(answer.job)
    assert (job["state"], job["returnCode"]) == ("FAILED", 10507), job
    assert client.request("GET", answer.headers["location"]).status == 404


@pytest.mark.parametrize("format", ["raw", "qcow2"])
def test_a_pool_known_to_be_full_takes_no_volume(client: CimiClient, gateway: GatewayProcess, format: str) -> None:
    with full(gateway, told=True):
        answer = client.request("POST", "volumes", {"volumeTemplate": {"volumeConfig": config(format=format)}})
        assert (answer.status, "volumeConfig.capacity" in answer.json["statusMessage"]) == (507, True)
        assert volumes_in(gateway) == []


def test_an_empty_qcow2_volume_that_finds_no_room_fails_and_leaves_nothing(
    client: CimiClient, gateway: GatewayProcess
) -> None:
    with full(gateway, told=False):
        failed(client, {"volumeConfig": config(format="qcow2")})
        assert volumes_in(gateway) == []


@pytest.mark.parametrize("format", ["raw", "qcow2"])
def test_a_volume_of_an_image_that_finds_no_room_fails_and_leaves_the_image_as_it_was(
    client: CimiClient, gateway: GatewayProcess, image: str, format: str
) -> None:
    with full(gateway, told=False):
        failed(client, {"volumeConfig": config(format=format), "volumeImage": {"href": image}})
        assert volumes_in(gateway) == []
    found = client.request("GET", f"{image}/download").body
    assert hashlib.sha256(found).digest() == hashlib.sha256(DISK).digest()


def test_an_image_by_value_that_finds_no_room_fails_and_leaves_nothing(
    client: CimiClient, gateway: GatewayProcess
) -> None:
    location = {"imageLocation": f"file://{gateway.images / 'disk.raw'}"}
    with full(gateway, told=False):
        failed(client, {"volumeConfig": config(), "volumeImage": location})
        assert volumes_in(gateway) == []


def test_an_image_of_a_volume_that_finds_no_room_fails_and_leaves_the_volume_as_it_was(
    client: CimiClient, gateway: GatewayProcess
) -> None:
    location = {"imageLocation": f"file://{gateway.images / 'disk.raw'}"}
    volume = client.added("volumes", {"volumeTemplate": {"volumeConfig": config(), "volumeImage": location}})["id"]
    path: Path = hypervisor.POOLS / gateway.pool / volumes_in(gateway)[0]
    before = path.read_bytes()
    with full(gateway, told=False):
        answer = client.request("POST", "volumeImages", {"imageLocation": volume}, headers=LATER)
        job = client.finish(answer.job)
    assert (job["state"], job["returnCode"]) == ("FAILED", 10507), job
    assert client.get(volume)["state"] == "AVAILABLE"
    assert client.get(f"{volume}/images")["count"] == 0
    assert path.read_bytes() == before

"""MachineImages from files and URLs, and what is announced. Over the hypervisor in memory."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drivers.base import DriverNoSpace
from drivers.memory import MemoryDriver
from gateway import config
from gateway.app import Gateway
from gateway.orchestration.common.staging import Staging
from gateway.store.model import Resource
from tests.api.client import ApiClient
from tests.api.images.transfers import EXTENSION, OCTETS, RAW, left, stored
from tests.empty_image import qcow2
from tests.unit.drivers.disks import disk
from tests.web_server import WebServer

pytestmark = pytest.mark.slow

# From a URL


async def test_an_image_comes_from_a_url_straight_into_the_pool(
    admin: ApiClient, driver: MemoryDriver, server: WebServer, staging: Path
) -> None:
    made = await admin.post(
        "machineImages", {"imageLocation": server.url + "/disk.raw", "sha256": hashlib.sha256(RAW).hexdigest()}
    )
    assert made.status == 201, made.text
    assert (made.json["state"], made.json["imageLocation"]) == ("AVAILABLE", f"{made.location}/download")
    assert stored(driver) == [RAW]
    assert left(staging) == []


@pytest.mark.parametrize("bad", [{"ranges": False}, {"ranges": False, "chunked": True}])
async def test_servers_without_ranges_or_lengths_go_by_the_staging_directory(
    admin: ApiClient, driver: MemoryDriver, server: WebServer, staging: Path, bad: dict[str, Any]
) -> None:
    for name, value in bad.items():
        setattr(server, name, value)
    made = await admin.post("machineImages", {"imageLocation": server.url})
    assert (await admin.ended(made.job))["state"] == "SUCCESS"
    assert stored(driver) == [RAW]
    assert left(staging) == []


@pytest.mark.parametrize("kind", ["vmdk", "vdi", "vpc", "vhdx"])
async def test_other_formats_are_converted(
    admin: ApiClient, driver: MemoryDriver, server: WebServer, tmp_path: Path, staging: Path, kind: str
) -> None:
    (tmp_path / "disk.raw").write_bytes(RAW)
    command: list[str | Path] = [
        "qemu-img",
        "convert",
        "-f",
        "raw",
        "-O",
        kind,
        tmp_path / "disk.raw",
        tmp_path / "disk",
    ]
    await asyncio.to_thread(subprocess.run, command, check=True)
    server.data = (tmp_path / "disk").read_bytes()
    made = await admin.post("machineImages", {"imageLocation": server.url})
    job = await admin.ended(made.job)
    assert job["state"] == "SUCCESS", job
    assert [data[:4] for data in stored(driver)] == [b"QFI\xfb"]
    assert left(staging) == []


async def test_what_was_put_down_goes_only_when_it_is_on_disk_that_nobody_needs_it(
    admin: ApiClient, gateway: Gateway, server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove = Staging.remove
    states: list[str | None] = []

    async def removed(self: Staging, image: Resource) -> None:
        found = await gateway.store.get(image.path)
        states.append(None if found is None else found.state)
        await remove(self, image)

    monkeypatch.setattr(Staging, "remove", removed)
    server.ranges = False
    made = await admin.post("machineImages", {"imageLocation": server.url})
    assert (await admin.ended(made.job))["state"] == "SUCCESS"
    assert states == ["AVAILABLE"]


@pytest.mark.parametrize(("kind", "ranges"), [("qcow2", True), ("qcow2", False), ("raw", True), ("vmdk", True)])
async def test_the_firmware_an_image_needs_is_seen_whatever_way_it_came(
    admin: ApiClient, gateway: Gateway, server: WebServer, tmp_path: Path, kind: str, ranges: bool
) -> None:
    command: list[str | Path] = ["qemu-img", "convert", "-f", "raw", "-O", kind, disk(tmp_path, b""), tmp_path / "disk"]
    await asyncio.to_thread(subprocess.run, command, check=True)
    server.data, server.ranges = (tmp_path / "disk").read_bytes(), ranges
    made = await admin.post("machineImages", {"imageLocation": server.url})
    await admin.ended(made.job)
    kept = await gateway.store.get(made.location.removeprefix(admin.base))
    assert kept is not None
    assert kept.internal["uefi"] is True


async def test_a_pool_without_files_gets_raw_bytes(
    admin: ApiClient, driver: MemoryDriver, server: WebServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(driver.storage, "can_overlay", lambda _pool: False)
    (tmp_path / "disk.raw").write_bytes(RAW)
    command: list[str | Path] = [
        "qemu-img",
        "convert",
        "-f",
        "raw",
        "-O",
        "qcow2",
        tmp_path / "disk.raw",
        tmp_path / "disk",
    ]
    await asyncio.to_thread(subprocess.run, command, check=True)
    server.data = (tmp_path / "disk").read_bytes()
    made = await admin.post("machineImages", {"imageLocation": server.url})
    await admin.ended(made.job)
    assert stored(driver) == [RAW]


@pytest.mark.parametrize(
    ("change", "status", "reason"),
    [
        ({"data": qcow2(size=2 * 1024**3)}, 400, "virtual size"),
        ({"data": qcow2(backing=4096)}, 400, "backing file"),
        ({"data": b"#!/bin/sh\n" * 1000}, 400, "no disk image"),
        ({"redirect": "http://10.0.0.1/x"}, 400, "redirected to 10.0.0.1"),
        ({"redirect": "file:///etc/passwd"}, 400, "scheme"),
        ({"break_at": 100_000, "tag": None}, 502, "broke off"),
        ({"stall_at": 100_000, "tag": None}, 502, "nothing came"),
    ],
)
async def test_a_bad_server_fails_the_import_and_leaves_nothing(
    admin: ApiClient,
    driver: MemoryDriver,
    server: WebServer,
    staging: Path,
    change: dict[str, Any],
    status: int,
    reason: str,
) -> None:
    for name, value in change.items():
        setattr(server, name, value)
    made = await admin.post("machineImages", {"imageLocation": server.url + "/away"})
    assert made.status == status, made.text
    assert reason in made.message
    assert (await admin.document("machineImages"))["count"] == 0
    assert stored(driver) == []
    assert left(staging) == []


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("http://10.0.0.1/x", "private_networks"),
        ("http://169.254.169.254/latest/meta-data", "private_networks"),
        ("http://[::1]/x", "private_networks"),
        ("ftp://example.org/x", "scheme"),
        ("gopher://example.org/x", "scheme"),
        ("http://user:secret@example.org/x", "password"),
    ],
)
@pytest.mark.parametrize("media", ["json", "xml"])
async def test_a_url_that_must_not_be_fetched_is_refused_by_name(
    client: Callable[..., ApiClient], location: str, reason: str, media: str
) -> None:
    xml = f"<MachineImage><imageLocation>{location}</imageLocation></MachineImage>".encode()
    body = xml if media == "xml" else {"imageLocation": location}
    answer = await client("admin").request("POST", "machineImages", body, Content_Type=f"application/{media}")
    assert answer.status == 400, answer.text
    assert answer.message.startswith("imageLocation")
    assert reason in answer.message
    assert "secret" not in answer.message


async def test_the_query_of_a_url_is_not_shown(admin: ApiClient, server: WebServer) -> None:
    server.stall_at, server.ranges = 200_000, False
    made = await admin.post("machineImages", {"imageLocation": server.url + "/x?token=secret"}, Prefer="respond-async")
    assert made.json["imageLocation"] == server.url + "/x"
    await admin.delete(made.location)


async def test_a_wrong_sum_fails_the_import_and_leaves_nothing(
    admin: ApiClient, driver: MemoryDriver, server: WebServer
) -> None:
    made = await admin.post("machineImages", {"imageLocation": server.url, "sha256": "0" * 64})
    assert (made.status, made.message.startswith("sha256")) == (400, True)
    assert stored(driver) == []


@pytest.mark.parametrize(
    ("document", "named"),
    [
        ({}, "imageLocation"),
        ({"size": 0}, "size"),
        ({"size": "many"}, "size"),
        ({"size": 10**18}, "size"),
        ({"size": 5, "sha256": "abc"}, "sha256"),
        ({"size": 5, "type": "SNAPSHOT"}, "type"),
        ({"size": 5, "type": "DISK"}, "type"),
    ],
)
async def test_bad_attributes_are_named(admin: ApiClient, document: dict[str, Any], named: str) -> None:
    answer = await admin.post("machineImages", document)
    assert answer.status in (400, 413), answer.text
    assert answer.message.startswith(named)


async def test_a_size_that_is_not_the_servers_is_named(admin: ApiClient, server: WebServer) -> None:
    answer = await admin.post("machineImages", {"imageLocation": server.url, "size": 7})
    assert (answer.status, answer.message.startswith("size")) == (400, True)


async def test_a_pool_that_is_too_small_is_told_before_the_first_byte(
    admin: ApiClient, driver: MemoryDriver, server: WebServer
) -> None:
    driver.state.pool_capacity = 1000
    assert (await admin.post("machineImages", {"imageLocation": server.url})).status == 507


async def test_a_disk_that_fills_up_in_the_middle_leaves_nothing(
    admin: ApiClient, driver: MemoryDriver, server: WebServer
) -> None:
    driver.fail_next("storage.upload_volume", DriverNoSpace("the pool is full"))
    made = await admin.post("machineImages", {"imageLocation": server.url})
    assert made.status == 507
    assert (await admin.document("machineImages"))["count"] == 0


async def test_stopping_the_job_ends_a_transfer_that_waits(
    admin: ApiClient, driver: MemoryDriver, settings: config.Settings, server: WebServer, staging: Path
) -> None:
    server.stall_at, server.ranges = 200_000, False
    made = await admin.post("machineImages", {"imageLocation": server.url}, Prefer="respond-async")
    assert made.status == 202, made.text
    assert (await admin.acted(made.job, "stop"))["state"] in ("STOPPED", "FAILED")
    ended = await admin.ended(made.job)
    assert ended["state"] == "STOPPED"
    assert (await admin.get(made.location)).status == 404
    assert left(staging) == []


async def test_deleting_an_image_that_is_being_fetched_ends_the_transfer(
    admin: ApiClient, server: WebServer, staging: Path
) -> None:
    server.stall_at, server.ranges = 200_000, False
    made = await admin.post("machineImages", {"imageLocation": server.url}, Prefer="respond-async")
    gone = await admin.delete(made.location)
    assert gone.status == 200, gone.text
    assert (await admin.get(made.location)).status == 404
    assert left(staging) == []


# From a file


async def test_a_vmdk_file_is_converted(
    admin: ApiClient, driver: MemoryDriver, images: Path, tmp_path: Path, staging: Path
) -> None:
    (tmp_path / "disk.raw").write_bytes(RAW)
    command: list[str | Path] = [
        "qemu-img",
        "convert",
        "-f",
        "raw",
        "-O",
        "vmdk",
        tmp_path / "disk.raw",
        images / "disk.vmdk",
    ]
    await asyncio.to_thread(subprocess.run, command, check=True)
    made = await admin.post("machineImages", {"imageLocation": f"file://{images / 'disk.vmdk'}"})
    assert (await admin.ended(made.job))["state"] == "SUCCESS"
    assert [data[:4] for data in stored(driver)] == [b"QFI\xfb"]
    assert left(staging) == []


# What is announced


async def test_the_metadata_announce_the_extensions(admin: ApiClient) -> None:
    shown = await admin.document("resourceMetadata/MachineImage")
    attributes = {entry["name"]: entry for entry in shown["attributes"]}
    assert attributes["sha256"]["namespace"] == attributes["size"]["namespace"] == EXTENSION
    actions = {entry["name"]: entry for entry in shown["actions"]}
    assert (actions["upload"]["method"], actions["upload"]["inputMessage"]) == ("PUT", OCTETS)
    assert (actions["download"]["method"], actions["download"]["outputMessage"]) == ("GET", OCTETS)
    assert actions["upload"]["uri"] == f"{EXTENSION}/action/upload"


async def test_an_image_that_nobody_can_be_started_to_read_is_503_for_now(
    admin: ApiClient, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_arguments: object, **_settings: object) -> asyncio.subprocess.Process:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    document = {"name": "guest", "imageLocation": f"file://{images / 'guest.qcow2'}"}
    with monkeypatch.context() as host:
        host.setattr(asyncio, "create_subprocess_exec", full)
        assert (await admin.post("machineImages", document)).status == 503
    assert (await admin.post("machineImages", document, Prefer="wait=30")).status == 201

"""MachineImages: from files, by upload, from URLs; and their bytes back again. Over the hypervisor in memory."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from drivers.base import DriverNoSpace
from drivers.memory import MemoryDriver
from gateway import config
from gateway.app import Gateway
from tests.api.client import Answer, ApiClient
from tests.api.conftest import qcow2
from tests.unit.drivers.test_images import disk
from tests.web_server import WebServer, serving

EXTENSION = "http://cimi-gateway.org/ns/1"
RAW = b"\xfa" * 510 + b"\x55\xaa" + os.urandom(586 * 512)
OCTETS = "application/octet-stream"


@pytest.fixture
def settings(settings: config.Settings) -> config.Settings:
    """Loopback servers may be fetched from, and what stalls is given up soon."""
    object.__setattr__(settings.images, "private_networks", ["127.0.0.0/8"])
    object.__setattr__(settings.images, "stall_seconds", 0.5)
    object.__setattr__(settings.images, "largest", 1024**3)
    return settings


@pytest.fixture
def staging(settings: config.Settings) -> Path:
    return Path(settings.images.staging)


@pytest.fixture
async def server() -> AsyncIterator[WebServer]:
    async with serving(WebServer(RAW)) as running:
        yield running


def operation(document: dict[str, Any], verb: str) -> str | None:
    found = [entry["href"] for entry in document.get("operations", []) if entry["rel"] == f"{EXTENSION}/action/{verb}"]
    return found[0] if found else None


async def waiting(admin: ApiClient, size: int = len(RAW), **more: Any) -> dict[str, Any]:
    """An image that waits for so many bytes."""
    made = await admin.post("machineImages", {"name": "up", "size": size, **more})
    assert made.status == 201, made.text
    return made.json


async def put(client: ApiClient, href: str, data: Any, **headers: str) -> Answer:
    return await client.request("PUT", href, data, Content_Type=OCTETS, **headers)


async def bytes_of(client: ApiClient, href: str, **headers: str) -> tuple[int, bytes, dict[str, str]]:
    auth = {"Authorization": aiohttp.encode_basic_auth(client.user, client.password), **headers}
    async with client.session.get(href, headers=auth) as answer:
        return answer.status, await answer.read(), {name.lower(): value for name, value in answer.headers.items()}


def stored(driver: MemoryDriver) -> list[bytes]:
    return list(driver.contents.values())


def left(staging: Path) -> list[str]:
    return sorted(str(path.relative_to(staging)) for path in staging.rglob("*")) if staging.is_dir() else []


def age(staging: Path) -> None:
    """As if nothing had been written for years."""
    for path in staging.rglob("*"):
        os.utime(path, (1, 1))


# Upload


@pytest.mark.parametrize("media", ["json", "xml"])
async def test_an_image_with_a_size_and_no_location_waits_for_its_bytes(
    client: Callable[..., ApiClient], media: str
) -> None:
    speaker = client("admin", media)
    xml = f'<MachineImage><name>up</name><size xmlns="{EXTENSION}">{len(RAW)}</size></MachineImage>'.encode()
    body = xml if media == "xml" else {"name": "up", "size": len(RAW)}
    made = await speaker.request("POST", "machineImages", body, Content_Type=f"application/{media}")
    assert made.status == 201, made.text
    shown = await client("admin").document(made.location)
    assert (shown["state"], shown["size"], shown["type"]) == ("CREATING", len(RAW), "IMAGE")
    assert operation(shown, "upload")
    if media == "xml":
        sizes = made.xml.findall(f"{{{EXTENSION}}}size")
        assert [size.text for size in sizes] == [str(len(RAW))]


async def test_one_put_of_all_bytes_makes_the_image_available(
    admin: ApiClient, driver: MemoryDriver, staging: Path
) -> None:
    image = await waiting(admin, sha256=hashlib.sha256(RAW).hexdigest())
    sent = await put(admin, operation(image, "upload") or "", RAW)
    assert sent.status == 200, sent.text
    assert sent.headers["upload-offset"] == str(len(RAW))
    await admin.ended(sent.job)
    shown = await admin.document(image["id"])
    assert (shown["state"], shown["size"], shown["imageLocation"]) == ("AVAILABLE", len(RAW), f"{image['id']}/download")
    assert operation(shown, "upload") is None
    assert stored(driver) == [RAW]
    assert left(staging) == []


async def test_an_upload_in_parts_tells_how_far_it_has_come(admin: ApiClient, driver: MemoryDriver) -> None:
    image = await waiting(admin)
    href = operation(image, "upload") or ""
    for begin in range(0, len(RAW), 100_000):
        asked = await admin.request("HEAD", href)
        assert asked.headers["upload-offset"] == str(begin)
        piece = RAW[begin : begin + 100_000]
        told = f"bytes {begin}-{begin + len(piece) - 1}/{len(RAW)}"
        sent = await put(admin, href, piece, Content_Range=told)
        assert sent.status == 200, sent.text
    await admin.state(image["id"], "AVAILABLE")
    assert stored(driver) == [RAW]


async def test_an_upload_goes_on_after_a_restart_of_the_gateway(
    admin: ApiClient, gateway: Gateway, driver: MemoryDriver, settings: config.Settings
) -> None:
    image = await waiting(admin)
    href = operation(image, "upload") or ""
    await put(admin, href, RAW[:1000], Content_Range=f"bytes 0-999/{len(RAW)}")
    await gateway.stop()
    again = Gateway(settings, {driver.name: driver})
    await again.start()
    try:
        assert (await admin.get(href)).headers["upload-offset"] == "1000"
        sent = await put(admin, href, RAW[1000:], Content_Range=f"bytes 1000-{len(RAW) - 1}/{len(RAW)}")
        assert (await admin.ended(sent.job))["state"] == "SUCCESS"
    finally:
        await again.stop()


@pytest.mark.parametrize(
    ("headers", "status", "named"),
    [
        ({"Content_Range": "bytes 5-14/{size}"}, 409, "goes on at 0"),
        ({"Content_Range": "bytes 0-9/7"}, 400, "Content-Range"),
        ({"Content_Range": "bytes 0-8/{size}"}, 400, "Content-Range"),
        ({"Content_Range": "bytes 9-0/{size}"}, 400, "Content-Range"),
        ({"Content_Range": "lines 0-9/{size}"}, 400, "Content-Range"),
        ({"Content_Digest": "md5=:AAAA:"}, 400, "Content-Digest"),
        ({"Content_Digest": "sha-256=:" + "A" * 43 + "=:"}, 400, "Content-Digest"),
        ({"Content_Encoding": "gzip"}, 415, "Content-Encoding"),
    ],
)
async def test_a_part_that_does_not_fit_is_refused_and_changes_nothing(
    admin: ApiClient, headers: dict[str, str], status: int, named: str
) -> None:
    image = await waiting(admin)
    href = operation(image, "upload") or ""
    told = {name: value.replace("{size}", str(len(RAW))) for name, value in headers.items()}
    sent = await put(admin, href, RAW[:10], **told)
    assert sent.status == status, sent.text
    assert named in sent.message
    assert (await admin.get(href)).headers["upload-offset"] == "0"


async def test_a_wrong_offset_is_told_with_the_right_one(admin: ApiClient) -> None:
    image = await waiting(admin)
    href = operation(image, "upload") or ""
    await put(admin, href, RAW[:10], Content_Range=f"bytes 0-9/{len(RAW)}")
    sent = await put(admin, href, RAW[20:30], Content_Range=f"bytes 20-29/{len(RAW)}")
    assert (sent.status, sent.headers["upload-offset"]) == (409, "10")


async def test_a_right_digest_of_a_part_is_accepted(admin: ApiClient) -> None:
    image = await waiting(admin)
    digest = base64.b64encode(hashlib.sha256(RAW[:10]).digest()).decode()
    href = operation(image, "upload") or ""
    sent = await put(
        admin, href, RAW[:10], Content_Range=f"bytes 0-9/{len(RAW)}", Content_Digest=f"sha-256=:{digest}:"
    )
    assert sent.headers["upload-offset"] == "10"


async def test_more_bytes_than_announced_are_refused(admin: ApiClient) -> None:
    image = await waiting(admin, size=1000)
    sent = await put(admin, operation(image, "upload") or "", RAW[:1001])
    assert (sent.status, "size" in sent.message) == (400, True)


async def test_fewer_bytes_than_announced_leave_the_image_waiting(admin: ApiClient) -> None:
    image = await waiting(admin)
    sent = await put(admin, operation(image, "upload") or "", RAW[:1000])
    assert (sent.status, sent.headers["upload-offset"]) == (200, "1000")
    assert (await admin.document(image["id"]))["state"] == "CREATING"


async def test_an_upload_that_stalls_keeps_what_came(admin: ApiClient) -> None:
    image = await waiting(admin)
    href = operation(image, "upload") or ""

    async def slow() -> AsyncIterator[bytes]:
        yield RAW[:70_000]
        await asyncio.sleep(30)

    sent = await put(admin, href, slow())
    assert sent.status == 408, sent.text
    assert int((await admin.get(href)).headers["upload-offset"]) == 70_000


async def test_two_requests_do_not_send_bytes_of_one_image_at_once(admin: ApiClient) -> None:
    image = await waiting(admin)
    href = operation(image, "upload") or ""
    begun = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield RAW[:10]
        begun.set()
        await asyncio.sleep(30)

    first = asyncio.ensure_future(put(admin, href, slow()))
    await begun.wait()
    while (await admin.get(href)).headers["upload-offset"] != "10":
        await asyncio.sleep(0.01)
    second = await put(admin, href, RAW)
    assert second.status == 409, second.text
    await first


async def test_uploaded_bytes_that_are_no_image_leave_an_error_that_can_be_uploaded_to_again(
    admin: ApiClient, driver: MemoryDriver, staging: Path
) -> None:
    image = await waiting(admin)
    href = operation(image, "upload") or ""
    sent = await put(admin, href, b"x" * len(RAW))
    assert sent.status == 400, sent.text
    assert "no disk image" in sent.message
    shown = await admin.document(image["id"])
    assert shown["state"] == "ERROR"
    assert stored(driver) == []
    assert left(staging) == []
    await put(admin, operation(shown, "upload") or "", RAW)
    await admin.state(image["id"], "AVAILABLE")


async def test_a_wrong_sum_of_an_upload_is_named(admin: ApiClient, driver: MemoryDriver) -> None:
    image = await waiting(admin, sha256="0" * 64)
    sent = await put(admin, operation(image, "upload") or "", RAW)
    assert sent.status == 400
    assert sent.message.startswith("sha256")
    assert stored(driver) == []


async def test_deleting_an_image_that_waits_removes_what_came(admin: ApiClient, staging: Path) -> None:
    image = await waiting(admin)
    await put(admin, operation(image, "upload") or "", RAW[:1000])
    assert left(staging)
    gone = await admin.delete(image["id"])
    await admin.ended(gone.job)
    assert (await admin.get(image["id"])).status == 404
    assert left(staging) == []


async def test_an_upload_that_nobody_goes_on_with_is_given_up(
    admin: ApiClient, gateway: Gateway, staging: Path
) -> None:
    image = await waiting(admin)
    await put(admin, operation(image, "upload") or "", RAW[:1000])
    age(staging)
    await gateway._staging.sweep()
    assert (await admin.get(image["id"])).status == 404
    assert left(staging) == []


async def test_what_belongs_to_no_image_is_cleared_from_the_staging_directory(
    gateway: Gateway, staging: Path
) -> None:
    (staging / "machineImages-gone").mkdir(parents=True)
    (staging / "machineImages-gone" / "data").write_bytes(b"x")
    await gateway._staging.sweep()
    assert left(staging) == []


@pytest.mark.parametrize(("user", "status"), [("other", 404), ("viewer", 404)])
async def test_another_users_upload_is_not_there(client: Callable[..., ApiClient], user: str, status: int) -> None:
    image = await waiting(client("operator"))
    assert (await put(client(user), operation(image, "upload") or "", RAW)).status == status


async def test_a_shared_image_that_waits_takes_bytes_from_its_owner_only(client: Callable[..., ApiClient]) -> None:
    image = await waiting(client("admin"))
    assert operation(await client("operator").document(image["id"]), "upload") is None
    assert (await put(client("operator"), f"{image['id']}/upload", RAW)).status == 403


async def test_an_available_image_takes_no_bytes(admin: ApiClient, image: str) -> None:
    assert (await put(admin, f"{image}/upload", RAW)).status == 404


@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_other_methods_say_which_there_are(admin: ApiClient, method: str) -> None:
    image = await waiting(admin)
    answer = await admin.request(method, operation(image, "upload") or "")
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD, PUT")


# Download


async def test_a_download_gives_the_bytes_as_they_are_kept(admin: ApiClient, image: str, images: Path) -> None:
    href = operation(await admin.document(image), "download") or ""
    status, data, headers = await bytes_of(admin, href)
    assert (status, data) == (200, (images / "guest.qcow2").read_bytes())
    assert headers["content-type"] == OCTETS


@pytest.mark.parametrize(
    ("asked", "begin", "end"), [("bytes=0-9", 0, 10), ("bytes=100-", 100, None), ("bytes=-7", -7, None)]
)
async def test_a_part_of_the_bytes_can_be_asked_for(
    admin: ApiClient, image: str, images: Path, asked: str, begin: int, end: int | None
) -> None:
    whole = (images / "guest.qcow2").read_bytes()
    status, data, headers = await bytes_of(admin, f"{image}/download", Range=asked)
    assert (status, data) == (206, whole[begin:end])
    assert headers["content-range"].endswith(f"/{len(whole)}")


async def test_a_range_behind_the_end_is_416(admin: ApiClient, image: str) -> None:
    status, _data, headers = await bytes_of(admin, f"{image}/download", Range="bytes=99999999-")
    assert (status, headers["content-range"]) == (416, "bytes */262144")


async def test_who_may_use_a_shared_image_may_download_it_but_a_viewer_not(
    client: Callable[..., ApiClient], image: str
) -> None:
    assert (await bytes_of(client("operator"), f"{image}/download"))[0] == 200
    assert (await bytes_of(client("viewer"), f"{image}/download"))[0] == 403
    assert operation(await client("viewer").document(image), "download") is None


async def test_another_users_image_cannot_be_downloaded(client: Callable[..., ApiClient], images: Path) -> None:
    own = await client("operator").post("machineImages", {"imageLocation": f"file://{images / 'guest.qcow2'}"})
    assert (await bytes_of(client("other"), f"{own.location}/download"))[0] == 404


async def test_an_image_that_waits_cannot_be_downloaded(admin: ApiClient) -> None:
    image = await waiting(admin)
    assert (await bytes_of(admin, f"{image['id']}/download"))[0] == 409


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
    command = ["qemu-img", "convert", "-f", "raw", "-O", kind, tmp_path / "disk.raw", tmp_path / "disk"]
    await asyncio.to_thread(subprocess.run, command, check=True)
    server.data = (tmp_path / "disk").read_bytes()
    made = await admin.post("machineImages", {"imageLocation": server.url})
    job = await admin.ended(made.job)
    assert job["state"] == "SUCCESS", job
    assert [data[:4] for data in stored(driver)] == [b"QFI\xfb"]
    assert left(staging) == []


@pytest.mark.parametrize(("kind", "ranges"), [("qcow2", True), ("qcow2", False), ("raw", True), ("vmdk", True)])
async def test_the_firmware_an_image_needs_is_seen_whatever_way_it_came(
    admin: ApiClient, gateway: Gateway, server: WebServer, tmp_path: Path, kind: str, ranges: bool
) -> None:
    command = ["qemu-img", "convert", "-f", "raw", "-O", kind, disk(tmp_path, b""), tmp_path / "disk"]
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
    monkeypatch.setattr(MemoryDriver, "can_overlay", lambda _self, _pool: False)
    (tmp_path / "disk.raw").write_bytes(RAW)
    command = ["qemu-img", "convert", "-f", "raw", "-O", "qcow2", tmp_path / "disk.raw", tmp_path / "disk"]
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
    driver.pool_capacity = 1000
    assert (await admin.post("machineImages", {"imageLocation": server.url})).status == 507


async def test_a_disk_that_fills_up_in_the_middle_leaves_nothing(
    admin: ApiClient, driver: MemoryDriver, server: WebServer
) -> None:
    driver.fail_next("upload_volume", DriverNoSpace("the pool is full"))
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
    command = ["qemu-img", "convert", "-f", "raw", "-O", "vmdk", tmp_path / "disk.raw", images / "disk.vmdk"]
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

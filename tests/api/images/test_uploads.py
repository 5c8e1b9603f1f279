"""Uploads of MachineImages: whole and in parts, resumed, refused, given up. Over the hypervisor in memory."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from drivers.memory import MemoryDriver
from gateway import clock, config
from gateway.app import Gateway
from tests.api.client import ApiClient
from tests.api.images.transfers import EXTENSION, RAW, age, left, operation, put, stored, waiting

pytestmark = pytest.mark.slow

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
    sent = await put(admin, href, RAW[:10], Content_Range=f"bytes 0-9/{len(RAW)}", Content_Digest=f"sha-256=:{digest}:")
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
    admin: ApiClient, gateway: Gateway, staging: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "SETTLING", 0.0)
    image = await waiting(admin)
    await put(admin, operation(image, "upload") or "", RAW[:1000])
    age(staging)
    await gateway._staging.sweep()
    assert (await admin.get(image["id"])).status == 404
    assert left(staging) == []


async def test_what_belongs_to_no_image_is_cleared_from_the_staging_directory(gateway: Gateway, staging: Path) -> None:
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

"""VolumeImages from files, URLs and uploads, and what they were promised. Over the hypervisor in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from drivers.base import VolumeFacts
from drivers.memory import MemoryDriver
from tests.api.client import ApiClient
from tests.api.images.transfers import RAW, bytes_of, left, operation, put
from tests.api.volume_images.imaging import MIB, image_of
from tests.web_server import WebServer

# From elsewhere


async def test_bytes_go_up_and_come_down_again(admin: ApiClient, staging: Path) -> None:
    image = (await admin.post("volumeImages", {"name": "up", "size": len(RAW), "bootable": True})).json
    assert (image["state"], image["bootable"]) == ("CREATING", True)
    sent = await put(admin, operation(image, "upload") or "", RAW)
    assert sent.status == 200, sent.text
    shown = await admin.document(image["id"])
    assert (shown["state"], shown["size"]) == ("AVAILABLE", len(RAW))
    assert (await bytes_of(admin, operation(shown, "download") or ""))[1] == RAW
    assert left(staging) == []


async def test_an_image_comes_from_a_file_and_one_from_a_url(
    client: Callable[..., ApiClient], images: Path, server: WebServer
) -> None:
    for location in (f"file://{images / 'guest.qcow2'}", server.url + "/data.raw?token=secret"):
        made = await client("admin").post("volumeImages", {"imageLocation": location})
        assert made.status == 201, made.text
        shown = await client("operator").document(made.location)
        assert (shown["state"], shown["bootable"]) == ("AVAILABLE", False)


async def test_an_upload_that_waits_is_removed_by_a_delete(admin: ApiClient, staging: Path) -> None:
    image = (await admin.post("volumeImages", {"size": len(RAW)})).json
    await put(admin, operation(image, "upload") or "", RAW[:100])
    assert left(staging)
    assert (await admin.delete(image["id"])).status == 200
    assert left(staging) == []


# Promises


async def test_the_staging_directory_keeps_what_it_promised_to_uploads_that_wait(
    admin: ApiClient, gateway: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    staging = gateway._staging._room.images.staging
    monkeypatch.setattr(type(staging), "_free", lambda _staging: 10_000)
    first = await admin.post("volumeImages", {"size": 6000})
    assert first.status == 201
    answers = await asyncio.gather(*(admin.post(kind, {"size": 3000}) for kind in ("machineImages", "volumeImages")))
    assert sorted(answer.status for answer in answers) == [201, 507]
    monkeypatch.setattr(type(staging), "_free", lambda _staging: 7_000)
    await put(admin, f"{first.location}/upload", RAW[:3000], Content_Range="bytes 0-2999/6000")
    assert (await admin.post("volumeImages", {"size": 1000})).status == 201
    assert (await admin.delete(first.location)).status == 200
    assert (await admin.post("volumeImages", {"size": 3000})).status == 201


async def test_a_user_leaves_no_more_uploads_waiting_than_configured(
    client: Callable[..., ApiClient], gateway: Any
) -> None:
    tools = gateway._staging._room.images
    object.__setattr__(tools, "waiting_uploads", 2)
    operator = client("operator")
    made = [await operator.post(kind, {"size": 10}) for kind in ("machineImages", "volumeImages")]
    refused = await operator.post("volumeImages", {"size": 10})
    assert refused.status == 409
    assert "waiting_uploads" in refused.message
    assert (await client("other").post("volumeImages", {"size": 10})).status == 201
    assert (await operator.delete(made[0].location)).status == 200
    assert (await operator.post("volumeImages", {"size": 10})).status == 201


async def test_the_metadata_say_what_is_offered(admin: ApiClient) -> None:
    capabilities = {
        entry["name"]: entry["value"] for entry in (await admin.document("resourceMetadata/Volume"))["capabilities"]
    }
    assert capabilities["VolumeSnapshot"] is True
    assert capabilities["VolumeImageByValue"] is True
    shown = await admin.document("resourceMetadata/VolumeImage")
    assert {action["name"] for action in shown["actions"]} == {"upload", "download"}


async def test_a_foreign_volume_can_be_imaged_by_an_admin(
    admin: ApiClient, client: Callable[..., ApiClient], gateway: Any, driver: MemoryDriver
) -> None:
    driver.state.volumes[("default", "a.qcow2")] = replace(
        VolumeFacts("default", "a.qcow2", "/default/a.qcow2", "qcow2", 64 * MIB, MIB)
    )
    await gateway.reconciliation.volumes.compare(driver)
    (found,) = (await admin.document("volumes"))["volumes"]
    image = await image_of(admin, found["id"])
    assert (await client("operator").get(image)).status == 404

"""Volumes made of VolumeImages, by reference and by value. Over the hypervisor in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drivers.memory import MemoryDriver
from tests.api.client import ApiClient
from tests.api.images.transfers import RAW, left
from tests.api.volume_images.imaging import image_of, valued
from tests.api.volumes import stored
from tests.empty_image import qcow2
from tests.web_server import WebServer

pytestmark = pytest.mark.slow


async def test_a_volume_of_an_image_has_its_size_and_is_an_overlay_where_it_can(
    client: Callable[..., ApiClient], source: str, driver: MemoryDriver
) -> None:
    made = await client("operator").post("volumes", {"volumeTemplate": {"volumeImage": {"href": source}}})
    assert made.status == 201, made.text
    assert (made.json["capacity"], made.json["bootable"]) == (33_555, True)
    assert stored(driver, made.location).backing == stored(driver, source).path


async def test_another_format_makes_a_full_copy(admin: ApiClient, source: str, driver: MemoryDriver) -> None:
    template = {"volumeConfig": {"format": "raw", "capacity": 40_000}, "volumeImage": {"href": source}}
    made = await admin.post("volumes", {"volumeTemplate": template})
    kept = stored(driver, made.location)
    assert (kept.format, kept.backing) == ("raw", None)
    assert kept.capacity >= 40_000_000
    assert (await admin.delete(source)).status == 200


async def test_bootable_can_be_said_beside_the_href(admin: ApiClient, source: str) -> None:
    template = {"volumeImage": {"href": source, "bootable": False}}
    assert (await admin.post("volumes", {"volumeTemplate": template})).json["bootable"] is False


async def test_an_image_below_overlays_is_not_deleted_until_they_are_gone(admin: ApiClient, source: str) -> None:
    made = await admin.post("volumes", {"volumeTemplate": {"volumeImage": {"href": source}}})
    refused = await admin.delete(source)
    assert refused.status == 409
    assert "overlays" in refused.message
    assert (await admin.delete(made.location)).status == 200
    assert (await admin.delete(source)).status == 200


async def test_an_image_of_an_overlay_is_flat(admin: ApiClient, source: str, driver: MemoryDriver) -> None:
    made = await admin.post("volumes", {"volumeTemplate": {"volumeImage": {"href": source}}})
    image = await image_of(admin, made.location)
    assert stored(driver, image).backing is None
    assert (await admin.document(image))["bootable"] is True


async def test_a_volume_smaller_than_its_image_is_400(admin: ApiClient, source: str) -> None:
    template = {"volumeConfig": {"capacity": 9}, "volumeImage": {"href": source}}
    answer = await admin.post("volumes", {"volumeTemplate": template})
    assert (answer.status, answer.message.partition(":")[0]) == (400, "volumeTemplate.volumeConfig.capacity")


async def test_an_image_that_is_not_there_yet_is_409(admin: ApiClient) -> None:
    image = (await admin.post("volumeImages", {"size": 5000})).location
    answer = await admin.post("volumes", {"volumeTemplate": {"volumeImage": {"href": image}}})
    assert answer.status == 409
    assert "CREATING" in answer.message


async def test_a_machine_gets_a_volume_of_an_image(admin: ApiClient, image: str, source: str) -> None:
    document = admin.machine(image, volumeTemplates=[{"volumeImage": {"href": source}}])
    made = await admin.post("machines", document)
    assert made.status == 201, made.text
    (attachment,) = (await admin.document(f"{made.location}/volumes"))["machineVolumes"]
    assert (await admin.document(attachment["volume"]["href"]))["capacity"] == 33_555


# Images by value


async def test_an_image_by_value_is_put_into_the_volume_itself(
    admin: ApiClient, images: Path, driver: MemoryDriver, staging: Path
) -> None:
    made = await admin.post("volumes", valued(f"file://{images / 'guest.qcow2'}", 50_000, bootable=True))
    assert made.status == 201, made.text
    shown = await admin.document(made.location)
    assert (shown["state"], shown["capacity"], shown["bootable"]) == ("AVAILABLE", 50_000, True)
    assert stored(driver, made.location).capacity >= 50_000_000
    assert list(driver.state.contents.values()) == [qcow2()]
    assert (await admin.document("volumeImages"))["count"] == 0
    assert left(staging) == []
    assert (await admin.delete(made.location)).status == 200


@pytest.mark.parametrize("ranges", [True, False])
async def test_a_url_by_value_takes_the_way_that_its_server_allows(
    admin: ApiClient, server: WebServer, driver: MemoryDriver, staging: Path, ranges: bool
) -> None:
    server.ranges = ranges
    document = valued(server.url, 50_000)
    document["volumeTemplate"]["volumeConfig"]["format"] = "raw"
    made = await admin.post("volumes", document)
    assert made.status == 201, made.text
    assert list(driver.state.contents.values()) == [RAW]
    assert left(staging) == []


async def test_bytes_of_another_format_are_converted_on_their_way(
    admin: ApiClient, server: WebServer, driver: MemoryDriver, staging: Path
) -> None:
    made = await admin.post("volumes", valued(server.url, 50_000))
    assert made.status == 201, made.text
    assert stored(driver, made.location).format == "qcow2"
    assert driver.state.contents[("default", stored(driver, made.location).name)].startswith(b"QFI\xfb")
    assert left(staging) == []


@pytest.mark.parametrize(
    ("more", "ranges", "named"),
    [
        ({"sha256": "0" * 64}, True, "sha256"),
        ({"size": 7}, True, "volumeTemplate.volumeImage.size"),
        ({"capacity": 10}, True, "volumeTemplate.volumeConfig.capacity"),
        ({"capacity": 10}, False, "volumeConfig.capacity"),
        ({"capacity": None}, False, "volumeTemplate.volumeConfig.capacity"),
    ],
)
async def test_a_wrong_image_by_value_is_named_and_leaves_nothing(
    admin: ApiClient,
    server: WebServer,
    driver: MemoryDriver,
    staging: Path,
    more: dict[str, Any],
    ranges: bool,
    named: str,
) -> None:
    server.ranges = ranges
    answer = await admin.post("volumes", valued(server.url, **{"capacity": 50_000, **more}))
    assert answer.status == 400, answer.text
    assert answer.message.startswith(f"{named}:")
    assert (await admin.document("volumes"))["count"] == 0
    assert driver.state.volumes == {}
    assert left(staging) == []


@pytest.mark.parametrize(
    ("image", "named"),
    [
        ({"bootable": True}, "volumeTemplate.volumeImage.imageLocation"),
        ({"size": 7}, "volumeTemplate.volumeImage.imageLocation"),
        ({"imageLocation": "file:///etc/passwd"}, "volumeTemplate.volumeImage.imageLocation"),
        ({"imageLocation": "volumes/1"}, "volumeTemplate.volumeImage.imageLocation"),
        ({"imageLocation": 5}, "volumeTemplate.volumeImage.imageLocation"),
        ({"href": "volumeImages/none"}, "volumeTemplate.volumeImage"),
    ],
)
async def test_a_bad_image_by_value_is_400_and_named(admin: ApiClient, image: dict[str, Any], named: str) -> None:
    answer = await admin.post("volumes", {"volumeTemplate": {"volumeConfig": {"capacity": 9}, "volumeImage": image}})
    assert answer.status == 400, answer.text
    assert answer.message.startswith(f"{named}:")


async def test_a_location_beside_an_href_is_400(admin: ApiClient, source: str) -> None:
    answer = await admin.post("volumes", valued("file:///x", href=source))
    assert (answer.status, answer.message.partition(":")[0]) == (400, "volumeTemplate.volumeImage.imageLocation")


async def test_a_machine_whose_volumes_image_cannot_be_fetched_leaves_nothing(
    admin: ApiClient, image: str, server: WebServer, driver: MemoryDriver, staging: Path
) -> None:
    before = set(driver.state.volumes)
    template = valued(server.url, 50_000, sha256="0" * 64)["volumeTemplate"]
    failed = await admin.post("machines", admin.machine(image, volumeTemplates=[template]))
    assert failed.status == 400, failed.text
    assert (await admin.document("volumes"))["count"] == 0
    assert set(driver.state.volumes) == before
    assert left(staging) == []


async def test_deleting_a_volume_that_is_being_filled_ends_the_transfer(
    admin: ApiClient, server: WebServer, driver: MemoryDriver, staging: Path
) -> None:
    server.stall_at = 100_000
    made = await admin.post("volumes", valued(server.url, 50_000), Prefer="respond-async")
    while not server.stalled:
        await asyncio.sleep(0.01)
    assert (await admin.delete(made.location)).status == 200
    server.stall_at = None
    assert (await admin.get(made.location)).status == 404
    assert driver.state.volumes == {}
    assert left(staging) == []

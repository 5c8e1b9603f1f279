"""VolumeImages made of Volumes, and Volumes made of VolumeImages. Over the hypervisor in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from drivers.base import DriverFailed, PoolSettings, Progress, VolumeFacts
from drivers.memory import MemoryDriver
from gateway import config
from tests.api.client import ACTION, ApiClient
from tests.api.conftest import qcow2
from tests.api.test_images import RAW, bytes_of, left, operation, put
from tests.api.test_volumes import by_value, stored, verbs
from tests.web_server import WebServer, serving

NAMESPACE = "{http://schemas.dmtf.org/cimi/1}"
MIB = 1024**2


@pytest.fixture
def settings(settings: config.Settings) -> config.Settings:
    """Loopback servers may be fetched from."""
    object.__setattr__(settings.images, "private_networks", ["127.0.0.0/8"])
    return settings


@pytest.fixture
def staging(settings: config.Settings) -> Path:
    return Path(settings.images.staging)


@pytest.fixture
async def server() -> AsyncIterator[WebServer]:
    async with serving(WebServer(RAW)) as running:
        yield running


@pytest.fixture
async def volume(admin: ApiClient) -> str:
    return (await admin.post("volumes", by_value())).location


async def image_of(client: ApiClient, volume: str, **more: Any) -> str:
    made = await client.post("volumeImages", {"imageLocation": volume, **more})
    assert made.status == 201, made.text
    return made.location


async def entries(client: ApiClient, volume: str) -> list[dict[str, Any]]:
    return list((await client.document(f"{volume}/images")).get("volumeVolumeImages", []))


async def connected(admin: ApiClient, machine: str, volume: str) -> str:
    made = await admin.post(f"{machine}/volumes", {"volume": {"href": volume}})
    assert made.status == 201, made.text
    return made.location


class Slow(MemoryDriver):
    """Copies take until they are let go."""

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()
        self.begun = asyncio.Event()

    async def clone_volume(self, *arguments: Any, **named: Any) -> VolumeFacts:
        self.begun.set()
        await self.go.wait()
        return await super().clone_volume(*arguments, **named)

    async def copy_active_disk(self, uuid: str, target: str, pool: str, name: str, progress: Progress) -> VolumeFacts:
        self.begun.set()
        await self.go.wait()
        return await super().copy_active_disk(uuid, target, pool, name, progress)


# Made of a Volume


async def test_an_image_is_made_of_a_volume_and_stands_among_its_images(
    admin: ApiClient, volume: str, driver: MemoryDriver
) -> None:
    image = await image_of(admin, volume, name="copy", properties={"a": "b"})
    shown = await admin.document(image)
    assert (shown["state"], shown["name"], shown["properties"]) == ("AVAILABLE", "copy", {"a": "b"})
    assert shown["imageLocation"] == f"{image}/download"
    assert stored(driver, image).format == "qcow2"
    assert stored(driver, image).backing is None
    assert [entry["volumeImage"]["href"] for entry in await entries(admin, volume)] == [image]
    assert (await admin.document(volume))["state"] == "AVAILABLE"


@pytest.mark.parametrize("way", ["action", "empty action", "action document", "entry", "imageLocation"])
async def test_every_way_to_ask_for_an_image_of_a_volume_does_the_same(
    admin: ApiClient, volume: str, way: str
) -> None:
    href = next(
        entry["href"]
        for entry in (await admin.document(volume))["operations"]
        if entry["rel"] == f"{ACTION}snapshot"
    )
    url, body = {
        "action": (href, {"name": "x"}),
        "empty action": (href, b""),
        "action document": (href, {"resourceURI": "Action", "action": f"{ACTION}snapshot", "name": "x"}),
        "entry": (f"{volume}/images", {"name": "x"}),
        "imageLocation": ("volumeImages", {"name": "x", "imageLocation": {"href": volume}}),
    }[way]
    made = await admin.post(url, body)  # type: ignore[arg-type]
    assert made.status == 201, made.text
    (entry,) = await entries(admin, volume)
    assert made.location == (entry["id"] if way == "entry" else entry["volumeImage"]["href"])
    assert (await admin.document(entry["volumeImage"]["href"]))["state"] == "AVAILABLE"


async def test_an_xml_client_makes_an_image_of_a_volume_and_a_volume_of_it(
    client: Callable[..., ApiClient], volume: str
) -> None:
    xml = client("admin", "xml")
    body = f"<VolumeImage><name>x</name><imageLocation>{volume}</imageLocation><bootable>true</bootable></VolumeImage>"
    made = await xml.request("POST", "volumeImages", body.encode(), Content_Type="application/xml")
    assert made.status == 201, made.text
    assert made.xml.tag == f"{NAMESPACE}VolumeImage"
    assert made.xml.findtext(f"{NAMESPACE}bootable") == "true"
    listed = (await xml.get(f"{volume}/images")).xml
    (entry,) = listed.findall(f"{NAMESPACE}VolumeVolumeImage")
    assert entry.findall(f"{NAMESPACE}volumeImage")[0].get("href") == made.location
    assert [o.get("rel") for o in listed.findall(f"{NAMESPACE}operation")] == []
    body = f"""<VolumeCreate><volumeTemplate><volumeConfig><capacity>60000</capacity></volumeConfig>
      <volumeImage href="{made.location}"/></volumeTemplate></VolumeCreate>"""
    again = await xml.request("POST", "volumes", body.encode(), Content_Type="application/xml")
    assert again.status == 201, again.text
    assert again.xml.findtext(f"{NAMESPACE}bootable") == "true"


async def test_deleting_the_image_removes_its_entry_and_its_bytes(
    admin: ApiClient, volume: str, driver: MemoryDriver
) -> None:
    image = await image_of(admin, volume)
    assert (await admin.delete(image)).status == 200
    assert await entries(admin, volume) == []
    assert stored(driver, image) is None
    assert stored(driver, volume) is not None


async def test_deleting_the_entry_leaves_the_image_and_it_can_come_back(admin: ApiClient, volume: str) -> None:
    image = await image_of(admin, volume)
    (entry,) = await entries(admin, volume)
    assert (await admin.delete(entry["id"])).status == 200
    assert await entries(admin, volume) == []
    assert (await admin.document(image))["state"] == "AVAILABLE"
    again = await admin.post(f"{volume}/images", {"volumeImage": {"href": image}})
    assert (again.status, again.location) == (201, entry["id"])
    assert (await admin.delete(image)).status == 200
    assert await entries(admin, volume) == []


async def test_an_image_of_something_else_does_not_become_an_entry(admin: ApiClient, volume: str) -> None:
    other = (await admin.post("volumes", by_value())).location
    image = await image_of(admin, other)
    refused = await admin.post(f"{volume}/images", {"volumeImage": {"href": image}})
    assert (refused.status, refused.message.partition(":")[0]) == (400, "volumeImage")
    assert await entries(admin, volume) == []


async def test_deleting_the_volume_leaves_its_images(admin: ApiClient, volume: str) -> None:
    image = await image_of(admin, volume)
    assert (await admin.delete(volume)).status == 200
    assert (await admin.document(image))["state"] == "AVAILABLE"
    assert (await admin.delete(image)).status == 200


async def test_a_failed_copy_leaves_nothing(admin: ApiClient, volume: str, driver: MemoryDriver) -> None:
    driver.fail_next("clone_volume", DriverFailed("libvirt said no"))
    failed = await admin.post("volumeImages", {"imageLocation": volume})
    assert failed.status == 500
    assert await entries(admin, volume) == []
    assert (await admin.document("volumeImages"))["count"] == 0
    assert (await admin.document(volume))["state"] == "AVAILABLE"


async def test_a_create_retried_with_one_key_makes_one_image(admin: ApiClient, volume: str) -> None:
    for url, body in (("volumeImages", {"imageLocation": volume}), (f"{volume}/images", {"name": "x"})):
        made = [await admin.post(url, body, Idempotency_Key=f"k{url}") for _ in range(2)]
        assert made[0].location == made[1].location
    assert len(await entries(admin, volume)) == 2
    other = (await admin.post("volumes", by_value())).location
    assert (await admin.post(f"{other}/images", {"name": "x"}, Idempotency_Key=f"k{volume}/images")).status == 409


async def test_an_image_of_a_users_volume_is_the_users(client: Callable[..., ApiClient]) -> None:
    owner, other = client("operator"), client("other")
    volume = (await owner.post("volumes", by_value())).location
    image = await image_of(client("admin"), volume)
    assert (await owner.get(image)).status == 200
    assert (await other.get(image)).status == 404
    assert (await other.post("volumeImages", {"imageLocation": volume})).status == 400
    assert (await other.post(f"{volume}/snapshot", {})).status == 404
    assert (await other.post(f"{volume}/images", {})).status in (400, 404)
    assert (await other.get(f"{image}/download")).status == 404
    assert (await client("viewer").post("volumeImages", {"imageLocation": volume})).status == 403


@pytest.mark.parametrize(
    ("document", "named"),
    [
        ({}, "imageLocation"),
        ({"imageLocation": "volumes/none"}, "imageLocation"),
        ({"imageLocation": "machines/1"}, "imageLocation"),
        ({"imageLocation": "volumeImages/1"}, "imageLocation"),
        ({"imageLocation": "ftp://x/y"}, "imageLocation"),
        ({"imageLocation": "file:///etc/passwd"}, "imageLocation"),
        ({"size": 5, "bootable": "perhaps"}, "bootable"),
        ({"size": 0}, "size"),
        ({"size": 5, "sha256": "beef"}, "sha256"),
        ({"size": 5, "colour": "red"}, "colour"),
    ],
)
async def test_what_cannot_be_an_image_is_400_and_named(
    admin: ApiClient, document: dict[str, Any], named: str
) -> None:
    answer = await admin.post("volumeImages", document)
    assert answer.status == 400, answer.text
    assert answer.message.startswith(f"{named}:")
    assert (await admin.document("volumeImages"))["count"] == 0


async def test_another_volume_at_the_action_is_400(admin: ApiClient, volume: str) -> None:
    answer = await admin.post(f"{volume}/snapshot", {"imageLocation": "volumes/other"})
    assert (answer.status, answer.message.partition(":")[0]) == (400, "imageLocation")


async def test_an_edit_changes_what_is_the_users(admin: ApiClient, volume: str) -> None:
    image = await image_of(admin, volume)
    edited = await admin.put(image, {"name": "new", "bootable": True, "state": "ERROR", "imageLocation": "x"})
    assert edited.status == 200, edited.text
    shown = await admin.document(image)
    assert (shown["name"], shown["bootable"], shown["state"]) == ("new", True, "AVAILABLE")
    assert shown["imageLocation"] == f"{image}/download"


# While it is copied


class TestDuringTheCopy:
    @pytest.fixture
    def driver(self) -> Slow:
        return Slow()

    async def _begun(self, admin: ApiClient, volume: str, driver: Slow) -> tuple[str, str]:
        made = await admin.post("volumeImages", {"imageLocation": volume}, Prefer="respond-async")
        assert made.status == 202, made.text
        await driver.begun.wait()
        return made.location, made.job

    async def test_a_free_volume_is_capturing_and_takes_no_other_change(
        self, admin: ApiClient, volume: str, machine: str, driver: Slow
    ) -> None:
        image, job = await self._begun(admin, volume, driver)
        assert (await admin.document(volume))["state"] == "CAPTURING"
        assert (await admin.document(image))["state"] == "CREATING"
        assert [entry["volumeImage"]["href"] for entry in await entries(admin, volume)] == [image]
        assert await verbs(admin, volume) == {"edit"}
        assert (await admin.delete(volume)).status == 409
        assert (await admin.put(f"{volume}?$select=capacity", {"capacity": 90_000})).status == 409
        assert (await admin.post(f"{machine}/volumes", {"volume": {"href": volume}})).status == 409
        assert (await admin.post("volumeImages", {"imageLocation": volume})).status == 409
        driver.go.set()
        assert (await admin.ended(job))["state"] == "SUCCESS"
        assert (await admin.document(volume))["state"] == "AVAILABLE"
        assert (await admin.document(image))["state"] == "AVAILABLE"

    async def test_a_create_retried_with_its_key_during_the_copy_gets_its_first_answer(
        self, admin: ApiClient, volume: str, driver: Slow
    ) -> None:
        headers = {"Prefer": "respond-async", "Idempotency_Key": "k"}
        made = [await admin.post("volumeImages", {"imageLocation": volume}, **headers) for _ in range(2)]
        assert (made[0].location, made[0].job) == (made[1].location, made[1].job)
        driver.go.set()
        assert (await admin.ended(made[0].job))["state"] == "SUCCESS"

    async def test_the_volume_of_a_running_machine_stays_available_and_keeps_its_place(
        self, admin: ApiClient, volume: str, machine: str, driver: Slow
    ) -> None:
        attachment = await connected(admin, machine, volume)
        image, job = await self._begun(admin, volume, driver)
        assert (await admin.document(volume))["state"] == "AVAILABLE"
        assert (await admin.document(machine))["state"] == "STARTED"
        assert (await admin.post(f"{machine}/capture", {})).status == 409
        assert (await admin.post(f"{machine}/snapshot", {})).status == 409
        assert (await admin.post("volumeImages", {"imageLocation": volume})).status == 409
        leaving = await admin.delete(attachment, Prefer="respond-async")
        driver.go.set()
        assert (await admin.ended(job))["state"] == "SUCCESS"
        assert (await admin.ended(leaving.job))["state"] == "SUCCESS"
        assert (await admin.document(image))["state"] == "AVAILABLE"
        assert "captured" not in str(await admin.document(image))

    async def test_a_stopped_machine_is_not_started_meanwhile(
        self, admin: ApiClient, volume: str, machine: str, driver: Slow
    ) -> None:
        await connected(admin, machine, volume)
        await admin.acted(machine, "stop", force=True)
        _image, job = await self._begun(admin, volume, driver)
        assert (await admin.document(machine))["state"] == "CAPTURING"
        assert (await admin.document(volume))["state"] == "CAPTURING"
        assert (await admin.act(machine, "start")).status == 409
        driver.go.set()
        assert (await admin.ended(job))["state"] == "SUCCESS"
        assert (await admin.document(machine))["state"] == "STOPPED"
        assert (await admin.document(volume))["state"] == "AVAILABLE"

    @pytest.mark.parametrize("way", ["stop", "delete"])
    async def test_a_volume_that_becomes_a_copy_of_an_image_is_gone_when_its_making_is_broken_off(
        self, admin: ApiClient, source: str, driver: Slow, way: str
    ) -> None:
        template = {"volumeConfig": {"format": "raw"}, "volumeImage": {"href": source}}
        before = dict(driver.stored)
        made = await admin.post("volumes", {"volumeTemplate": template}, Prefer="respond-async")
        await driver.begun.wait()
        if way == "stop":
            await admin.act(made.job, "stop")
        else:
            assert (await admin.delete(made.location)).status == 200
        assert (await admin.ended(made.job))["state"] == "STOPPED"
        assert (await admin.get(made.location)).status == 404
        assert driver.stored == before

    @pytest.mark.parametrize("way", ["stop", "delete"])
    async def test_a_copy_that_is_broken_off_leaves_all_as_it_was(
        self, admin: ApiClient, volume: str, machine: str, driver: Slow, way: str
    ) -> None:
        await connected(admin, machine, volume)
        await admin.acted(machine, "stop", force=True)
        image, job = await self._begun(admin, volume, driver)
        if way == "stop":
            await admin.act(job, "stop")
            assert (await admin.ended(job))["state"] == "STOPPED"
        else:
            assert (await admin.delete(image)).status == 200
        assert (await admin.get(image)).status == 404
        assert await entries(admin, volume) == []
        assert stored(driver, image) is None
        assert (await admin.document(machine))["state"] == "STOPPED"
        assert (await admin.document(volume))["state"] == "AVAILABLE"

    async def test_an_image_is_not_deleted_while_a_volume_is_made_of_it(self, admin: ApiClient, driver: Slow) -> None:
        driver.go.set()
        source = (await admin.post("volumes", by_value())).location
        image = await image_of(admin, source)
        driver.go.clear()
        raw = {"volumeConfig": {"format": "raw"}, "volumeImage": {"href": image}}
        made = await admin.post("volumes", {"volumeTemplate": raw}, Prefer="respond-async")
        assert (await admin.delete(image)).status == 409
        driver.go.set()
        assert (await admin.ended(made.job))["state"] == "SUCCESS"
        assert (await admin.delete(image)).status == 200


class TestShareable:
    @pytest.fixture
    def hypervisor(self) -> dict[str, Any]:
        pool = PoolSettings("default", formats=["raw"], shareable=True)
        return {"pools": (pool,)}

    async def test_a_volume_that_several_machines_write_is_copied_only_when_they_stand_still(
        self, admin: ApiClient, image: str, machine: str, volume: str
    ) -> None:
        other = (await admin.post("machines", admin.machine(image), Prefer="wait=30")).location
        for holder in (machine, other):
            await connected(admin, holder, volume)
        refused = await admin.post("volumeImages", {"imageLocation": volume})
        assert refused.status == 409
        assert "stop them first" in refused.message
        for holder in (machine, other):
            await admin.acted(holder, "stop", force=True)
        assert (await admin.document(await image_of(admin, volume)))["state"] == "AVAILABLE"


class TestWithoutFiles:
    @pytest.fixture
    def driver(self) -> MemoryDriver:
        return MemoryDriver(pool_kinds={"default": "logical"})

    async def test_an_image_in_a_pool_without_files_is_raw(
        self, admin: ApiClient, volume: str, driver: MemoryDriver
    ) -> None:
        assert stored(driver, await image_of(admin, volume)).format == "raw"

    async def test_a_running_disk_cannot_be_copied_there_and_the_reason_is_said(
        self, admin: ApiClient, volume: str, images: Path
    ) -> None:
        (images / "guest.raw").write_bytes(RAW)
        image = (await admin.post("machineImages", {"imageLocation": f"file://{images / 'guest.raw'}"})).location
        machine = (await admin.post("machines", admin.machine(image))).location
        await connected(admin, machine, volume)
        refused = await admin.post("volumeImages", {"imageLocation": volume})
        assert refused.status == 501
        assert "pool of files" in refused.message


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


# Volumes of images


@pytest.fixture
async def source(admin: ApiClient, images: Path) -> str:
    """An image of 32 MiB that everybody sees."""
    made = await admin.post("volumeImages", {"imageLocation": f"file://{images / 'guest.qcow2'}", "bootable": True})
    return made.location


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


def valued(location: str, capacity: int | None = None, **more: Any) -> dict[str, Any]:
    config = {"volumeConfig": {"capacity": capacity}} if capacity else {}
    return {"volumeTemplate": {**config, "volumeImage": {"imageLocation": location, **more}}}


async def test_an_image_by_value_is_put_into_the_volume_itself(
    admin: ApiClient, images: Path, driver: MemoryDriver, staging: Path
) -> None:
    made = await admin.post("volumes", valued(f"file://{images / 'guest.qcow2'}", 50_000, bootable=True))
    assert made.status == 201, made.text
    shown = await admin.document(made.location)
    assert (shown["state"], shown["capacity"], shown["bootable"]) == ("AVAILABLE", 50_000, True)
    assert stored(driver, made.location).capacity >= 50_000_000
    assert list(driver.contents.values()) == [qcow2()]
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
    assert list(driver.contents.values()) == [RAW]
    assert left(staging) == []


async def test_bytes_of_another_format_are_converted_on_their_way(
    admin: ApiClient, server: WebServer, driver: MemoryDriver, staging: Path
) -> None:
    made = await admin.post("volumes", valued(server.url, 50_000))
    assert made.status == 201, made.text
    assert stored(driver, made.location).format == "qcow2"
    assert driver.contents[("default", stored(driver, made.location).name)].startswith(b"QFI\xfb")
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
    assert driver.stored == {}
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
    before = set(driver.stored)
    template = valued(server.url, 50_000, sha256="0" * 64)["volumeTemplate"]
    failed = await admin.post("machines", admin.machine(image, volumeTemplates=[template]))
    assert failed.status == 400, failed.text
    assert (await admin.document("volumes"))["count"] == 0
    assert set(driver.stored) == before
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
    assert driver.stored == {}
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
    driver.stored[("default", "a.qcow2")] = replace(
        VolumeFacts("default", "a.qcow2", "/default/a.qcow2", "qcow2", 64 * MIB, MIB)
    )
    await gateway._sync._volumes.compare(driver)
    (found,) = (await admin.document("volumes"))["volumes"]
    image = await image_of(admin, found["id"])
    assert (await client("operator").get(image)).status == 404

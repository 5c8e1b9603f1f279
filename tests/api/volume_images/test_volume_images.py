"""VolumeImages made of Volumes. Over the hypervisor in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from drivers.base import DriverFailed, PoolSettings, VolumeFacts
from drivers.memory import MemoryDriver
from tests.api.client import ACTION, ApiClient
from tests.api.images.transfers import RAW
from tests.api.namespaces import NAMESPACE
from tests.api.operations import rels
from tests.api.volume_images.imaging import connected, entries, image_of
from tests.api.volumes import by_value, stored

pytestmark = pytest.mark.slow


class Slow(MemoryDriver):
    """Copies take until they are let go."""

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()
        self.begun = asyncio.Event()
        self.storage.clone_volume = self._slow(self.storage.clone_volume)  # type: ignore[method-assign, assignment]
        self.copies.make = self._slow(self.copies.make)  # type: ignore[method-assign, assignment]

    def _slow(self, copy: Callable[..., Awaitable[VolumeFacts]]) -> Callable[..., Awaitable[VolumeFacts]]:
        async def copied(*arguments: Any, **named: Any) -> VolumeFacts:
            self.begun.set()
            await self.go.wait()
            return await copy(*arguments, **named)

        return copied


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
async def test_every_way_to_ask_for_an_image_of_a_volume_does_the_same(admin: ApiClient, volume: str, way: str) -> None:
    href = next(
        entry["href"] for entry in (await admin.document(volume))["operations"] if entry["rel"] == f"{ACTION}snapshot"
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
    driver.fail_next("storage.clone_volume", DriverFailed("libvirt said no"))
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
async def test_what_cannot_be_an_image_is_400_and_named(admin: ApiClient, document: dict[str, Any], named: str) -> None:
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
        assert await rels(admin, volume) == {"edit"}
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
        before = dict(driver.state.volumes)
        made = await admin.post("volumes", {"volumeTemplate": template}, Prefer="respond-async")
        await driver.begun.wait()
        if way == "stop":
            await admin.act(made.job, "stop")
        else:
            assert (await admin.delete(made.location)).status == 200
        assert (await admin.ended(made.job))["state"] == "STOPPED"
        assert (await admin.get(made.location)).status == 404
        assert driver.state.volumes == before

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

"""Volumes through the API, with a client's eyes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from drivers.base import DriverFailed, DriverNoSpace
from drivers.memory import MemoryDriver
from tests.api.client import ApiClient
from tests.api.namespaces import NAMESPACE
from tests.api.volumes import MAPPED, by_value, stored

pytestmark = pytest.mark.slow

KILOBYTES_OF_POOL = 10 * 1024**3 // 1000


@pytest.fixture
async def volume(admin: ApiClient) -> str:
    made = await admin.post("volumes", by_value())
    assert made.status == 201, made.text
    return made.location


async def test_a_volume_by_value_is_available_with_what_was_asked(
    admin: ApiClient, volume: str, driver: MemoryDriver
) -> None:
    document = await admin.document(volume)
    shown = {name: document[name] for name in ("name", "state", "type", "capacity", "bootable")}
    assert shown == {"name": "data", "state": "AVAILABLE", "type": MAPPED, "capacity": 50_000, "bootable": False}
    assert stored(driver, volume).format == "qcow2"
    assert stored(driver, volume).capacity >= 50_000_000


async def test_its_collections_are_there_and_empty(admin: ApiClient, volume: str) -> None:
    for name in ("images", "meters"):
        collection = await admin.document((await admin.document(volume))[name]["href"])
        assert collection["count"] == 0


async def test_an_xml_client_creates_grows_and_deletes_a_volume(client: Callable[..., ApiClient]) -> None:
    xml = client("admin", "xml")
    body = f"""<VolumeCreate xmlns="http://schemas.dmtf.org/cimi/1"><name>data</name><volumeTemplate><volumeConfig>
      <type>{MAPPED}</type><format>raw</format><capacity> 1024 </capacity></volumeConfig></volumeTemplate>
      </VolumeCreate>""".encode()
    made = await xml.post("volumes", body)
    assert made.status == 201, made.text
    assert made.xml.tag == f"{NAMESPACE}Volume"
    assert made.xml.findtext(f"{NAMESPACE}type") == MAPPED
    grown = await xml.put(f"{made.location}?$select=capacity", b"<Volume><capacity>2048</capacity></Volume>")
    assert grown.status == 200, grown.text
    assert grown.xml.findtext(f"{NAMESPACE}capacity") == "2048"
    assert (await xml.delete(made.location)).status == 200


async def test_a_volume_comes_from_a_configuration_and_a_template_by_reference(admin: ApiClient) -> None:
    config = await admin.post("volumeConfigs", {"name": "small", "capacity": 20_000, "format": "raw"})
    assert config.json["type"] == MAPPED
    template = await admin.post("volumeTemplates", {"name": "t", "volumeConfig": {"href": config.location}})
    made = await admin.post("volumes", {"volumeTemplate": {"href": template.location}})
    assert made.json["capacity"] == 20_000
    overridden = {"href": template.location, "volumeConfig": {"href": config.location, "capacity": 30_000}}
    made = await admin.post("volumes", {"volumeTemplate": overridden})
    assert made.json["capacity"] == 30_000
    assert (await admin.delete(template.location)).status == 200


async def test_filters_know_the_type_by_its_uri(admin: ApiClient, volume: str) -> None:
    found = await admin.document(f"volumes?$filter=type='{quote(MAPPED, safe='')}'")
    assert [entry["id"] for entry in found["volumes"]] == [volume]
    assert (await admin.document("volumes?$filter=type!='mapped'"))["count"] == 0


@pytest.mark.parametrize(
    ("template", "named"),
    [
        ({}, "volumeTemplate.volumeConfig"),
        ({"volumeConfig": {}}, "volumeTemplate.volumeConfig"),
        ({"volumeConfig": {"capacity": 0}}, "volumeTemplate.volumeConfig.capacity"),
        ({"volumeConfig": {"capacity": "big"}}, "volumeTemplate.volumeConfig.capacity"),
        ({"volumeConfig": {"capacity": KILOBYTES_OF_POOL + 1000}}, "volumeTemplate.volumeConfig.capacity"),
        ({"volumeConfig": {"capacity": 9, "type": "http://x.org/fast"}}, "volumeTemplate.volumeConfig.type"),
        ({"volumeConfig": {"capacity": 9, "type": 5}}, "volumeTemplate.volumeConfig.type"),
        ({"volumeConfig": {"capacity": 9, "colour": "red"}}, "volumeTemplate.volumeConfig.colour"),
        ({"volumeConfig": {"href": "volumeConfigs/none"}}, "volumeTemplate.volumeConfig"),
        ({"volumeConfig": {"href": "machineConfigs/none"}}, "volumeTemplate.volumeConfig"),
        ({"volumeConfig": {"capacity": 9}, "volumeImage": {"href": "volumeImages/none"}}, "volumeTemplate.volumeImage"),
        ({"volumeConfig": {"capacity": 9}, "volumeImage": {"href": "machineImages/1"}}, "volumeTemplate.volumeImage"),
        ({"href": "volumeTemplates/none"}, "volumeTemplate"),
    ],
)
async def test_what_cannot_be_is_400_and_named(admin: ApiClient, template: dict[str, Any], named: str) -> None:
    answer = await admin.post("volumes", {"volumeTemplate": template})
    assert answer.status == 400
    assert answer.message.startswith(f"{named}:")
    assert (await admin.document("volumes"))["count"] == 0


async def test_a_volume_comes_with_the_meters_and_the_event_log_that_its_template_asks_for(admin: ApiClient) -> None:
    asked = {"meterTemplates": [{"meterConfig": {"aspect": "disk"}}], "eventLogTemplate": {"persistence": "daily"}}
    template = {"volumeConfig": {"capacity": 9}, **asked}
    volume = (await admin.post("volumes", {"volumeTemplate": template}, Prefer="wait=10")).location
    [meter] = (await admin.document(f"{volume}/meters"))["meters"]
    assert (meter["targetResource"]["href"], meter["maxValue"]) == (volume, "9")
    log = (await admin.document(volume))["eventLog"]["href"]
    assert (await admin.document(log))["persistence"] == "daily"
    await admin.delete(volume)
    assert (await admin.document("meters"))["count"] == 0


async def test_a_volume_template_with_a_wrong_meter_is_refused_by_name(admin: ApiClient) -> None:
    template = {"volumeConfig": {"capacity": 9}, "meterTemplates": [{"meterConfig": {"aspect": "cpu"}}]}
    for url, document in (("volumes", {"volumeTemplate": template}), ("volumeTemplates", template)):
        answer = await admin.post(url, document)
        assert answer.status == 400
        assert "meterTemplates.0.meterConfig.aspect: " in answer.message


async def test_a_pool_promises_no_more_than_it_has(admin: ApiClient) -> None:
    first = await admin.post("volumes", by_value(KILOBYTES_OF_POOL * 6 // 10))
    assert first.status == 201
    second = await admin.post("volumes", by_value(KILOBYTES_OF_POOL * 6 // 10))
    assert second.status == 507
    assert "capacity" in second.message
    assert (await admin.delete(first.location)).status == 200
    assert (await admin.post("volumes", by_value(KILOBYTES_OF_POOL * 6 // 10))).status == 201


async def test_the_new_volumes_of_one_machine_have_room_together_or_not_at_all(admin: ApiClient, image: str) -> None:
    templates = [{"volumeConfig": {"capacity": KILOBYTES_OF_POOL * 6 // 10}} for _ in range(2)]
    answer = await admin.post("machines", admin.machine(image, volumeTemplates=templates))
    assert answer.status == 507, answer.text
    assert answer.message.startswith("machineTemplate.volumeTemplates.1.volumeConfig.capacity:")
    assert (await admin.document("volumes"))["count"] == 0
    assert (await admin.post("machines", admin.machine(image, volumeTemplates=templates[:1]))).status == 201


async def test_of_two_creates_at_once_the_pool_keeps_one_promise(admin: ApiClient) -> None:
    big = by_value(KILOBYTES_OF_POOL * 6 // 10)
    answers = await asyncio.gather(*(admin.post("volumes", big) for _ in range(2)))
    assert sorted(answer.status for answer in answers) == [201, 507]


async def test_a_full_pool_fails_the_job_and_leaves_nothing(admin: ApiClient, driver: MemoryDriver) -> None:
    driver.fail_next("storage.create_volume", DriverNoSpace("the pool is full"))
    answer = await admin.post("volumes", by_value())
    assert answer.status == 507
    assert "full" in answer.message
    assert (await admin.document("volumes"))["count"] == 0
    assert driver.state.volumes == {}


async def test_an_inactive_pool_is_503_and_says_what_to_do(admin: ApiClient, driver: MemoryDriver) -> None:
    driver.state.inactive_pools.add("default")
    answer = await admin.post("volumes", by_value())
    assert answer.status == 503
    assert "pool-start" in answer.message


async def test_growing_shows_and_shrinking_is_400(admin: ApiClient, volume: str, driver: MemoryDriver) -> None:
    grown = await admin.put(f"{volume}?$select=capacity", {"capacity": 80_000})
    assert (grown.status, grown.json["capacity"]) == (200, 80_000)
    assert stored(driver, volume).capacity >= 80_000_000
    shrunk = await admin.put(f"{volume}?$select=capacity", {"capacity": 50_000})
    assert shrunk.status == 400
    assert shrunk.message.startswith("capacity:")
    assert (await admin.document(volume))["capacity"] == 80_000


@pytest.mark.parametrize(("capacity", "status"), [(KILOBYTES_OF_POOL, 507), (KILOBYTES_OF_POOL * 3, 400)])
async def test_growing_into_what_others_have_is_507_and_beyond_the_pool_400(
    admin: ApiClient, volume: str, capacity: int, status: int
) -> None:
    await admin.post("volumes", {"volumeTemplate": {"volumeConfig": {"capacity": 1000}}}, Prefer="wait=30")
    answer = await admin.put(f"{volume}?$select=capacity", {"capacity": capacity})
    assert answer.status == status
    assert answer.message.startswith("capacity:")


async def test_a_failed_growth_tells_the_truth(admin: ApiClient, volume: str, driver: MemoryDriver) -> None:
    driver.fail_next("storage.grow_volume", DriverFailed("libvirt said no"))
    answer = await admin.put(f"{volume}?$select=capacity", {"capacity": 80_000})
    assert answer.status == 500
    document = await admin.document(volume)
    assert (document["capacity"], document["state"]) == (50_000, "AVAILABLE")


async def test_name_and_properties_are_edited_at_once(admin: ApiClient, volume: str) -> None:
    answer = await admin.put(volume, {"name": "new", "properties": {"a": "b"}, "state": "ERROR"})
    assert answer.status == 200
    document = await admin.document(volume)
    assert (document["name"], document["properties"], document["state"]) == ("new", {"a": "b"}, "AVAILABLE")
    assert document["capacity"] == 50_000


async def test_deleting_removes_the_storage(admin: ApiClient, volume: str, driver: MemoryDriver) -> None:
    assert (await admin.delete(volume)).status == 200
    assert (await admin.get(volume)).status == 404
    assert driver.state.volumes == {}


async def test_others_neither_see_nor_change_a_volume(client: Callable[..., ApiClient]) -> None:
    made = await client("operator").post("volumes", by_value())
    other = client("other")
    assert (await other.get(made.location)).status == 404
    assert (await other.delete(made.location)).status == 404
    assert (await other.document("volumes"))["count"] == 0
    assert (await client("admin").delete(made.location)).status == 200


async def test_only_admins_add_volume_configurations(client: Callable[..., ApiClient]) -> None:
    assert (await client("operator").post("volumeConfigs", {"capacity": 9})).status == 403
    made = await client("admin").post("volumeConfigs", {"capacity": 9})
    assert (await client("operator").get(made.location)).status == 200


async def test_a_create_retried_with_one_key_makes_one_volume(admin: ApiClient) -> None:
    answers = [await admin.post("volumes", by_value(), Idempotency_Key="k") for _ in range(2)]
    assert answers[0].location == answers[1].location
    assert (await admin.document("volumes"))["count"] == 1

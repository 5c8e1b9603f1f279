"""Volumes of a Machine: connected and disconnected, stopped and running."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from drivers.base import DriverFailed
from drivers.memory import MemoryDriver
from tests.api.client import ApiClient
from tests.api.namespaces import NAMESPACE
from tests.api.operations import rels
from tests.api.volumes import by_value, connected, stored, targets

pytestmark = pytest.mark.slow


async def test_a_volume_is_connected_and_disconnected_while_the_machine_runs(
    admin: ApiClient, machine: str, volume: str, driver: MemoryDriver
) -> None:
    collection = (await admin.document(machine))["volumes"]["href"]
    made = await admin.post(collection, connected(volume, "/dev/vdf"))
    assert made.status == 201, made.text
    assert made.json["volume"]["href"] == volume
    assert made.json["initialLocation"] == "/dev/vdf"
    assert made.json["operations"][0]["rel"] == "delete"
    assert targets(driver, machine) == ["sda", "vda", "vdf"]
    listed = await admin.document(collection)
    assert [entry["id"] for entry in listed["machineVolumes"]] == [made.location]
    assert (await admin.delete(made.location)).status == 200
    assert targets(driver, machine) == ["sda", "vda"]
    assert (await admin.document(collection))["count"] == 0
    assert stored(driver, volume) is not None


async def test_an_xml_client_connects_a_volume_to_a_stopped_machine(
    client: Callable[..., ApiClient], admin: ApiClient, machine: str, volume: str
) -> None:
    await admin.acted(machine, "stop", force=True)
    xml = client("admin", "xml")
    body = f'<MachineVolume xmlns="http://schemas.dmtf.org/cimi/1"><volume href="{volume}"/></MachineVolume>'
    made = await xml.post(f"{machine}/volumes", body.encode())
    assert made.status == 201, made.text
    assert made.xml.findtext(f"{NAMESPACE}initialLocation") == "/dev/vdb"
    assert (await xml.delete(made.location)).status == 200


async def test_old_location_spellings_are_kept_as_written(admin: ApiClient, machine: str, volume: str) -> None:
    made = await admin.post(f"{machine}/volumes", connected(volume, "xvdf"))
    assert made.json["initialLocation"] == "xvdf"


async def test_a_connected_volume_is_not_deleted_until_it_is_free(admin: ApiClient, machine: str, volume: str) -> None:
    made = await admin.post(f"{machine}/volumes", connected(volume))
    assert "delete" not in await rels(admin, volume)
    refused = await admin.delete(volume)
    assert refused.status == 409
    assert "detach" in refused.message
    assert (await admin.delete(made.location)).status == 200
    assert "delete" in await rels(admin, volume)
    assert (await admin.delete(volume)).status == 200


async def test_one_volume_is_on_one_machine_only(admin: ApiClient, image: str, machine: str, volume: str) -> None:
    second = (await admin.post("machines", admin.machine(image))).location
    answers = await asyncio.gather(*(admin.post(f"{m}/volumes", connected(volume)) for m in (machine, second)))
    assert sorted(answer.status for answer in answers) == [201, 409]
    refused = next(answer for answer in answers if answer.status == 409)
    assert refused.message.startswith("volume:")
    assert "shareable" in refused.message


@pytest.mark.parametrize(
    ("document", "status", "named"),
    [
        ({}, 400, "volume"),
        ({"volume": {"href": "volumes/none"}}, 400, "volume"),
        ({"volume": {"href": "machines/none"}}, 400, "volume"),
        ({"volume": "volumes/1"}, 400, "volume"),
        ({"volume": {"href": "VOLUME"}, "initialLocation": "/dev/nvme0n1"}, 400, "initialLocation"),
        ({"volume": {"href": "VOLUME"}, "initialLocation": "/dev/vda"}, 409, "initialLocation"),
        ({"volume": {"href": "VOLUME"}, "initialLocation": "/dev/sda"}, 409, "initialLocation"),
        ({"volume": {"href": "VOLUME"}, "initialLocation": "/dev/hdb"}, 409, "initialLocation"),
        ({"volume": {"href": "VOLUME"}, "colour": "red"}, 400, "colour"),
    ],
)
async def test_what_cannot_be_connected_is_refused_and_named(
    admin: ApiClient, machine: str, volume: str, document: dict[str, Any], status: int, named: str
) -> None:
    if isinstance(document.get("volume"), dict) and document["volume"]["href"] == "VOLUME":
        document = {**document, "volume": {"href": volume}}
    answer = await admin.post(f"{machine}/volumes", document)
    assert answer.status == status
    assert answer.message.startswith(f"{named}:")
    assert (await admin.document(f"{machine}/volumes"))["count"] == 0


async def test_two_volumes_never_get_one_target(admin: ApiClient, machine: str, driver: MemoryDriver) -> None:
    volumes = [(await admin.post("volumes", by_value())).location for _ in range(4)]
    answers = await asyncio.gather(*(admin.post(f"{machine}/volumes", connected(volume)) for volume in volumes))
    assert {answer.status for answer in answers} == {201}
    assert targets(driver, machine) == ["sda", "vda", "vdb", "vdc", "vdd", "vde"]


async def test_a_failed_attachment_leaves_no_trace(
    admin: ApiClient, machine: str, volume: str, driver: MemoryDriver
) -> None:
    driver.fail_next("devices.attach_disk", DriverFailed("QEMU said no"))
    answer = await admin.post(f"{machine}/volumes", connected(volume))
    assert answer.status == 500
    assert "QEMU said no" in answer.message
    assert (await admin.document(f"{machine}/volumes"))["count"] == 0
    assert (await admin.delete(volume)).status == 200


async def test_a_guest_that_does_not_let_go_fails_the_job_and_keeps_the_volume(
    admin: ApiClient, machine: str, volume: str, driver: MemoryDriver
) -> None:
    made = await admin.post(f"{machine}/volumes", connected(volume))
    driver.state.clinging = True
    answer = await admin.delete(made.location)
    assert answer.status == 409
    assert "did not let go" in answer.message
    assert (await admin.document(made.location))["volume"]["href"] == volume
    driver.state.clinging = False
    assert (await admin.delete(made.location)).status == 200


async def test_a_suspended_machine_keeps_its_devices_as_they_are(admin: ApiClient, machine: str, volume: str) -> None:
    made = await admin.post(f"{machine}/volumes", connected(volume))
    await admin.acted(machine, "suspend")
    assert (await admin.delete(made.location)).status == 409
    assert await rels(admin, f"{machine}/volumes") == set()
    assert await rels(admin, made.location) == {"edit"}


async def test_a_deleted_machine_frees_its_volumes(
    admin: ApiClient, machine: str, volume: str, driver: MemoryDriver
) -> None:
    await admin.post(f"{machine}/volumes", connected(volume))
    assert (await admin.delete(machine)).status == 200
    assert (await admin.document(volume))["state"] == "AVAILABLE"
    assert await rels(admin, volume) >= {"edit", "delete"}
    assert stored(driver, volume) is not None


async def test_a_connected_volume_grows_in_the_running_guest(
    admin: ApiClient, machine: str, volume: str, driver: MemoryDriver
) -> None:
    await admin.post(f"{machine}/volumes", connected(volume))
    driver.fail_next("storage.grow_volume", DriverFailed("a running guest has it"))
    grown = await admin.put(f"{volume}?$select=capacity", {"capacity": 90_000})
    assert grown.status == 200
    assert stored(driver, volume).capacity >= 90_000_000


async def test_a_volume_that_a_snapshot_holds_grows_when_that_is_deleted(
    admin: ApiClient, machine: str, driver: MemoryDriver
) -> None:
    volume = (await admin.post("volumes", by_value(format="qcow2"))).location
    await admin.post(f"{machine}/volumes", connected(volume))
    taken = await admin.post(f"{machine}/snapshot", {})
    held = await admin.put(f"{volume}?$select=capacity", {"capacity": 90_000})
    assert (held.status, "snapshot" in held.message) == (409, True)
    assert (await admin.document(volume))["capacity"] == 50_000
    assert (await admin.delete(taken.location)).status == 200
    assert (await admin.put(f"{volume}?$select=capacity", {"capacity": 90_000})).status == 200
    assert stored(driver, volume).capacity >= 90_000_000


async def test_another_users_volume_or_machine_cannot_be_connected(
    client: Callable[..., ApiClient], admin: ApiClient, machine: str, volume: str, image: str
) -> None:
    operator = client("operator")
    own = (await operator.post("machines", operator.machine(image))).location
    assert (await operator.post(f"{own}/volumes", connected(volume))).status == 400
    mine = (await operator.post("volumes", by_value())).location
    assert (await operator.post(f"{machine}/volumes", connected(mine))).status == 404
    assert (await client("viewer").post(f"{own}/volumes", connected(mine))).status == 404


# With the Machine


async def test_a_new_machine_brings_its_volumes_with_it(
    admin: ApiClient, image: str, volume: str, driver: MemoryDriver
) -> None:
    new = {"volumeConfig": {"capacity": 20_000}, "initialLocation": "/dev/vdx"}
    document = admin.machine(image, volumes=[{"href": volume}], volumeTemplates=[new])
    made = await admin.post("machines", document)
    assert made.status == 201, made.text
    assert targets(driver, made.location) == ["sda", "vda", "vdb", "vdx"]
    listed = (await admin.document(f"{made.location}/volumes"))["machineVolumes"]
    assert {entry["initialLocation"] for entry in listed} == {"/dev/vdb", "/dev/vdx"}
    born = next(entry["volume"]["href"] for entry in listed if entry["initialLocation"] == "/dev/vdx")
    assert (await admin.document(born))["state"] == "AVAILABLE"
    assert (await admin.delete(made.location)).status == 200
    for left in (volume, born):
        assert (await admin.delete(left)).status == 200
    assert [name for _, name in driver.state.volumes if not name.startswith("cimi-image")] == []


async def test_a_machine_template_names_volumes_and_volume_templates(
    client: Callable[..., ApiClient], admin: ApiClient, image: str, volume: str
) -> None:
    template = (await admin.post("volumeTemplates", {"volumeConfig": {"capacity": 10_000}})).location
    body = f"""<MachineTemplate xmlns="http://schemas.dmtf.org/cimi/1"><initialState>STOPPED</initialState>
      <machineConfig><cpu>1</cpu><memory>131072</memory></machineConfig><machineImage href="{image}"/>
      <volume initialLocation="/dev/vdf" href="{volume}"/><volumeTemplate initialLocation="/dev/vdg" href="{template}"/>
      </MachineTemplate>""".encode()
    made = await client("admin", "xml").post("machineTemplates", body)
    assert made.status == 201, made.text
    assert made.xml.find(f"{NAMESPACE}volume").get("href") == volume  # type: ignore[union-attr]
    machine = await admin.post("machines", {"machineTemplate": {"href": made.location}})
    assert machine.status == 201, machine.text
    listed = (await admin.document(f"{machine.location}/volumes"))["machineVolumes"]
    assert {entry["initialLocation"] for entry in listed} == {"/dev/vdf", "/dev/vdg"}


@pytest.mark.parametrize(
    ("template", "named"),
    [
        ({"volumes": [{}]}, "machineTemplate.volumes.0"),
        ({"volumes": [{"href": "volumes/none"}]}, "machineTemplate.volumes.0"),
        ({"volumeTemplates": [{"href": "volumeTemplates/none"}]}, "machineTemplate.volumeTemplates.0"),
        ({"volumeTemplates": [{}]}, "machineTemplate.volumeTemplates.0.volumeConfig"),
        (
            {"volumeTemplates": [{"volumeConfig": {"capacity": 9}, "initialLocation": "/dev/null"}]},
            "machineTemplate.volumeTemplates.0.initialLocation",
        ),
        (
            {"volumeTemplates": [{"volumeConfig": {"capacity": 9, "type": "http://x.org/no"}}]},
            "machineTemplate.volumeTemplates.0.volumeConfig.type",
        ),
    ],
)
async def test_volumes_of_a_machine_create_that_cannot_be_are_named(
    admin: ApiClient, image: str, template: dict[str, Any], named: str
) -> None:
    answer = await admin.post("machines", admin.machine(image, **template))
    assert answer.status == 400
    assert answer.message.startswith(f"{named}:")
    assert (await admin.document("machines"))["count"] == 0


async def test_a_failing_machine_create_leaves_old_volumes_free_and_no_new_ones(
    admin: ApiClient, image: str, volume: str, driver: MemoryDriver
) -> None:
    driver.fail_next("domains.start", DriverFailed("QEMU said no"))
    new = {"volumeConfig": {"capacity": 20_000}}
    answer = await admin.post("machines", admin.machine(image, volumes=[{"href": volume}], volumeTemplates=[new]))
    assert answer.status == 500
    assert [entry["id"] for entry in (await admin.document("volumes"))["volumes"]] == [volume]
    assert (await admin.delete(volume)).status == 200
    assert [name for _, name in driver.state.volumes if not name.startswith("cimi-image")] == []


async def test_nothing_is_connected_to_a_machine_that_is_being_deleted(
    admin: ApiClient, machine: str, volume: str, driver: MemoryDriver
) -> None:
    begun, go_on, undefine = asyncio.Event(), asyncio.Event(), driver.domains.undefine

    async def slow(uuid: str) -> None:
        begun.set()
        await go_on.wait()
        await undefine(uuid)

    driver.domains.undefine = slow  # type: ignore[method-assign]
    deletion = await admin.request("DELETE", machine, Prefer="respond-async")
    await begun.wait()
    answers = [await admin.post(f"{machine}/volumes", connected(volume))]
    answers.append(await admin.post(f"{machine}/disks", {"capacity": 30_000}))
    answers.append(await admin.put(f"{machine}/disks/vda", {"capacity": 90_000}))
    go_on.set()
    assert (await admin.ended(deletion.job))["state"] == "SUCCESS"
    assert [(answer.status, "DELETING" in answer.message) for answer in answers] == [(409, True)] * 3
    assert (await admin.document(volume))["state"] == "AVAILABLE"

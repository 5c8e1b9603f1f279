"""What clients of 1.x send for "nothing" and for references: empty strings, empty elements, whole resources."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from xml.sax.saxutils import escape

import pytest

from gateway.cimi.fields import Attribute
from gateway.cimi.references import schema_fields
from gateway.cimi.registry import CREATE_SCHEMAS, TYPES
from tests.api.client import ApiClient
from tests.api.networks import network
from tests.api.world import DOCUMENTS, World

pytestmark = pytest.mark.slow

Clients = Callable[..., ApiClient]
ADDED = sorted(kind for kind in DOCUMENTS if TYPES[kind].addable)


def optional(kind: str) -> dict[str, Attribute]:
    members = schema_fields(CREATE_SCHEMAS.get(kind, TYPES[kind].schema))
    return {name: field for name, field in members.items() if not field.mandatory}


@pytest.mark.parametrize("kind", ADDED)
async def test_empty_strings_for_all_optional_attributes_make_what_their_absence_makes(world: World, kind: str) -> None:
    maker = world.admin
    url = world.owner.base + await world.collection(TYPES[kind])
    plain = await maker.post(url, await world.document(kind), Prefer="wait=30")
    assert plain.status == 201, plain.text
    if not TYPES[kind].deletable or kind == "EventLog":
        return
    empty = dict.fromkeys(optional(kind), "")
    made = await maker.post(url, {**empty, **await world.document(kind)}, Prefer="wait=30")
    assert made.status == 201, made.text
    assert set(made.json) == set(plain.json)


@pytest.mark.parametrize("kind", ["VolumeConfiguration", "NetworkConfiguration", "MachineConfiguration"])
async def test_an_update_with_empty_strings_takes_away_what_one_with_null_does(world: World, kind: str) -> None:
    sender = world.admin
    path = await world.make(kind, description="d", properties={"k": "v"})
    before = await sender.document(path)
    names = ("name", "description", "properties")
    answer = await sender.put(path, {**before, **dict.fromkeys(names, "")})
    assert answer.status == 200, answer.text
    assert not set(names) & set(answer.json)
    answer = await sender.put(path, {**before, **dict.fromkeys(names)})
    assert not set(names) & set(answer.json)


async def test_empty_strings_inside_of_templates_say_nothing(admin: ApiClient, image: str) -> None:
    config = {"cpu": 1, "memory": 131072, "cpuArch": "", "cpuSpeed": "", "disks": ""}
    template = {"machineConfig": config, "credential": "", "volumes": "", "userData": "", "initialState": ""}
    made = await admin.post("machines", {"machineTemplate": {**template, "machineImage": {"href": image}}})
    assert made.status == 201, made.text


async def test_an_empty_string_for_what_is_mandatory_is_missing(admin: ApiClient, machine: str) -> None:
    answer = await admin.post(f"{machine}/volumes", {"volume": ""})
    assert (answer.status, answer.message) == (400, "volume: is missing")


@pytest.mark.parametrize(
    ("collection", "root", "missing"),
    [
        ("machines", "MachineCreate", "machineTemplate.machineImage"),
        ("volumes", "VolumeCreate", "volumeTemplate.volumeConfig"),
    ],
)
@pytest.mark.parametrize("media", ["json", "xml"])
async def test_an_empty_template_is_a_template_without_attributes(
    client: Clients, collection: str, root: str, missing: str, media: str
) -> None:
    attribute = missing.partition(".")[0]
    body: Any = f"<{root}><{attribute}/></{root}>".encode() if media == "xml" else {attribute: ""}
    answer = await client("admin", media).post(collection, body)
    assert answer.status == 400
    assert f"{missing}: is missing" in answer.text


@pytest.mark.parametrize("media", ["json", "xml"])
async def test_an_empty_template_makes_a_group_without_networks(client: Clients, media: str) -> None:
    body: Any = {"forwardingGroupTemplate": ""}
    if media == "xml":
        body = b"<ForwardingGroupCreate><forwardingGroupTemplate/></ForwardingGroupCreate>"
    answer = await client("admin", media).post("forwardingGroups", body, Prefer="wait=30")
    assert answer.status == 201, answer.text


# Whole resources as references


def as_xml(name: str, value: Any) -> str:
    """A resource as it was read in JSON, as an element; structures and lists without their members."""
    scalars = {key: entry for key, entry in value.items() if isinstance(entry, str | int)}
    return f"<{name}>{''.join(f'<{key}>{escape(str(entry))}</{key}>' for key, entry in scalars.items())}</{name}>"


@pytest.mark.parametrize("media", ["json", "xml"])
async def test_a_group_is_made_of_whole_networks(client: Clients, media: str) -> None:
    admin = client("admin")
    made = [await admin.post("networks", network(), Prefer="wait=30") for _ in range(2)]
    whole = [answer.json for answer in made]
    assert all("href" not in entry for entry in whole)
    body: Any = {"forwardingGroupTemplate": {"networks": whole}}
    if media == "xml":
        inside = "".join(as_xml("network", entry) for entry in whole)
        template = f"<forwardingGroupTemplate>{inside}</forwardingGroupTemplate>"
        body = f"<ForwardingGroupCreate>{template}</ForwardingGroupCreate>".encode()
    group = await client("admin", media).post("forwardingGroups", body, Prefer="wait=30")
    assert group.status == 201, group.text
    listed = await admin.document(f"{group.location}/networks")
    hrefs = {entry["network"]["href"] for entry in listed["forwardingGroupNetworks"]}
    assert hrefs == {answer.location for answer in made}


@pytest.mark.parametrize("media", ["json", "xml"])
async def test_a_machine_is_made_of_a_whole_image_configuration_and_volume(
    client: Clients, image: str, media: str
) -> None:
    admin = client("admin")
    volume = await admin.post("volumes", {"volumeTemplate": {"volumeConfig": {"capacity": 1000}}}, Prefer="wait=30")
    config = (await admin.document("machineConfigs"))["machineConfigurations"][0]
    whole = {
        "machineConfig": config,
        "machineImage": await admin.document(image),
        "volumes": [{**volume.json, "initialLocation": "/dev/vdc"}],
    }
    body: Any = {"machineTemplate": whole}
    if media == "xml":
        parts = [as_xml("machineConfig", config), as_xml("machineImage", whole["machineImage"])]
        inside = "".join([*parts, as_xml("volume", whole["volumes"][0])])
        body = f"<MachineCreate><machineTemplate>{inside}</machineTemplate></MachineCreate>".encode()
    made = await client("admin", media).post("machines", body, Prefer="wait=30")
    assert made.status == 201, made.text
    machine = await admin.document(made.location)
    assert (machine["cpu"], machine["memory"]) == (config["cpu"], config["memory"])
    [attached] = (await admin.document(f"{made.location}/volumes"))["machineVolumes"]
    assert attached["volume"] == {"href": volume.location}


@pytest.mark.parametrize("media", ["json", "xml"])
async def test_a_volume_is_attached_that_is_named_by_its_id(client: Clients, machine: str, media: str) -> None:
    admin = client("admin")
    volume = await admin.post("volumes", {"volumeTemplate": {"volumeConfig": {"capacity": 1000}}}, Prefer="wait=30")
    body: Any = {"volume": {"id": volume.location, "name": "v"}}
    if media == "xml":
        body = f"<MachineVolume><volume><id>{volume.location}</id></volume></MachineVolume>".encode()
    made = await client("admin", media).post(f"{machine}/volumes", body, Prefer="wait=30")
    assert made.status == 201, made.text
    assert volume.location in made.text


@pytest.mark.parametrize("media", ["json", "xml"])
async def test_href_comes_before_id(client: Clients, machine: str, media: str) -> None:
    admin = client("admin")
    volume = await admin.post("volumes", {"volumeTemplate": {"volumeConfig": {"capacity": 1000}}}, Prefer="wait=30")
    body: Any = {"volume": {"href": volume.location, "id": "x"}}
    if media == "xml":
        body = f'<MachineVolume><volume href="{volume.location}"><id>x</id></volume></MachineVolume>'.encode()
    made = await client("admin", media).post(f"{machine}/volumes", body, Prefer="wait=30")
    assert made.status == 201, made.text


@pytest.mark.parametrize("value", [{"id": "y"}, {"id": ""}, {"id": 7}, {"id": "http://elsewhere/x/machineConfigs"}])
async def test_what_is_given_by_value_may_carry_an_id_that_names_nothing(
    admin: ApiClient, image: str, value: dict[str, Any]
) -> None:
    document = admin.machine(image)
    document["machineTemplate"]["machineConfig"] |= value
    answer = await admin.post("machines", document, Prefer="wait=30")
    assert answer.status == 201, answer.text


@pytest.mark.parametrize("value", [{}, {"id": ""}, {"id": None}, {"id": 7}, {"id": ["x"]}, {"name": "x"}])
async def test_a_reference_without_a_uri_is_refused(admin: ApiClient, machine: str, value: dict[str, Any]) -> None:
    answer = await admin.post(f"{machine}/volumes", {"volume": value})
    assert (answer.status, answer.message.partition(":")[0]) == (400, "volume")


async def test_the_whole_volume_is_what_a_volume_image_is_made_of(admin: ApiClient) -> None:
    volume = await admin.post("volumes", {"volumeTemplate": {"volumeConfig": {"capacity": 1000}}}, Prefer="wait=30")
    made = await admin.post("volumeImages", {"imageLocation": volume.json}, Prefer="wait=30")
    assert made.status == 201, made.text

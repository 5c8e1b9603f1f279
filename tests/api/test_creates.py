"""Create documents: by reference, by value, by reference with overrides and erasure; in JSON and in XML."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from drivers.memory import MemoryDriver
from tests.api.client import Answer, ApiClient

pytestmark = pytest.mark.slow


@pytest.fixture
async def template(admin: ApiClient, image: str) -> str:
    document = {
        "name": "template",
        "description": "of the template",
        "properties": {"from": "template"},
        "initialState": "STOPPED",
        "machineConfig": {"cpu": 1, "memory": 131072, "disks": [{"capacity": 40_000}, {"capacity": 50_000}]},
        "machineImage": {"href": image},
        "credential": {"userName": "ops", "password": "hunter2"},
    }
    made = await admin.post("machineTemplates", document)
    assert made.status == 201, made.text
    return made.location


async def create(admin: ApiClient, xml: ApiClient, media: str, document: Mapping[str, object], text: str) -> Answer:
    answer = await (admin.post("machines", dict(document)) if media == "json" else xml.post("machines", text.encode()))
    assert answer.status == 201, answer.text
    return await admin.get(answer.location)


@pytest.fixture
def xml(client: Callable[..., ApiClient]) -> ApiClient:
    return client("admin", "xml")


BOTH = pytest.mark.parametrize("media", ["json", "xml"])


@BOTH
async def test_by_reference_the_template_decides_and_its_name_stays_its_own(
    admin: ApiClient, xml: ApiClient, template: str, media: str
) -> None:
    document = {"machineTemplate": {"href": template}}
    text = f'<MachineCreate><machineTemplate href="{template}"/></MachineCreate>'
    machine = (await create(admin, xml, media, document, text)).json
    assert (machine["state"], machine["cpu"], machine["memory"]) == ("STOPPED", 1, 131072)
    assert not {"name", "description", "properties"} & set(machine)
    assert (await admin.document(machine["disks"]["href"]))["count"] == 2


@BOTH
async def test_overrides_replace_whole_attributes_and_leave_the_template_alone(
    admin: ApiClient, xml: ApiClient, template: str, media: str
) -> None:
    before = await admin.document(template)
    inner = {"href": template, "initialState": "PAUSED", "machineConfig": {"cpu": 2, "memory": 262144}}
    document = {"name": "mine", "machineTemplate": inner}
    text = f"""<MachineCreate><name>mine</name><machineTemplate href="{template}"><initialState>PAUSED</initialState>
      <machineConfig><cpu>2</cpu><memory>262144</memory></machineConfig></machineTemplate></MachineCreate>"""
    machine = (await create(admin, xml, media, document, text)).json
    assert (machine["name"], machine["state"], machine["cpu"]) == ("mine", "PAUSED", 2)
    assert (await admin.document(machine["disks"]["href"]))["count"] == 1
    assert await admin.document(template) == before


@BOTH
async def test_null_or_an_empty_element_erases(
    admin: ApiClient, xml: ApiClient, template: str, media: str, driver: MemoryDriver
) -> None:
    erased = {"href": template, "initialState": None, "credential": None}
    text = f"""<MachineCreate><machineTemplate href="{template}"><initialState/><credential/></machineTemplate>
      </MachineCreate>"""
    machine = (await create(admin, xml, media, {"machineTemplate": erased}, text)).json
    assert machine["state"] == "STARTED"


@BOTH
async def test_what_is_needed_cannot_be_erased(admin: ApiClient, xml: ApiClient, template: str, media: str) -> None:
    document = {"machineTemplate": {"href": template, "machineImage": None}}
    text = f'<MachineCreate><machineTemplate href="{template}"><machineImage/></machineTemplate></MachineCreate>'
    answer = await (admin.post("machines", dict(document)) if media == "json" else xml.post("machines", text.encode()))
    assert answer.status == 400
    assert "machineTemplate.machineImage: is missing" in answer.text


@BOTH
async def test_a_configuration_by_reference_takes_overrides_too(
    admin: ApiClient, xml: ApiClient, image: str, media: str
) -> None:
    config = (await admin.document("machineConfigs?$filter=name='medium'"))["machineConfigurations"][0]["id"]
    disks = [{"capacity": 40_000}]
    inner = {"machineConfig": {"href": config, "cpu": 1, "disks": disks}, "machineImage": {"href": image}}
    text = f"""<MachineCreate><machineTemplate><machineConfig href="{config}"><cpu>1</cpu><disk>
      <capacity>40000</capacity></disk></machineConfig><machineImage href="{image}"/></machineTemplate>
      </MachineCreate>"""
    machine = (await create(admin, xml, media, {"machineTemplate": inner}, text)).json
    assert (machine["cpu"], machine["memory"]) == (1, 2048 * 1024)
    assert (await admin.document(machine["disks"]["href"]))["disks"][0]["capacity"] == 40_000


@BOTH
async def test_by_value_nothing_becomes_a_template(admin: ApiClient, xml: ApiClient, image: str, media: str) -> None:
    text = f"""<MachineCreate><name> m </name><property key="k">v</property><machineTemplate><machineConfig><cpu>1</cpu>
      <memory>131072</memory></machineConfig><machineImage href="{image}"/></machineTemplate></MachineCreate>"""
    machine = (await create(admin, xml, media, {**admin.machine(image), "properties": {"k": "v"}}, text)).json
    assert (machine["name"], machine["properties"]) == ("m", {"k": "v"})
    assert (await admin.document("machineTemplates"))["count"] == 0


@BOTH
async def test_a_credential_of_a_template_may_be_overridden(
    admin: ApiClient, client: Callable[..., ApiClient], media: str
) -> None:
    kept = {"name": "t", "userName": "ops", "key": "ssh-ed25519 AAAA me@here"}
    template = (await admin.post("credentialTemplates", kept)).location
    document = {"name": "c", "credentialTemplate": {"href": template, "userName": "root"}}
    text = f"""<CredentialCreate><name>c</name><credentialTemplate href="{template}"><userName>root</userName>
      </credentialTemplate></CredentialCreate>"""
    sender = client("admin", media)
    made = await sender.post("credentials", document if media == "json" else text.encode())
    assert made.status == 201, made.text
    shown = await admin.document(made.location)
    assert (shown["name"], shown["userName"], shown["key"]) == ("c", "root", kept["key"])


async def test_each_advertised_initial_state_is_reached(admin: ApiClient, image: str) -> None:
    metadata = await admin.document("resourceMetadata/Machine")
    values = {entry["name"]: entry["value"] for entry in metadata["capabilities"]}
    for state in values["InitialStates"].split(","):
        made = await admin.post("machines", admin.machine(image, initialState=state))
        assert (made.status, made.json["state"]) == (201, state)
    assert (await admin.post("machines", admin.machine(image))).json["state"] == values["DefaultInitialState"]


async def test_an_image_by_value_is_refused_in_a_template_as_in_a_create(
    admin: ApiClient, xml: ApiClient, image: str
) -> None:
    location = "file:///srv/guest.raw"
    for given in ({"imageLocation": location}, {"href": image, "name": "other"}):
        inner = {"machineConfig": {"cpu": 1, "memory": 131072}, "machineImage": given}
        for url, document in (("machineTemplates", inner), ("machines", {"machineTemplate": inner})):
            answer = await admin.post(url, document)
            assert (answer.status, "machineImage: images are taken by reference" in answer.message) == (501, True)
    text = f"<machineImage><imageLocation>{location}</imageLocation></machineImage>"
    answer = await xml.post("machineTemplates", f"<MachineTemplate>{text}</MachineTemplate>".encode())
    assert (answer.status, "by reference only" in answer.text) == (501, True)
    assert (await admin.document("machineTemplates"))["count"] == 0

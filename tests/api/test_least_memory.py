"""No Machine gets so little memory that its guest dies: as new, by an update, by a configuration or a template."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from gateway import config
from gateway.app import Gateway
from gateway.orchestration.common.resource_service import new_resource
from tests.api.client import Answer, ApiClient

pytestmark = pytest.mark.slow

Clients = Callable[..., ApiClient]
FLOOR = 65_536
MEDIA = pytest.mark.parametrize("media", ["json", "xml"])
TERM = "http://schemas.dmtf.org/cimi/1/Machine"


@pytest.fixture
def settings(settings: config.Settings) -> config.Settings:
    """As shipped."""
    return replace(settings, machines=config.MachineSettings())


def machine_config(media: str, memory: int, root: str = "machineConfig") -> Any:
    if media == "xml":
        return f"<{root}><cpu>1</cpu><memory>{memory}</memory></{root}>"
    return {"cpu": 1, "memory": memory}


def create(media: str, image: str, config: Any) -> Any:
    if media == "xml":
        inside = f'<machineTemplate>{config}<machineImage href="{image}"/></machineTemplate>'
        return f"<MachineCreate>{inside}</MachineCreate>".encode()
    return {"machineTemplate": {"machineConfig": config, "machineImage": {"href": image}}}


def refused(answer: Answer, attribute: str, least: int = FLOOR) -> None:
    """With words that name the attribute, the floor and the unit."""
    assert answer.status == 400, answer.text
    unit = "memory is a number of KiB (kibibytes): 1 GiB is 1048576"
    for words in (attribute, f"is less than the {least} KiB", unit):
        assert words in answer.text


async def configured(gateway: Gateway, memory: int) -> str:
    """A MachineConfiguration of a gateway that took what it was given: its path."""
    made = new_resource("MachineConfiguration", "admin", {"cpu": 1, "memory": memory})
    async with gateway.store.transaction() as transaction:
        await transaction.insert(made)
    return made.path


@MEDIA
async def test_a_create_with_too_little_is_refused(client: Clients, image: str, media: str) -> None:
    sender = client("admin", media)
    answer = await sender.post("machines", create(media, image, machine_config(media, 2)))
    refused(answer, "machineTemplate.machineConfig.memory: 2 KiB")
    answer = await sender.post("machines", create(media, image, machine_config(media, FLOOR - 1)))
    refused(answer, "machineTemplate.machineConfig.memory: 65535 KiB")


@MEDIA
async def test_the_floor_itself_is_enough(client: Clients, image: str, media: str) -> None:
    made = await client("admin", media).post(
        "machines", create(media, image, machine_config(media, FLOOR)), Prefer="wait=30"
    )
    assert made.status == 201, made.text


@MEDIA
async def test_a_create_by_a_configuration_of_older_times_is_refused(
    client: Clients, gateway: Gateway, image: str, media: str
) -> None:
    sender = client("admin", media)
    href = sender.base + await configured(gateway, 1024)
    config: Any = {"href": href} if media == "json" else f'<machineConfig href="{href}"/>'
    refused(await sender.post("machines", create(media, image, config)), "machineTemplate.machineConfig.memory: 1024")


@MEDIA
@pytest.mark.parametrize("query", ["", "?$select=memory"])
@pytest.mark.parametrize("state", ["STARTED", "STOPPED"])
async def test_an_update_with_too_little_leaves_the_machine_as_it_is(
    client: Clients, machine: str, media: str, query: str, state: str
) -> None:
    admin = client("admin")
    if state == "STOPPED":
        await admin.acted(machine, "stop", force=True)
    body: Any = {"memory": 2} if media == "json" else b"<Machine><memory>2</memory></Machine>"
    refused(await client("admin", media).put(machine + query, body), "memory: 2 KiB")
    shown = await admin.document(machine)
    assert (shown["state"], shown["memory"]) == (state, 131072)


@MEDIA
async def test_a_configuration_with_too_little_is_refused(client: Clients, media: str) -> None:
    sender, root = client("admin", media), "MachineConfiguration"
    bodies = [machine_config(media, memory, root) for memory in (2, FLOOR)]
    low, enough = [body.encode() if media == "xml" else body for body in bodies]
    refused(await sender.post("machineConfigs", low), "memory: 2 KiB")
    made = await sender.post("machineConfigs", enough)
    assert made.status == 201, made.text
    refused(await sender.put(made.location, low), "memory: 2 KiB")


@MEDIA
async def test_a_template_with_too_little_is_refused(client: Clients, gateway: Gateway, image: str, media: str) -> None:
    sender = client("admin", media)
    href = sender.base + await configured(gateway, 2)
    given = [machine_config(media, 2), {"href": href} if media == "json" else f'<machineConfig href="{href}"/>']
    for entry in given:
        body: Any = {"machineConfig": entry, "machineImage": {"href": image}}
        if media == "xml":
            body = f'<MachineTemplate>{entry}<machineImage href="{image}"/></MachineTemplate>'.encode()
        refused(await sender.post("machineTemplates", body), "machineConfig.memory: 2 KiB")


async def test_a_system_template_with_too_little_for_a_machine_is_refused(admin: ApiClient, image: str) -> None:
    template = {"machineConfig": {"cpu": 1, "memory": 2}, "machineImage": {"href": image}}
    machine = {"name": "web", "type": TERM, "machineTemplate": template}
    refused(
        await admin.post("systemTemplates", {"componentDescriptors": [machine]}),
        "componentDescriptors.0.machineTemplate.machineConfig.memory: 2 KiB",
    )
    inner = {"name": "in", "type": TERM.replace("Machine", "System"), "systemTemplate": {}}
    inner["systemTemplate"] = {"componentDescriptors": [machine]}
    refused(
        await admin.post("systemTemplates", {"componentDescriptors": [inner]}),
        "componentDescriptors.0.systemTemplate.componentDescriptors.0.machineTemplate.machineConfig.memory: 2 KiB",
    )


# What an image says


async def said(admin: ApiClient, image: str, least: str) -> None:
    answer = await admin.put(f"{image}?$select=properties", {"properties": {"leastMemory": least}})
    assert answer.status == 200, answer.text


async def test_an_image_that_needs_more_is_not_given_less(admin: ApiClient, image: str) -> None:
    await said(admin, image, "524288")
    answer = await admin.post("machines", create("json", image, machine_config("json", 262144)))
    refused(answer, "machineTemplate.machineConfig.memory: 262144 KiB", 524288)
    template = {"machineConfig": machine_config("json", 262144), "machineImage": {"href": image}}
    refused(await admin.post("machineTemplates", template), "machineConfig.memory: 262144 KiB", 524288)


async def test_an_image_that_needs_less_may_have_less(admin: ApiClient, image: str) -> None:
    await said(admin, image, " 16384 ")
    made = await admin.post("machines", create("json", image, machine_config("json", 32768)), Prefer="wait=30")
    assert made.status == 201, made.text
    refused(await admin.put(f"{made.location}?$select=memory", {"memory": 8192}), "memory: 8192 KiB", 16384)


async def test_a_machine_remembers_what_its_image_said(admin: ApiClient, image: str) -> None:
    await said(admin, image, "131072")
    made = await admin.post("machines", create("json", image, machine_config("json", 262144)), Prefer="wait=30")
    assert made.status == 201, made.text
    await said(admin, image, "1")
    refused(await admin.put(f"{made.location}?$select=memory", {"memory": 65536}), "memory: 65536 KiB", 131072)


@pytest.mark.parametrize("least", ["much", "-1", "1.5", "9" * 13, "²"])
async def test_an_image_that_says_no_number_is_refused_with_words(admin: ApiClient, image: str, least: str) -> None:
    await said(admin, image, least)
    answer = await admin.post("machines", create("json", image, machine_config("json", FLOOR)))
    assert (answer.status, "leastMemory" in answer.message) == (400, True)


class TestConfigured:
    @pytest.fixture
    def settings(self, settings: config.Settings) -> config.Settings:
        return replace(settings, machines=config.MachineSettings(least_memory=262_144))

    async def test_the_floor_is_the_configurations(self, admin: ApiClient, image: str) -> None:
        refused(await admin.post("machineConfigs", {"cpu": 1, "memory": 131072}), "memory: 131072 KiB", 262144)
        refused(await admin.post("machines", admin.machine(image)), "machineConfig.memory: 131072 KiB", 262144)

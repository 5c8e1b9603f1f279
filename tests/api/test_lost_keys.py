"""A gateway whose store was sealed with another key: it serves, says what is lost, and refuses only what needs that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog

from drivers.memory import MemoryDriver
from gateway import config
from gateway.app import Gateway
from tests.api.busy import every_worker_taken
from tests.api.client import ApiClient
from tests.api.seeds import seed_of

pytestmark = pytest.mark.slow

ADVICE = "give the gateway its former key back"
SECRETS: dict[str, Any] = {
    "credential": {"userName": "ops", "key": "ssh-ed25519 AAAA me@here", "password": "hunter2"},
    "userData": "aGVsbG8=",
}


class Restarts:
    """The gateway, which stops, and starts with what became of its key."""

    def __init__(self, gateway: Gateway, driver: MemoryDriver) -> None:
        self.gateway = gateway
        self.driver = driver
        self.key = Path(gateway.settings.store.path + ".key")
        self.aside = self.key.with_name("aside")

    async def without_the_key(self) -> None:
        await self.gateway.stop()
        await asyncio.to_thread(self.key.rename, self.aside)
        await self.gateway.start()

    async def with_it_as_a_former_one(self) -> None:
        await self.gateway.stop()
        settings = self.gateway.settings
        store = replace(settings.store, former_keys=[str(self.aside)])
        self.gateway.settings = replace(settings, store=store)
        await self.gateway.start()


@pytest.fixture
async def restarts(gateway: Gateway, driver: MemoryDriver) -> AsyncIterator[Restarts]:
    yield Restarts(gateway, driver)


@pytest.fixture
async def template(admin: ApiClient, image: str) -> str:
    document = {"machineConfig": {"cpu": 1, "memory": 131072}, "machineImage": {"href": image}, **SECRETS}
    return (await admin.post("machineTemplates", document)).location


@pytest.fixture
async def system_template(admin: ApiClient, image: str) -> str:
    inner = {"machineConfig": {"cpu": 1, "memory": 131072}, "machineImage": {"href": image}, **SECRETS}
    term = "http://schemas.dmtf.org/cimi/1/Machine"
    document = {"name": "t", "componentDescriptors": [{"name": "web", "type": term, "machineTemplate": inner}]}
    return (await admin.post("systemTemplates", document)).location


@pytest.fixture
async def credential(admin: ApiClient) -> str:
    return (await admin.post("credentials", {"credentialTemplate": {"userName": "ops", "password": "x"}})).location


async def machine_by(admin: ApiClient, template: str, **overrides: Any) -> Any:
    return await admin.post("machines", {"machineTemplate": {"href": template, **overrides}}, Prefer="wait=30")


@pytest.mark.parametrize("media", ["json", "xml"])
async def test_a_machine_of_a_template_that_cannot_be_read_is_refused_with_words(
    admin: ApiClient, template: str, restarts: Restarts, media: str
) -> None:
    await restarts.without_the_key()
    body = f'<MachineCreate><machineTemplate href="{template}"/></MachineCreate>'.encode()
    client = replace(admin, media=media)
    answer = await (client.post("machines", body) if media == "xml" else machine_by(client, template))
    assert (answer.status, ADVICE in answer.text, "machineTemplates/" in answer.text) == (409, True, True)


async def test_a_system_of_a_template_that_cannot_be_read_is_refused_with_words(
    admin: ApiClient, system_template: str, restarts: Restarts
) -> None:
    await restarts.without_the_key()
    answer = await admin.post("systems", {"systemTemplate": {"href": system_template}})
    assert (answer.status, ADVICE in answer.message) == (409, True)


async def test_a_credential_that_cannot_be_read_is_refused_and_its_key_alone_is_not_enough(
    admin: ApiClient, image: str, credential: str, restarts: Restarts
) -> None:
    await restarts.without_the_key()
    document = admin.machine(image, credential={"href": credential})
    answer = await admin.post("machines", document)
    assert (answer.status, ADVICE in answer.message) == (409, True)
    overridden = admin.machine(image, credential={"href": credential, "password": "new"})
    assert (await admin.post("machines", overridden)).status == 201


async def test_all_else_goes_on(
    admin: ApiClient, image: str, machine: str, template: str, credential: str, restarts: Restarts
) -> None:
    await restarts.without_the_key()
    for path in (template, credential, machine, "machineTemplates", "credentials"):
        assert (await admin.get(path)).status == 200
    assert (await admin.acted(machine, "stop"))["state"] == "SUCCESS"
    assert (await admin.post("machines", admin.machine(image, **SECRETS))).status == 201
    for path in (template, credential):
        assert (await admin.put(f"{path}?$select=name", {"name": "renamed"})).status == 200
    assert (await admin.delete(template)).status == 200


async def test_a_secret_that_is_set_anew_is_used_again(
    admin: ApiClient, template: str, driver: MemoryDriver, restarts: Restarts
) -> None:
    await restarts.without_the_key()
    shown = await admin.document(template)
    assert (await admin.put(template, {**shown, "userData": "bmV3"})).status == 200
    assert (await machine_by(admin, template)).status == 409
    anew = {**shown, **SECRETS, "userData": "bmV3"}
    assert (await admin.put(template, anew)).status == 200
    made = await machine_by(admin, template)
    assert (made.status, seed_of(driver, made.location)["user_data"]) == (201, "bmV3")


async def test_a_secret_that_is_erased_is_needed_no_more(
    admin: ApiClient, template: str, credential: str, restarts: Restarts
) -> None:
    await restarts.without_the_key()
    shown = await admin.document(template)
    without = {**shown, "userData": None, "credential": {**SECRETS["credential"], "password": None}}
    assert (await admin.put(template, without)).status == 200
    assert (await machine_by(admin, template)).status == 201


async def test_what_is_lost_is_logged_by_kind_and_never_what_it_was(
    admin: ApiClient, template: str, credential: str, restarts: Restarts
) -> None:
    with structlog.testing.capture_logs() as lines:
        await restarts.without_the_key()
    told = {line["kind"]: line["resources"] for line in lines if "secrets cannot be read" in line["event"]}
    assert told == {"MachineTemplate": 1, "Credential": 1}


async def test_a_former_key_brings_it_back_without_a_client_doing_anything(
    admin: ApiClient, template: str, driver: MemoryDriver, restarts: Restarts
) -> None:
    await restarts.without_the_key()
    assert (await machine_by(admin, template)).status == 409
    await restarts.with_it_as_a_former_one()
    made = await machine_by(admin, template)
    assert (made.status, seed_of(driver, made.location)["user_data"]) == (201, SECRETS["userData"])


async def test_a_job_whose_secrets_cannot_be_read_fails_with_words_and_leaves_nothing(
    admin: ApiClient, image: str, system_template: str, restarts: Restarts, settings: config.Settings
) -> None:
    asked = [
        ("machines", admin.machine(image, **SECRETS)),
        ("systems", {"systemTemplate": {"href": system_template}}),
    ]
    async with every_worker_taken(restarts.gateway):
        answers = [await admin.post(url, document, Prefer="respond-async") for url, document in asked]
        assert [answer.status for answer in answers] == [202, 202]
        await restarts.without_the_key()
    for answer in answers:
        job = await admin.ended(answer.job)
        assert (job["state"], "cannot be read" in job["statusMessage"]) == ("FAILED", True)
        assert (await admin.get(answer.location)).status == 404
    assert restarts.driver.state.domains == {}


# What only looks as if it were sealed

LOOKS_SEALED = {"sealed": "v1.0123456789abcdef.AAAA"}


@pytest.mark.parametrize("media", ["json", "xml"])
async def test_a_property_that_looks_like_a_sealed_secret_is_the_clients_own(
    admin: ApiClient, image: str, media: str
) -> None:
    inner = {"machineConfig": {"cpu": 1, "memory": 131072}, "machineImage": {"href": image}, "properties": LOOKS_SEALED}
    term = "http://schemas.dmtf.org/cimi/1/Machine"
    document = {
        "properties": LOOKS_SEALED,
        "componentDescriptors": [
            {"name": "web", "type": term, "machineTemplate": {**inner, **SECRETS}, "properties": LOOKS_SEALED}
        ],
    }
    template = (await admin.post("systemTemplates", document)).location
    made = await admin.post("systems", {"systemTemplate": {"href": template}}, Prefer="wait=30")
    assert made.status == 201, made.message
    assert (await replace(admin, media=media).get(template)).text.count("v1.0123456789abcdef.AAAA") == 3
    single = await admin.post("machines", {**admin.machine(image, **SECRETS), "properties": LOOKS_SEALED})
    assert (single.status, (await admin.document(single.location))["properties"]) == (201, LOOKS_SEALED)


async def test_a_property_that_looks_like_a_sealed_secret_is_not_told_as_lost(
    admin: ApiClient, image: str, restarts: Restarts
) -> None:
    term = "http://schemas.dmtf.org/cimi/1/Credential"
    inner = {"userName": "ops", "key": "ssh-ed25519 AAAA me@here", "properties": LOOKS_SEALED}
    descriptors = [{"name": "ops", "type": term, "credentialTemplate": inner, "properties": LOOKS_SEALED}]
    template = (await admin.post("systemTemplates", {"componentDescriptors": descriptors})).location
    with structlog.testing.capture_logs() as lines:
        await restarts.without_the_key()
    assert [line for line in lines if "secrets cannot be read" in line["event"]] == []
    assert (await admin.post("systems", {"systemTemplate": {"href": template}})).status == 201

"""No secret that a client sends stands on the disk as it is: not in the store, its log, the Jobs' plans, or the logs.

Each is planted wherever a document can hold one, in both formats; looked for while its Job runs, and after it.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from drivers.base import DriverFailed
from drivers.memory import MemoryDriver
from gateway import config
from gateway.app import Gateway
from gateway.cimi.fields import Attribute
from gateway.cimi.references import Array, Structure, schema_fields
from gateway.cimi.registry import CREATE_SCHEMAS, TYPES
from gateway.orchestration.common.first_answers import Request
from tests.api.busy import every_worker_taken
from tests.api.client import ACTION, Answer, ApiClient
from tests.api.packages import PRODUCT, described, package
from tests.api.secret_places import (
    DOCUMENTS,
    EDITS,
    HASH,
    KEY,
    demand_absent,
    demand_unlogged,
    forms,
    machine,
    on_disk,
    password,
    planted,
    user_data,
)
from tests.api.seeds import seed_of
from tests.api.world import World
from tests.api.xml_documents import as_xml
from tests.web_server import WebServer, serving

pytestmark = pytest.mark.slow

NO_SECRETS = {"macAddress", "inherits"}
"""Shown elsewhere than where it was sent, or nothing that could be shown."""
MEDIA = ("json", "xml")


def write_only(members: dict[str, Attribute], outer: frozenset[Any] = frozenset()) -> Iterator[str]:
    """The names under which clients send what nobody may read, anywhere below these members."""
    for name, field in members.items():
        if field.write_only:
            yield name
        inner = field.entry if isinstance(field, Array) else field
        if isinstance(inner, Structure) and inner.schema not in outer:
            yield from write_only(inner.members, outer | {inner.schema})


def test_every_type_that_takes_secrets_is_tried_with_all_of_them() -> None:
    taking = {}
    for kind, declared in TYPES.items():
        names = set(write_only(schema_fields(CREATE_SCHEMAS.get(kind, declared.schema)))) - NO_SECRETS
        if names and declared.addable:
            taking[kind] = names
    assert set(taking) == {*DOCUMENTS, "User"}
    assert set().union(*taking.values()) == {"userData", "password"}
    assert {kind for kind in taking if TYPES[kind].editable} - {"Machine", "System", "User"} == set(EDITS)


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    """What is logged, before anything is left out of it."""
    with structlog.testing.capture_logs() as captured:
        yield captured


async def send(client: ApiClient, method: str, url: str, kind: str, document: Any) -> Answer:
    """In the client's format."""
    body = document
    if client.media == "xml":
        root = f"{kind}Create" if method == "POST" else kind
        declared = TYPES[kind].schema
        schema = CREATE_SCHEMAS.get(kind, declared) if method == "POST" else declared
        body = as_xml(root, schema_fields(schema), document)
    headers = {"Prefer": "respond-async"}
    if method == "POST":
        headers["Idempotency_Key"] = f"key of {document['name']}"
    return await client.request(method, url, body, **headers)


# Creates and edits


@pytest.mark.parametrize("media", MEDIA)
@pytest.mark.parametrize("kind", DOCUMENTS)
async def test_a_create_leaves_no_secret(
    kind: str, media: str, world: World, gateway: Gateway, client: Callable[..., ApiClient], lines: list[Any]
) -> None:
    mark = f"{kind}-{media}"
    document = {"name": mark, **await DOCUMENTS[kind](world, mark)}
    secrets = planted(mark)
    async with every_worker_taken(gateway):
        answer = await send(client("operator", media), "POST", TYPES[kind].segment, kind, document)
        assert answer.status in (201, 202), answer.text
        await demand_absent(gateway.settings, secrets, "while its Job waits")
    job = await client("admin").ended(answer.job)
    assert job["state"] == "SUCCESS", job
    await demand_absent(gateway.settings, secrets, "after its Job")
    demand_unlogged(lines, secrets)


@pytest.mark.parametrize("media", MEDIA)
async def test_the_password_of_a_user_is_nowhere(
    media: str, gateway: Gateway, client: Callable[..., ApiClient], lines: list[Any]
) -> None:
    admin, secrets = client("admin", media), forms(password("made")) | forms(password("changed"))
    wish = {"name": "ann", "role": "viewer", "password": password("made")}
    made = await send(admin, "POST", "users", "User", wish)
    assert made.status == 201, made.text
    changed = {"name": "ann", "role": "viewer", "password": password("changed")}
    assert (await send(admin, "PUT", made.location, "User", changed)).status == 200
    await demand_absent(gateway.settings, secrets, "after both")
    demand_unlogged(lines, secrets)


@pytest.mark.parametrize("media", MEDIA)
@pytest.mark.parametrize("kind", EDITS)
async def test_an_edit_leaves_no_secret(
    kind: str, media: str, world: World, gateway: Gateway, client: Callable[..., ApiClient], lines: list[Any]
) -> None:
    mark = f"edited-{kind}-{media}"
    path = await world.make(kind)
    document = {"name": mark, **await EDITS[kind](world, mark)}
    answer = await send(client("operator", media), "PUT", path, kind, document)
    assert answer.status == 200, answer.text
    await demand_absent(gateway.settings, planted(mark), "after the edit")
    demand_unlogged(lines, planted(mark))


async def test_a_failed_create_leaves_no_secret(
    world: World, gateway: Gateway, driver: MemoryDriver, client: Callable[..., ApiClient], lines: list[Any]
) -> None:
    mark = "failing"
    document = {"name": mark, **await machine(world, mark)}
    driver.fail_next("domains.define", DriverFailed("no such luck"))
    answer = await client("operator").post("machines", document, Prefer="wait=30")
    assert answer.status == 500
    await demand_absent(gateway.settings, planted(mark), "after its Job")
    demand_unlogged(lines, planted(mark))


@pytest.mark.parametrize("user", ["operator", "viewer"])
@pytest.mark.parametrize("media", MEDIA)
@pytest.mark.parametrize("kind", DOCUMENTS)
async def test_what_is_refused_leaves_no_secret(
    kind: str,
    media: str,
    user: str,
    world: World,
    gateway: Gateway,
    client: Callable[..., ApiClient],
    lines: list[Any],
) -> None:
    """An operator for what is wrong with the document, a viewer for the role."""
    mark = f"{kind}-{media}"
    document = {"name": mark, **await DOCUMENTS[kind](world, mark), "nonsense": password(mark)}
    answer = await send(client(user, media), "POST", TYPES[kind].segment, kind, document)
    assert answer.status in (400, 403), answer.text
    await demand_absent(gateway.settings, planted(mark), "after the refusal")
    demand_unlogged(lines, planted(mark))


@pytest.mark.parametrize("media", MEDIA)
async def test_what_is_no_document_leaves_no_secret(
    media: str, gateway: Gateway, client: Callable[..., ApiClient], lines: list[Any]
) -> None:
    broken = {"json": b'{"machineTemplate": {"userData": "%s"', "xml": b"<MachineCreate><userData>%s</userDat"}[media]
    answer = await client("operator", media).post("machines", broken % user_data("mark").encode())
    assert answer.status == 400
    await demand_absent(gateway.settings, planted("mark"), "after the refusal")
    demand_unlogged(lines, planted("mark"))


# What guests are given all the same


async def test_the_guest_has_its_secrets_and_the_machine_no_more(
    world: World, gateway: Gateway, driver: MemoryDriver, client: Callable[..., ApiClient]
) -> None:
    document = {"name": "m", **await machine(world, "mark")}
    made = await client("operator").post("machines", document, Prefer="wait=30")
    given = seed_of(driver, made.location)
    assert (given["user_data"], given["password_hash"][:3], given["keys"]) == (user_data("mark"), HASH, [KEY])
    kept = await gateway.store.get(made.location.removeprefix(client().base))
    assert kept is not None
    assert kept.internal["seed"] == {"user": "ops", "keys": [KEY]}


# What is no attribute of a type


async def test_what_a_package_is_told_is_on_no_disk(
    world: World, admin: ApiClient, gateway: Gateway, images: Path, tmp_path: Path, lines: list[Any]
) -> None:
    descriptor = described(web=PRODUCT).replace(
        b"<VirtualHardwareSection>", b'<VirtualHardwareSection ovf:transport="iso">', 1
    )
    (images / "shop.ova").write_bytes(package(tmp_path, descriptor))
    secrets = forms("pin-that-is-secret") | forms(user_data("package"))
    told = {"ovf.pin": "pin-that-is-secret", "ovf.user-data": user_data("package")}
    asked = {"action": ACTION + "import", "source": f"file://{images / 'shop.ova'}", "properties": told}
    async with every_worker_taken(gateway):
        answers = [
            await admin.post("systems/import", asked, Idempotency_Key="import"),
            await admin.post("systemTemplates/import", asked),
        ]
        await demand_absent(gateway.settings, secrets, "while the Jobs wait")
    for answer in answers:
        job = await admin.ended(answer.job)
        assert job["state"] == "SUCCESS", job
    await demand_absent(gateway.settings, secrets, "after the Jobs")
    demand_unlogged(lines, secrets)


async def test_what_a_package_that_is_sent_is_told_is_on_no_disk(
    admin: ApiClient, gateway: Gateway, tmp_path: Path, lines: list[Any]
) -> None:
    content, secrets = package(tmp_path, described(web=PRODUCT)), forms("pin-that-is-secret")
    url = "systems/import?ovf.pin=pin-that-is-secret"
    answer = await admin.post(url, content, Content_Type="application/ovf", Idempotency_Key="k")
    assert (await admin.ended(answer.job))["state"] == "SUCCESS"
    await demand_absent(gateway.settings, secrets, "after the Job")
    demand_unlogged(lines, secrets)


async def test_what_a_refused_package_is_told_is_on_no_disk(
    client: Callable[..., ApiClient], gateway: Gateway, tmp_path: Path, lines: list[Any]
) -> None:
    secrets = forms("pin-that-is-secret")
    for user, status in (("viewer", 403), ("operator", 400)):
        url = "systems/import?ovf.pin=pin-that-is-secret&nonsense=1"
        answer = await client(user).post(url, package(tmp_path, described(web=PRODUCT)), Content_Type="application/ovf")
        assert answer.status == status
    await demand_absent(gateway.settings, secrets, "after the refusals")
    demand_unlogged(lines, secrets)


class TestUrls:
    """The query of an image's or a package's URL may be what lets one in."""

    @pytest.fixture
    def settings(self, settings: config.Settings) -> config.Settings:
        object.__setattr__(settings.images, "private_networks", ["127.0.0.0/8"])
        return settings

    @pytest.fixture
    async def server(self) -> AsyncIterator[WebServer]:
        async with serving(WebServer(b"")) as running:
            yield running

    @pytest.mark.parametrize("kind", ["MachineImage", "VolumeImage"])
    async def test_of_images(
        self, kind: str, admin: ApiClient, gateway: Gateway, images: Path, lines: list[Any], server: WebServer
    ) -> None:
        server.data, secrets = (images / "guest.qcow2").read_bytes(), forms("token-of-the-url")
        location = f"{server.url}/guest.qcow2?signature=token-of-the-url"
        async with every_worker_taken(gateway):
            answer = await admin.post(
                TYPES[kind].segment, {"imageLocation": location}, Prefer="respond-async", Idempotency_Key="k"
            )
            assert answer.status == 202, answer.text
            await demand_absent(gateway.settings, secrets, "while the Job waits")
        assert (await admin.ended(answer.job))["state"] == "SUCCESS"
        await demand_absent(gateway.settings, secrets, "after the Job")
        demand_unlogged(lines, secrets)

    async def test_of_images_that_are_not_there(
        self, admin: ApiClient, gateway: Gateway, lines: list[Any], server: WebServer
    ) -> None:
        secrets = forms("token-of-the-url")
        server.data, server.ranges, server.chunked = b"no image", False, True
        location = f"{server.url}/guest.qcow2?signature=token-of-the-url"
        for kind in ("machineImages", "volumeImages"):
            answer = await admin.post(kind, {"imageLocation": location}, Prefer="wait=30", Idempotency_Key=kind)
            assert answer.status == 400, answer.text
            assert [secret for secret in secrets if secret in answer.text.encode()] == []
        await demand_absent(gateway.settings, secrets, "after the refusal")
        demand_unlogged(lines, secrets)

    async def test_of_packages(
        self, admin: ApiClient, gateway: Gateway, tmp_path: Path, lines: list[Any], server: WebServer
    ) -> None:
        server.data, secrets = package(tmp_path, described()), forms("token-of-the-url")
        asked = {"action": ACTION + "import", "source": f"{server.url}/shop.ova?signature=token-of-the-url"}
        async with every_worker_taken(gateway):
            answer = await admin.post("systems/import", asked)
            await demand_absent(gateway.settings, secrets, "while the Job waits")
        assert (await admin.ended(answer.job))["state"] == "SUCCESS"
        await demand_absent(gateway.settings, secrets, "after the Job")
        demand_unlogged(lines, secrets)


async def test_what_a_key_is_remembered_by_tells_nothing_of_the_document(admin: ApiClient, gateway: Gateway) -> None:
    document = {"credentialTemplate": {"userName": "ops", "password": "guessable"}}
    assert (await admin.post("credentials", document, Idempotency_Key="k")).status == 201
    guessed = Request("Credential", "credentials", document).fingerprint
    [[kept]] = await gateway.store.fetch("SELECT fingerprint FROM answered")
    assert kept != guessed
    assert guessed.encode() not in await asyncio.to_thread(on_disk, gateway.settings)


async def test_neither_password_nor_key_of_who_asks_is_on_disk_or_in_the_log(
    admin: ApiClient, gateway: Gateway, lines: list[Any]
) -> None:
    assert (await admin.post("machineConfigs", {"cpu": 1, "memory": 1})).status == 201
    secrets = {base64.b64encode(b"admin:secret")}
    await demand_absent(gateway.settings, secrets, "after the request")
    demand_unlogged(lines, secrets)


async def test_the_key_is_for_the_gateways_eyes_only(gateway: Gateway) -> None:
    key = Path(gateway.settings.store.path + ".key")
    assert (await asyncio.to_thread(key.stat)).st_mode & 0o777 == 0o600


def test_a_secret_of_every_form_would_be_seen(tmp_path: Path, settings: config.Settings) -> None:
    """Lest the search find nothing by not seeing it."""
    store = Path(settings.store.path)
    store.with_name(store.name + "-wal").write_bytes(b"")
    for form in planted("mark"):
        store.write_bytes(b"xx" + form + b"yy")
        assert form in on_disk(settings)

"""The catalogue of images: read by everybody, fetched once and verified when somebody wants one."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from drivers.memory import MemoryDriver
from gateway import config
from gateway.app import Gateway
from gateway.cimi.dialects import EXTENSION_NAMESPACE
from tests.api.client import ApiClient
from tests.api.images.transfers import RAW, operation, stored
from tests.patience import eventually
from tests.web_server import WebServer, serving

pytestmark = pytest.mark.slow

Clients = Callable[..., ApiClient]
EXTENSION = f"{{{EXTENSION_NAMESPACE}}}"
SHA512 = hashlib.sha512(RAW).hexdigest()


@pytest.fixture
async def sums() -> AsyncIterator[WebServer]:
    """The server of the checksums, which are right."""
    async with serving(WebServer(f"{SHA512}  disk.raw\n".encode())) as running:
        yield running


@pytest.fixture
def settings(settings: config.Settings, server: WebServer, sums: WebServer) -> config.Settings:
    distant = config.CatalogEntry(
        "distant:1", f"{server.url}/disk.raw", checksums=f"{sums.url}/SHA512SUMS", user="ops", firmware="bios"
    )
    missing = config.CatalogEntry("missing", "missing.qcow2")
    return replace(settings, catalog=(*settings.catalog, distant, missing))


def link(client: ApiClient, key: str) -> str:
    return f"{client.base}imageCatalog/{key}"


async def fetched(client: ApiClient, key: str = "distant-1") -> dict[str, Any]:
    """The ended Job of a fetch."""
    answer = await client.post(f"{link(client, key)}/fetch", {})
    assert answer.status == 202, answer.text
    return await client.ended(answer.job)


# Reading


async def test_the_entry_point_leads_to_it_in_both_formats(client: Clients) -> None:
    admin = client("admin")
    href = (await admin.document(""))["imageCatalog"]["href"]
    element = (await client("admin", "xml").get("")).xml.find(f"{EXTENSION}imageCatalog")
    assert element is not None
    assert href == element.get("href") == f"{admin.base}imageCatalog"


async def test_it_is_announced_as_an_extension(admin: ApiClient) -> None:
    entry, image = [await admin.document(f"resourceMetadata/{kind}") for kind in ("CloudEntryPoint", "CatalogImage")]
    [attribute] = [each for each in entry["attributes"] if each["name"] == "imageCatalog"]
    assert attribute["namespace"] == EXTENSION_NAMESPACE
    assert image["typeURI"] == f"{EXTENSION_NAMESPACE}/CatalogImage"
    assert [action["uri"] for action in image["actions"]] == [f"{EXTENSION_NAMESPACE}/action/fetch"]


@pytest.mark.parametrize("user", ["admin", "operator", "viewer"])
async def test_everybody_reads_it(client: Clients, user: str) -> None:
    document = await client(user).document("imageCatalog?$orderby=name")
    assert [entry["name"] for entry in document["catalogImages"]] == ["distant:1", "small:1"]


async def test_an_entry_says_where_the_image_comes_from_and_who_may_log_in(client: Clients, server: WebServer) -> None:
    entry = await client("viewer").document("imageCatalog/distant-1")
    assert (entry["imageLocation"], entry["userName"], entry["firmware"]) == (f"{server.url}/disk.raw", "ops", "bios")
    xml = (await client("viewer", "xml").get("imageCatalog/distant-1")).xml
    assert (xml.tag, xml.findtext(f"{EXTENSION}userName")) == (f"{EXTENSION}CatalogImage", "ops")


async def test_a_file_of_the_host_does_not_show_where_it_lies(admin: ApiClient, images: Path) -> None:
    assert str(images) not in (await admin.get("imageCatalog")).text


async def test_a_file_that_is_not_there_is_not_in_the_catalogue(admin: ApiClient) -> None:
    assert (await admin.get(link(admin, "missing"))).status == 404


async def test_it_cannot_be_changed_over_http(admin: ApiClient) -> None:
    url = link(admin, "small-1")
    assert (await admin.put(url, {"name": "x"})).status == 405
    assert (await admin.delete(url)).status == 405
    assert (await admin.post("imageCatalog", {"name": "x"})).status == 405


# Fetching


@pytest.mark.parametrize("media", ["json", "xml"])
async def test_a_fetched_image_is_everybodys_and_its_entry_leads_to_it(client: Clients, media: str) -> None:
    operator = client("operator")
    either = client("operator", media)
    answer = await either.post(f"{link(either, 'distant-1')}/fetch", b"")
    assert (answer.status, answer.location.startswith(f"{either.base}machineImages/")) == (202, True)
    assert (await operator.ended(answer.job))["state"] == "SUCCESS"
    image = await client("viewer").document(answer.location)
    assert (image["name"], image["state"]) == ("distant:1", "AVAILABLE")
    assert image["properties"] == {"sshUser": "ops", "firmware": "bios"}
    assert (await operator.document(link(operator, "distant-1")))["image"]["href"] == answer.location


async def test_a_machine_is_made_of_a_file_of_the_catalogue(client: Clients) -> None:
    operator = client("operator")
    answer = await operator.post(f"{link(operator, 'small-1')}/fetch", {}, Prefer="wait=30")
    assert answer.status == 200
    made = await operator.post("machines", operator.machine(answer.location), Prefer="wait=30")
    assert made.status == 201, made.text


async def test_a_second_fetch_makes_no_second_image(client: Clients, server: WebServer) -> None:
    first = await fetched(client("operator"))
    asked = len(server.asked)
    second = await fetched(client("other"))
    assert second["affectedResources"][-1] == first["affectedResources"][-1]
    assert len(server.asked) == asked
    assert (await client("admin").document("machineImages"))["count"] == 1


async def test_many_who_want_it_at_once_fetch_it_once(client: Clients, server: WebServer, driver: MemoryDriver) -> None:
    server.pace = 0.05
    jobs = await asyncio.gather(*(fetched(client(user)) for user in ("operator", "other", "admin", "operator")))
    assert [job["state"] for job in jobs] == ["SUCCESS"] * 4
    assert stored(driver) == [RAW]


async def test_who_waited_for_a_fetch_that_failed_is_told(client: Clients, server: WebServer, sums: WebServer) -> None:
    sums.data = b"0" * 128 + b"  disk.raw\n"
    server.pace = 0.05
    first = asyncio.create_task(fetched(client("operator")))
    operator = client("operator")

    async def begun() -> bool:
        return bool((await operator.document("machineImages"))["count"])

    await eventually(begun, "the first fetch is under way")
    second = await fetched(client("other"))
    assert (await first)["state"] == second["state"] == "FAILED"
    assert "another SHA-512" in (await first)["statusMessage"]
    assert "did not come" in second["statusMessage"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"0" * 128 + b"  disk.raw\n", "another SHA-512"),
        (b"0" * 64 + b" *disk.raw\n", "another SHA-256"),
        (SHA512.encode() + b"  other.raw\n", "has no SHA-256 or SHA-512 of disk.raw"),
        (b"x" * 2_000_000, "is no file of checksums"),
    ],
)
async def test_bytes_with_another_sum_become_no_image_and_the_next_fetch_may_be_luckier(
    client: Clients, sums: WebServer, content: bytes, message: str
) -> None:
    right, sums.data = sums.data, content
    operator = client("operator")
    failed = await fetched(operator)
    assert failed["state"] == "FAILED"
    assert message in failed["statusMessage"]
    assert (await operator.document("machineImages"))["count"] == 0
    assert "image" not in await operator.document(link(operator, "distant-1"))
    sums.data = right
    assert (await fetched(operator))["state"] == "SUCCESS"


async def test_a_server_that_is_away_is_told_at_once(
    client: Clients, gateway: Gateway, settings: config.Settings
) -> None:
    operator = client("operator")
    entry = await gateway.store.get("imageCatalog/distant-1")
    assert entry is not None
    async with gateway.store.transaction() as transaction:
        await transaction.update(replace(entry, internal={"location": "http://127.0.0.1:9/disk.raw"}))
    assert (await operator.post(f"{link(operator, 'distant-1')}/fetch", {})).status == 502


async def test_an_image_that_an_admin_deleted_is_fetched_again(client: Clients) -> None:
    admin = client("admin")
    first = (await fetched(admin))["affectedResources"][-1]["href"]
    assert (await admin.delete(first)).status == 200
    assert "image" not in await admin.document(link(admin, "distant-1"))
    assert (await fetched(admin))["affectedResources"][-1]["href"] != first


async def test_who_may_not_add_images_may_not_have_one_fetched(client: Clients) -> None:
    viewer = client("viewer")
    assert operation(await viewer.document(link(viewer, "distant-1")), "fetch") is None
    assert (await viewer.post(f"{link(viewer, 'distant-1')}/fetch", {})).status == 403


async def test_others_cannot_delete_what_was_fetched(client: Clients) -> None:
    operator = client("operator")
    image = (await fetched(operator))["affectedResources"][-1]["href"]
    assert (await operator.delete(image)).status == 403


# The file of the catalogue changes


@asynccontextmanager
async def restarted(settings: config.Settings, driver: MemoryDriver, gateway: Gateway) -> AsyncIterator[Gateway]:
    await gateway.stop()
    again = Gateway(settings, {driver.name: driver})
    await again.start()
    try:
        yield again
    finally:
        await again.stop()
        await gateway.start()


async def test_the_next_start_knows_what_the_file_says_and_which_images_are_here(
    client: Clients, settings: config.Settings, driver: MemoryDriver, gateway: Gateway
) -> None:
    admin = client("admin")
    image = (await fetched(admin))["affectedResources"][-1]["href"]
    small, distant, _missing = settings.catalog
    changed = replace(settings, catalog=(replace(distant, user="root"), replace(small, name="small:2")))
    async with restarted(changed, driver, gateway):
        entries = (await admin.document("imageCatalog?$orderby=name"))["catalogImages"]
        assert [(entry["name"], entry["userName"]) for entry in entries] == [("distant:1", "root"), ("small:2", "ops")]
        assert entries[0]["image"]["href"] == image

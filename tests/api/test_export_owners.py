"""Whose an exported package is: who may put one where, who may import it, and what is never replaced."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from drivers.memory import MemoryDriver
from gateway import config
from gateway.app import Gateway
from gateway.cimi.documents import ActionSchema
from gateway.cimi.references import schema_fields
from gateway.orchestration.systems.packages import export_steps
from gateway.orchestration.systems.packages.destinations import Destination, put_in_place
from gateway.orchestration.systems.packages.export_steps import DeliverPackage
from tests.api.client import ACTION, Answer, ApiClient
from tests.api.mortal import Killed, Mortal
from tests.api.packages import names_in, small_package
from tests.api.systems import machine, system
from tests.api.xml_documents import as_xml
from tests.empty_image import qcow2

pytestmark = pytest.mark.slow

Client = Callable[..., ApiClient]
MEDIA = pytest.mark.parametrize("media", ["json", "xml"])


@pytest.fixture
def settings(settings: config.Settings, images: Path) -> config.Settings:
    """Packages go where images come from, so that they can come back."""
    exports = images / "packages"
    exports.mkdir()
    images_settings = replace(settings.images, export_directories=[str(exports)])
    return replace(settings, images=images_settings)


@pytest.fixture
def exports(images: Path) -> Path:
    return images / "packages"


async def system_of(client: ApiClient, image: str) -> str:
    made = await client.post("systems", system(machine(image)), Prefer="wait=60")
    assert made.status == 201, made.text
    return made.location


async def export(client: ApiClient, url: str, **parameters: Any) -> Answer:
    """In the client's format; the answer once the Job has ended well, or the refusal."""
    document = {"action": f"{ACTION}export", **parameters}
    body = document if client.media == "json" else as_xml("Action", schema_fields(ActionSchema), document)
    answer = await client.post(f"{url}/export", body)
    if answer.status == 202:
        job = await replace(client, media="json").ended(answer.job)
        assert job["state"] == "SUCCESS", job
    return answer


async def importing(client: ApiClient, place: Path | str) -> Answer:
    document = {"action": f"{ACTION}import", "source": f"file://{place}"}
    body = document if client.media == "json" else as_xml("Action", schema_fields(ActionSchema), document)
    return await client.post("systems/import", body)


# Out


@MEDIA
async def test_a_name_alone_is_in_the_users_own_directory(
    client: Client, image: str, exports: Path, media: str
) -> None:
    operator = client("operator", media)
    assert (await export(operator, await system_of(client("operator"), image), destination="shop.ova")).status == 202
    assert (names_in(exports), names_in(exports / "operator")) == (["operator"], ["shop.ova"])


@MEDIA
@pytest.mark.parametrize("place", ["shop.ova", "other/shop.ova", "operator/../other/shop.ova", "other/"])
async def test_an_operator_writes_nowhere_else(
    client: Client, image: str, exports: Path, media: str, place: str
) -> None:
    (exports / "other").mkdir()
    url = await system_of(client("operator"), image)
    answer = await export(client("operator", media), url, destination=f"file://{exports}/{place}")
    assert (answer.status, names_in(exports / "other")) == (400, [])
    assert "destination: " in answer.text


async def test_a_link_in_ones_own_directory_leads_to_nobody_elses(client: Client, image: str, exports: Path) -> None:
    (exports / "other").mkdir()
    (exports / "operator").mkdir()
    (exports / "operator" / "way").symlink_to(exports / "other")
    url = await system_of(client("operator"), image)
    answer = await export(client("operator"), url, destination=f"file://{exports}/operator/way/shop.ova")
    assert (answer.status, names_in(exports / "other")) == (400, [])


async def test_an_admin_writes_anywhere_below(admin: ApiClient, image: str, exports: Path) -> None:
    (exports / "other").mkdir()
    url = await system_of(admin, image)
    for place in ("all.ova", "other/all.ova"):
        assert (await export(admin, url, destination=f"file://{exports}/{place}")).status == 202
    assert (names_in(exports), names_in(exports / "other")) == (["all.ova", "other"], ["all.ova"])


@MEDIA
@pytest.mark.parametrize("name", ["shop.ova", "shop/"])
async def test_what_is_there_is_not_replaced(client: Client, image: str, exports: Path, media: str, name: str) -> None:
    operator, url = client("operator", media), await system_of(client("operator"), image)
    assert (await export(operator, url, destination=name)).status == 202
    before = contents(exports)
    again = await export(operator, url, destination=name)
    assert (again.status, "is there already; choose another name" in again.text) == (409, True)
    assert contents(exports) == before


@MEDIA
@pytest.mark.parametrize("name", ["shop.ova", "shop/"])
async def test_who_says_so_replaces_what_is_there(
    client: Client, image: str, exports: Path, media: str, name: str
) -> None:
    operator, url = client("operator", media), await system_of(client("operator"), image)
    await export(operator, url, destination=name)
    before = contents(exports)
    assert (await export(operator, url, destination=name, properties={"replace": "true"})).status == 202
    assert contents(exports).keys() == before.keys()


def contents(directory: Path) -> dict[str, tuple[int, int]]:
    """What each file is: another one has another number or another time."""
    return {
        str(path.relative_to(directory)): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in directory.rglob("*")
        if path.is_file()
    }


async def test_a_word_that_is_none_is_refused(client: Client, image: str) -> None:
    url = await system_of(client("operator"), image)
    answer = await export(client("operator"), url, destination="shop.ova", properties={"replace": "yes"})
    assert (answer.status, answer.message) == (400, "properties.replace: must be true or false, not 'yes'")


@pytest.mark.parametrize("name", ["shop.ova", "shop/"])
async def test_what_comes_there_while_the_job_works_is_not_replaced(
    client: Client, image: str, exports: Path, name: str, driver: MemoryDriver
) -> None:
    operator, url = client("operator"), await system_of(client("operator"), image)
    volume = driver.storage.read_volume

    found = exports / "operator" / name.rstrip("/")
    precious = found / "precious" if name.endswith("/") else found

    def put() -> None:
        """What an admin does beside the gateway."""
        precious.parent.mkdir(exist_ok=True)
        precious.write_bytes(b"precious")

    async def meanwhile(pool: str, wanted: str) -> Any:
        await asyncio.to_thread(put)
        return await volume(pool, wanted)

    driver.storage.read_volume = meanwhile  # type: ignore[method-assign, assignment]
    answer = await operator.act(url, "export", destination=name)
    job = await operator.ended(answer.job)
    assert (job["state"], job["returnCode"], "is there already" in job["statusMessage"]) == ("FAILED", 10409, True)
    assert precious.read_bytes() == b"precious"
    assert [entry for entry in names_in(exports / "operator") if entry.startswith(".")] == []


@pytest.mark.parametrize("name", ["shop.ova", "shop/"])
async def test_one_that_was_killed_when_the_package_had_its_name_is_ended_and_not_taken_for_anothers(
    mortal: Mortal,
    images: Path,
    exports: Path,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    document = {"name": "guest", "imageLocation": f"file://{images / 'guest.qcow2'}"}
    image = (await mortal.client.post("machineImages", document, Prefer="wait=30")).location
    url, note = await system_of(mortal.client, image), DeliverPackage._note

    async def dies_first(step: DeliverPackage, context: Any) -> None:
        if not mortal.deaths:
            mortal._die()
        await note(step, context)

    monkeypatch.setattr(DeliverPackage, "_note", dies_first)
    answer = await mortal.client.act(url, "export", destination=name)
    job = await mortal.ended(answer.job)
    assert (job["state"], mortal.deaths) == ("SUCCESS", 1), job
    assert names_in(exports / "admin") == [name.rstrip("/")]


CHANGES = ((Path, "rename"), (Path, "replace"), (Path, "unlink"), (os, "link"), (shutil, "rmtree"))
"""How giving a package its name changes a directory."""


class CutShort:
    """In the place of ``put_in_place``: it ends once, before its n-th change to the directory, as SIGKILL ends it."""

    def __init__(self, before: int) -> None:
        self.left = before

    def __call__(self, part: Path, destination: Destination) -> None:
        with pytest.MonkeyPatch.context() as patched:
            for place, name in CHANGES:
                patched.setattr(place, name, self._counted(getattr(place, name), part.parent))
            put_in_place(part, destination)

    def _counted(self, change: Callable[..., Any], directory: Path) -> Callable[..., Any]:
        def counted(path: Path, *others: Any, **named: Any) -> Any:
            if Path(path).parent == directory:
                self.left -= 1
                if self.left == 0:
                    raise Killed
            return change(path, *others, **named)

        return counted


@pytest.mark.parametrize("replaces", [False, True])
@pytest.mark.parametrize("name", ["shop.ova", "shop/"])
async def test_one_that_was_killed_while_the_package_got_its_name_leaves_the_package_alone(
    mortal: Mortal,
    images: Path,
    exports: Path,
    name: str,
    replaces: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    document = {"name": "guest", "imageLocation": f"file://{images / 'guest.qcow2'}"}
    image = (await mortal.client.post("machineImages", document, Prefer="wait=30")).location
    url, deliver = await system_of(mortal.client, image), DeliverPackage._deliver

    async def dies_with_its_thread(*arguments: Any) -> None:
        try:
            await deliver(*arguments)
        except Killed:
            mortal._die()

    monkeypatch.setattr(DeliverPackage, "_deliver", dies_with_its_thread)
    properties = {"replace": str(replaces).lower()}
    await mortal.ended((await mortal.client.act(url, "export", destination=name)).job)
    whole = contents(exports)
    for number in range(1, 10):
        before, deaths = contents(exports), mortal.deaths
        if not replaces:
            await asyncio.to_thread(_clear, exports / "admin")
        monkeypatch.setattr(export_steps, "put_in_place", CutShort(number))
        job = await mortal.ended((await mortal.client.act(url, "export", destination=name, properties=properties)).job)
        assert job["state"] == "SUCCESS", (number, job)
        assert names_in(exports / "admin") == [name.rstrip("/")], number
        assert contents(exports).keys() == whole.keys(), number
        assert contents(exports) != before, number
        if mortal.deaths == deaths:
            break
    assert mortal.deaths > 0


def _clear(directory: Path) -> None:
    for entry in directory.iterdir():
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


async def test_an_export_that_is_asked_for_again_with_its_key_is_the_first_one(
    client: Client, image: str, exports: Path
) -> None:
    operator, url = client("operator"), await system_of(client("operator"), image)
    asked = {"action": f"{ACTION}export", "destination": "shop.ova"}
    first = await operator.post(f"{url}/export", asked, Idempotency_Key="k")
    await operator.ended(first.job)
    again = await operator.post(f"{url}/export", asked, Idempotency_Key="k")
    assert (again.status, again.job) == (202, first.job)


# In


@pytest.fixture
def theirs(exports: Path) -> Path:
    """A package that another operator has exported."""
    (exports / "other").mkdir()
    (exports / "other" / "b.ova").write_bytes(small_package())
    (exports / "other" / "disk.qcow2").write_bytes(qcow2())
    return exports / "other"


@MEDIA
async def test_anothers_export_is_as_if_it_were_not_there(client: Client, theirs: Path, media: str) -> None:
    answers = [await importing(client("operator", media), theirs / name) for name in ("b.ova", "c.ova")]
    assert [answer.status for answer in answers] == [400, 400]
    assert "b.ova is no file that can be read" in answers[0].text
    assert "c.ova is no file that can be read" in answers[1].text


@MEDIA
@pytest.mark.parametrize("kind", ["machineImages", "volumeImages", "volumes"])
async def test_no_image_is_made_of_anothers_export_either(client: Client, theirs: Path, media: str, kind: str) -> None:
    location = f"file://{theirs / 'disk.qcow2'}"
    documents: dict[str, tuple[Any, str]] = {
        "machineImages": ({"imageLocation": location}, f"<imageLocation>{location}</imageLocation>"),
        "volumeImages": ({"imageLocation": location}, f"<imageLocation>{location}</imageLocation>"),
        "volumes": (
            {"volumeTemplate": {"volumeConfig": {"capacity": 100000}, "volumeImage": {"imageLocation": location}}},
            "<volumeTemplate><volumeConfig><capacity>100000</capacity></volumeConfig>"
            f"<volumeImage><imageLocation>{location}</imageLocation></volumeImage></volumeTemplate>",
        ),
    }
    root = {"machineImages": "MachineImage", "volumeImages": "VolumeImage", "volumes": "Volume"}[kind]
    document, inner = documents[kind]
    body = document if media == "json" else f"<{root}Create>{inner}</{root}Create>".encode()
    answer = await client("operator", media).post(kind, body)
    assert (answer.status, "is no file that can be read" in answer.text) == (400, True)
    assert (await client("other", media).post(kind, body)).status in (201, 202)


async def test_a_descriptor_of_ones_own_takes_no_file_of_anothers(client: Client, theirs: Path, exports: Path) -> None:
    """By a link, which who has put it there may follow, and nobody by the gateway."""
    (exports / "operator").mkdir()
    (exports / "operator" / "b.ova").symlink_to(theirs / "b.ova")
    assert (await importing(client("operator"), exports / "operator" / "b.ova")).status == 400


@MEDIA
async def test_ones_own_export_comes_back(client: Client, image: str, exports: Path, media: str) -> None:
    operator = client("operator")
    await export(operator, await system_of(operator, image), destination="shop.ova")
    answer = await importing(client("operator", media), exports / "operator" / "shop.ova")
    assert answer.status == 202, answer.text
    assert (await operator.ended(answer.job))["state"] == "SUCCESS"


async def test_an_admin_imports_anybodys(admin: ApiClient, theirs: Path) -> None:
    answer = await importing(admin, theirs / "b.ova")
    assert (await admin.ended(answer.job))["state"] == "SUCCESS"


async def test_what_an_admin_puts_beside_the_users_directories_is_for_all(client: Client, exports: Path) -> None:
    (exports / "all.ova").write_bytes(small_package())
    answer = await importing(client("operator"), exports / "all.ova")
    assert (await client("operator").ended(answer.job))["state"] == "SUCCESS"


async def test_directories_of_images_are_read_as_before(client: Client, images: Path) -> None:
    (images / "library").mkdir()
    (images / "library" / "guest.qcow2").write_bytes(qcow2())
    document = {"imageLocation": f"file://{images / 'library' / 'guest.qcow2'}"}
    assert (await client("operator").post("machineImages", document)).status == 201


class TestImagesInsideOfExports:
    """A directory of images that stands below the exports has its own rules."""

    @pytest.fixture
    def settings(self, settings: config.Settings, images: Path) -> config.Settings:
        return replace(settings, images=replace(settings.images, export_directories=[str(images.parent)]))

    async def test_they_are_images(self, client: Client, images: Path, gateway: Gateway) -> None:
        document = {"imageLocation": f"file://{images / 'guest.qcow2'}"}
        assert (await client("operator").post("machineImages", document)).status == 201

"""What is exported comes in again as an equal System, and is nothing else than what was there."""

from __future__ import annotations

import asyncio
import shutil
import tarfile
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import pytest

from drivers.base import DriverFailed
from drivers.memory import MemoryDriver
from gateway import config
from gateway.app import Gateway
from gateway.errors import Conflict
from gateway.orchestration.systems.packages.destinations import replace_directory
from gateway.ovf.model import VirtualSystemCollection
from gateway.ovf.package import unpack
from tests.api.client import ApiClient
from tests.api.packages import disk, downloaded, exported, made, names_in, package, small_package, staged
from tests.api.systems import machine, members, network, on, system, volume
from tests.patience import PATIENCE
from tests.unit.ovf.cot import cot
from tests.unit.ovf.samples import Kept, in_pieces

pytestmark = pytest.mark.slow


@pytest.fixture
def exports(tmp_path: Path) -> Path:
    directory = tmp_path / "exports"
    directory.mkdir()
    return directory


@pytest.fixture
def settings(settings: config.Settings, exports: Path) -> config.Settings:
    settings.images.export_directories.append(str(exports))
    return settings


@pytest.fixture
async def shop(admin: ApiClient, images: Path, tmp_path: Path) -> dict[str, Any]:
    """An imported System with the disks of a package."""
    (images / "shop.ova").write_bytes(package(tmp_path))
    return await made(admin, "systems", f"file://{images / 'shop.ova'}")


async def shape(admin: ApiClient, url: str) -> dict[str, Any]:
    """What two Systems have to have in common: everything but identities and what is made anew."""
    found = await admin.document(url)
    whole: dict[str, Any] = {"name": found.get("name"), "description": found.get("description")}
    whole["properties"] = {name: value for name, value in found.get("properties", {}).items() if name != "ovf.source"}
    networks = await members(admin, url, "networks")
    names = {document["id"]: name for name, document in networks.items()}
    whole["networks"] = {name: document["networkType"] for name, document in networks.items()}
    volumes = await members(admin, url, "volumes")
    whole["volumes"] = {name: document["capacity"] for name, document in volumes.items()}
    called = {document["id"]: name for name, document in volumes.items()}
    whole["machines"] = {}
    for name, document in (await members(admin, url, "machines")).items():
        own = {key: document.get(key) for key in ("name", "description", "properties", "cpu", "memory")}
        interfaces = await admin.document(document["networkInterfaces"]["href"])
        own["networks"] = [names[one["network"]["href"]] for one in interfaces["machineNetworkInterfaces"]]
        attached = (await admin.document(document["volumes"]["href"])).get("machineVolumes", [])
        own["volumes"] = sorted((called[one["volume"]["href"]], one["initialLocation"]) for one in attached)
        own["disks"] = [one["capacity"] for one in (await admin.document(document["disks"]["href"]))["disks"]]
        whole["machines"][name] = own
    whole["systems"] = {}
    for name, document in (await members(admin, url, "systems")).items():
        whole["systems"][name] = await shape(admin, document["id"])
    return whole


async def test_a_system_offers_its_export(admin: ApiClient, shop: dict[str, Any]) -> None:
    rels = {entry["rel"] for entry in shop["operations"]}
    assert "http://schemas.dmtf.org/cimi/1/action/export" in rels


async def test_an_exported_system_comes_in_again_as_an_equal_one(
    admin: ApiClient, images: Path, shop: dict[str, Any]
) -> None:
    (images / "again.ova").write_bytes(await downloaded(admin, shop["id"]))
    again = await made(admin, "systems", f"file://{images / 'again.ova'}")
    before, after = [await shape(admin, url) for url in (shop["id"], again["id"])]
    assert before == after
    assert before["machines"]["db"]["volumes"] == [("db disk 2", "/dev/vdb"), ("db disk 3", "/dev/vdc")]


async def test_a_system_of_descriptors_comes_in_again_as_an_equal_one(
    admin: ApiClient, images: Path, tmp_path: Path
) -> None:
    (images / "real.qcow2").write_bytes(disk(tmp_path, kind="qcow2"))
    image = await admin.post("machineImages", {"imageLocation": f"file://{images / 'real.qcow2'}"}, Prefer="wait=30")
    web = machine(image.location, "web", 2, networkInterfaces=on("front"), volumes=[{"href": "#data"}])
    web.update(description="a front end", properties={"tier": "1", "startOrder": "2"})
    document = system(web, network(), volume(quantity=2), volume("spare"), network("back"))
    document.update(description="the shop", properties={"team": "sales & more"})
    answer = await admin.post("systems", document, Prefer="wait=60")
    assert answer.status == 201, answer.text
    assert (await admin.ended((await admin.act(answer.location, "stop", force=True)).job))["state"] == "SUCCESS"
    (images / "again.ova").write_bytes(await downloaded(admin, answer.location))
    again = await made(admin, "systems", f"file://{images / 'again.ova'}")
    before, after = [await shape(admin, url) for url in (answer.location, again["id"])]
    assert before == after
    assert sorted(before["volumes"]) == ["data1", "data2", "spare"]


async def test_the_package_holds_the_bytes_of_the_disks(admin: ApiClient, shop: dict[str, Any]) -> None:
    kept = Kept()
    found = await unpack(in_pieces(await downloaded(admin, shop["id"]), 65536), kept, 10**9)
    assert found.verified
    assert isinstance(found.envelope.content, VirtualSystemCollection)
    assert {name: content[:4] for name, content in kept.files.items()} == {
        f"shop-disk{number}.vmdk": b"KDMV" for number in range(1, len(kept.files) + 1)
    }
    assert len(kept.files) == 4


async def test_a_nested_system_comes_in_again(admin: ApiClient, images: Path, shop: dict[str, Any]) -> None:
    outer = await admin.post("systems", {"name": "outer", "systemTemplate": {}}, Prefer="wait=60")
    assert outer.status == 201, outer.text
    document = {"resourceURI": "http://schemas.dmtf.org/cimi/1/SystemSystem", "system": {"href": shop["id"]}}
    assert (await admin.post(f"{outer.location}/systems", document)).status == 201
    (images / "again.ova").write_bytes(await downloaded(admin, outer.location))
    again = await made(admin, "systems", f"file://{images / 'again.ova'}")
    assert await shape(admin, again["id"]) == await shape(admin, outer.location)


async def test_a_template_comes_in_again(admin: ApiClient, images: Path, tmp_path: Path) -> None:
    (images / "shop.ova").write_bytes(package(tmp_path))
    template = await made(admin, "systemTemplates", f"file://{images / 'shop.ova'}")
    (images / "again.ova").write_bytes(await downloaded(admin, template["id"]))
    again = await made(admin, "systemTemplates", f"file://{images / 'again.ova'}")

    def plain(document: dict[str, Any]) -> list[Any]:
        descriptors = sorted(document["componentDescriptors"], key=lambda entry: str(entry["name"]))
        for entry in descriptors:
            for kind, image in (("machineTemplate", "machineImage"), ("volumeTemplate", "volumeImage")):
                entry.get(kind, {}).pop(image, None)
        return descriptors

    assert plain(again) == plain(template)


async def test_a_package_is_put_into_an_allowed_directory(
    admin: ApiClient, gateway: Gateway, exports: Path, shop: dict[str, Any]
) -> None:
    location, job = await exported(admin, shop["id"], destination=f"file://{exports / 'out.ova'}")
    assert (location, job["state"]) == ("", "SUCCESS")
    with tarfile.open(exports / "out.ova") as opened:
        assert opened.getnames()[0] == "shop.ovf"
        assert opened.getnames()[-1] == "shop.mf"
    assert names_in(exports) == ["out.ova"]
    assert staged(gateway) == []


async def test_a_package_is_put_down_as_a_directory_of_files(
    admin: ApiClient, exports: Path, images: Path, shop: dict[str, Any]
) -> None:
    for replace in ("false", "true"):
        asked = {"destination": f"file://{exports / 'out'}/", "properties": {"replace": replace}}
        _location, job = await exported(admin, shop["id"], **asked)
        assert job["state"] == "SUCCESS", job
    assert names_in(exports / "out") == [f"shop-disk{number}.vmdk" for number in range(1, 5)] + ["shop.mf", "shop.ovf"]
    shutil.copytree(exports / "out", images, dirs_exist_ok=True)
    again = await made(admin, "systems", f"file://{images / 'shop.ovf'}")
    assert await shape(admin, again["id"]) == await shape(admin, shop["id"])


async def test_another_consumer_reads_what_a_system_of_one_machine_is_exported_as(
    admin: ApiClient, exports: Path, images: Path
) -> None:
    """COT knows no collections."""
    (images / "small.ova").write_bytes(small_package())
    small = await made(admin, "systems", f"file://{images / 'small.ova'}", name="alone")
    _location, job = await exported(admin, small["id"], destination=f"file://{exports / 'out.ova'}")
    assert job["state"] == "SUCCESS", job
    shown = await asyncio.to_thread(cot, "info", "-v", exports / "out.ova")
    for told in ("alone-disk1.vmdk", "128 MiB", "harddisk @"):
        assert told in shown
    other = exports / "other.ova"
    await asyncio.to_thread(cot, "edit-hardware", exports / "out.ova", "-o", other, "--memory", "256MB")
    shutil.copy(other, images / "other.ova")
    again = await made(admin, "systems", f"file://{images / 'other.ova'}")
    [machine] = (await members(admin, again["id"], "machines")).values()
    assert (again["name"], machine["memory"]) == ("alone", 262144)


async def test_a_directory_that_holds_something_else_is_left_alone(
    admin: ApiClient, exports: Path, shop: dict[str, Any]
) -> None:
    (exports / "team" / "others").mkdir(parents=True)
    (exports / "team" / "theirs.ova").write_bytes(b"a package")
    answer = await admin.act(shop["id"], "export", destination=f"file://{exports / 'team'}/")
    assert (answer.status, "holds more than one package" in answer.text) == (409, True)
    assert names_in(exports / "team") == ["others", "theirs.ova"]


def test_a_directory_that_was_filled_meanwhile_is_left_alone(exports: Path) -> None:
    part, path = exports / ".part", exports / "out"
    for directory, name in ((part, "new.ovf"), (path, "precious")):
        directory.mkdir(parents=True)
        (directory / name).touch()
    with pytest.raises(Conflict):
        replace_directory(part, path)
    assert (names_in(path), names_in(part)) == (["precious"], ["new.ovf"])


@pytest.mark.parametrize(
    ("parameters", "attribute"),
    [
        ({"format": "application/zip"}, "format"),
        ({"destination": "file:///etc/out.ova"}, "destination"),
        ({"destination": "https://example.com/out.ova"}, "destination"),
        ({"destination": "../out.ova"}, "destination"),
    ],
)
async def test_wrong_parameters_are_refused_by_name(
    admin: ApiClient, shop: dict[str, Any], parameters: dict[str, str], attribute: str
) -> None:
    answer = await admin.act(shop["id"], "export", **parameters)
    assert answer.status == 400
    assert answer.message.startswith(f"{attribute}:")


async def test_a_name_that_leads_out_of_the_directory_is_refused(
    admin: ApiClient, exports: Path, tmp_path: Path, shop: dict[str, Any]
) -> None:
    (exports / "link").symlink_to(tmp_path)
    answer = await admin.act(shop["id"], "export", destination=f"file://{exports}/link/out.ova")
    assert (answer.status, (tmp_path / "out.ova").exists()) == (400, False)


async def test_a_download_says_by_which_version_it_was_asked_for(admin: ApiClient, shop: dict[str, Any]) -> None:
    location, _job = await exported(admin, shop["id"])
    answer = await admin.request("HEAD", location)
    assert (answer.status, answer.headers["cimi-specification-version"]) == (200, "1.1.0")
    assert answer.headers["x-request-id"]


async def test_a_package_is_its_exporters_alone_and_goes_with_its_job(
    client: Callable[..., ApiClient], admin: ApiClient, gateway: Gateway, shop: dict[str, Any]
) -> None:
    location, _job = await exported(admin, shop["id"])
    assert (await client("other").get(location)).status == 404
    assert (await admin.delete(location.rpartition("/")[0])).status == 200
    assert (await admin.get(location)).status == 404
    assert staged(gateway) == []


async def test_an_export_that_fails_leaves_nothing_behind(
    admin: ApiClient, driver: MemoryDriver, gateway: Gateway, shop: dict[str, Any]
) -> None:
    before = set(driver.state.volumes)
    driver.fail_next("storage.download_volume", DriverFailed("the pool is broken"))
    location, job = await exported(admin, shop["id"])
    assert (job["state"], job["returnCode"]) == ("FAILED", 10500)
    assert set(driver.state.volumes) == before
    assert (await admin.get(location)).status == 404
    assert staged(gateway) == []


async def test_a_system_without_machines_makes_no_package(admin: ApiClient) -> None:
    empty = await admin.post("systems", {"name": "empty", "systemTemplate": {}}, Prefer="wait=60")
    assert empty.status == 201, empty.text
    answer = await admin.act(empty.location, "export")
    assert (answer.status, "no Machine" in answer.message) == (409, True)


class Held:
    """In the place of something that takes long: it goes on when it is told to."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.goes_on = asyncio.Event()

    async def here(self) -> None:
        self.asked.set()
        await self.goes_on.wait()


async def test_machines_wait_until_their_disks_are_copied(
    admin: ApiClient, driver: MemoryDriver, shop: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    held, copy = Held(), driver.storage.clone_volume

    async def clone(*arguments: Any, **named: Any) -> Any:
        await held.here()
        return await copy(*arguments, **named)

    monkeypatch.setattr(driver.storage, "clone_volume", clone)
    machines = await members(admin, shop["id"], "machines")
    export = (await admin.act(shop["id"], "export")).job
    await asyncio.wait_for(held.asked.wait(), PATIENCE)
    start = (await admin.act(machines["web"]["id"], "start")).job
    # One that is not held has the time to begin and to end.
    answer = await admin.post("volumes", {"volumeTemplate": {"volumeConfig": {"capacity": 1000}}}, Prefer="wait=30")
    assert answer.status == 201, answer.text
    assert (await admin.document(machines["web"]["id"]))["state"] == "STARTING"
    held.goes_on.set()
    ended = [await admin.ended(job) for job in (export, start)]
    assert [job["state"] for job in ended] == ["SUCCESS", "SUCCESS"]


async def test_machines_change_again_while_the_last_copy_is_read(
    admin: ApiClient, driver: MemoryDriver, shop: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    held, read = Held(), driver.storage.download_volume

    async def download(pool: str, name: str, *place: int) -> AsyncGenerator[bytes, None]:
        if name.endswith("-file4.qcow2"):
            await held.here()
        async for piece in read(pool, name, *place):
            yield piece

    monkeypatch.setattr(driver.storage, "download_volume", download)
    web = (await members(admin, shop["id"], "machines"))["web"]["id"]
    export = (await admin.act(shop["id"], "export")).job
    await asyncio.wait_for(held.asked.wait(), PATIENCE)
    assert (await admin.acted(web, "start"))["state"] == "SUCCESS"
    assert (await admin.document(export))["state"] == "RUNNING"
    held.goes_on.set()
    assert (await admin.ended(export))["state"] == "SUCCESS"

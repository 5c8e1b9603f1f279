"""``format`` of a VolumeConfiguration is the file system of new Volumes (DSP0263 5.16.4): any word is kept."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drivers.base import DriverFailed, DriverUnavailable
from drivers.images import file_systems
from drivers.memory import MemoryDriver
from gateway.app import Gateway
from tests.api.client import ApiClient

pytestmark = pytest.mark.slow

Clients = Callable[..., ApiClient]
WORDS = ("ext3", "ext4", "xfs", "vfat", "ntfs", "EXT4", "zfs with spaces", "raw", "qcow2", "x" * 300)
CAPACITY = 8_000
TERM = "http://schemas.dmtf.org/cimi/1/Volume"


def create(word: str, capacity: int = CAPACITY) -> dict[str, Any]:
    return {"volumeTemplate": {"volumeConfig": {"capacity": capacity, "format": word}}}


def content(driver: MemoryDriver, volume: str) -> bytes:
    """What the pool holds of it; nothing where it was made empty."""
    name = volume.rpartition("/")[2]
    return next((data for (_, stored), data in driver.state.contents.items() if name in stored), b"")


def kind_of(driver: MemoryDriver, volume: str, directory: Path) -> str:
    """The file system that is recognised in the Volume, as a guest would see it."""
    stored, raw = directory / "stored", directory / "raw"
    stored.write_bytes(content(driver, volume))
    form = "qcow2" if stored.read_bytes()[:4] == b"QFI\xfb" else "raw"
    convert = ["qemu-img", "convert", "-f", form, "-O", "raw", str(stored), str(raw)]
    subprocess.run(convert, check=True, timeout=60)
    command = ["/usr/sbin/blkid", "-p", "-o", "value", "-s", "TYPE", str(raw)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stdout.strip()


async def log(gateway: Gateway) -> str:
    rows = await gateway.store.fetch("SELECT message FROM job_log")
    return "\n".join(row[0] for row in rows)


async def made(client: ApiClient, document: Any) -> str:
    answer = await client.post("volumes", document, Prefer="wait=30")
    assert answer.status == 201, answer.text
    assert (await client.document(answer.location))["state"] == "AVAILABLE"
    return answer.location


@pytest.mark.parametrize("media", ["json", "xml"])
@pytest.mark.parametrize("word", WORDS)
async def test_any_word_is_kept_in_a_configuration(client: Clients, media: str, word: str) -> None:
    body: Any = {"capacity": CAPACITY, "format": word}
    if media == "xml":
        inside = f"<format>{word}</format><capacity>{CAPACITY}</capacity>"
        body = f"<VolumeConfiguration>{inside}</VolumeConfiguration>".encode()
    answer = await client("admin", media).post("volumeConfigs", body)
    assert answer.status == 201, answer.text
    assert (await client("admin").document(answer.location))["format"] == word
    template = {"volumeConfig": {"href": answer.location}}
    assert (await client("admin").post("volumeTemplates", template)).status == 201


@pytest.mark.parametrize("word", ["ext2", "ext3", "ext4", "vfat", " Ext4 "])
async def test_a_volume_has_the_file_system_of_its_configuration(
    admin: ApiClient, driver: MemoryDriver, gateway: Gateway, tmp_path: Path, word: str
) -> None:
    volume = await made(admin, create(word))
    assert kind_of(driver, volume, tmp_path) == word.strip().lower()
    assert f"made the file system {word.strip().lower()}" in await log(gateway)
    assert (await admin.document(volume))["capacity"] == CAPACITY


async def test_an_xml_client_gets_it_by_a_template_by_reference(
    client: Clients, driver: MemoryDriver, tmp_path: Path
) -> None:
    admin = client("admin")
    config = await admin.post("volumeConfigs", {"capacity": CAPACITY, "format": "vfat"})
    template = await admin.post("volumeTemplates", {"volumeConfig": {"href": config.location}})
    body = f'<VolumeCreate><volumeTemplate href="{template.location}"/></VolumeCreate>'.encode()
    answer = await client("admin", "xml").post("volumes", body, Prefer="wait=30")
    assert answer.status == 201, answer.text
    assert kind_of(driver, answer.location, tmp_path) == "vfat"


class TestRawPool:
    @pytest.fixture
    def driver(self) -> MemoryDriver:
        driver = MemoryDriver()
        driver.state.pool_kinds["default"] = "logical"
        return driver

    @pytest.mark.parametrize("word", ["ext4", "vfat"])
    async def test_a_raw_volume_has_it_too(
        self, admin: ApiClient, driver: MemoryDriver, tmp_path: Path, word: str
    ) -> None:
        volume = await made(admin, create(word))
        assert content(driver, volume)[:4] != b"QFI\xfb"
        assert kind_of(driver, volume, tmp_path) == word


@pytest.mark.parametrize("word", ["ntfs", "zfs", "made up"])
async def test_what_cannot_be_made_leaves_the_volume_unformatted_and_is_logged(
    admin: ApiClient, driver: MemoryDriver, gateway: Gateway, tmp_path: Path, word: str
) -> None:
    volume = await made(admin, create(word))
    assert kind_of(driver, volume, tmp_path) == ""
    assert f"the Volume is unformatted: {word} is no file system that is made here" in await log(gateway)


@pytest.mark.parametrize("word", ["raw", "qcow2", "RAW"])
async def test_raw_and_qcow2_say_how_it_is_stored(
    admin: ApiClient, driver: MemoryDriver, gateway: Gateway, word: str
) -> None:
    volume = await made(admin, create(word))
    name = volume.rpartition("/")[2]
    assert [facts.format for (_, stored), facts in driver.state.volumes.items() if name in stored] == [word.lower()]
    assert "file system" not in await log(gateway)


async def test_a_volume_too_small_for_its_file_system_is_unformatted_and_usable(
    admin: ApiClient, driver: MemoryDriver, gateway: Gateway, tmp_path: Path
) -> None:
    volume = await made(admin, create("xfs", capacity=1))
    assert kind_of(driver, volume, tmp_path) == ""
    assert "the Volume is unformatted: xfs could not be made: " in await log(gateway)


async def test_without_the_tool_it_is_unformatted_and_the_log_says_so(
    admin: ApiClient, gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_systems, "PATH", str(tmp_path))
    await made(admin, create("ext4"))
    assert "ext4 could not be made: mkfs.ext4 is not installed on the gateway's host" in await log(gateway)


async def test_over_the_content_of_an_image_none_is_made(admin: ApiClient, gateway: Gateway, images: Path) -> None:
    source = {"imageLocation": f"file://{images / 'guest.qcow2'}"}
    image = (await admin.post("volumeImages", source, Prefer="wait=30")).location
    for given in ({"href": image}, source):
        config = {"capacity": 100_000, "format": "ext4"}
        await made(admin, {"volumeTemplate": {"volumeConfig": config, "volumeImage": given}})
    assert (await log(gateway)).count("the Volume has the content of its image, so the file system ext4 is not") == 2


async def test_a_new_volume_of_a_machine_has_it(
    admin: ApiClient, image: str, driver: MemoryDriver, tmp_path: Path
) -> None:
    entry = {"volumeConfig": {"capacity": CAPACITY, "format": "ext4"}}
    answer = await admin.post("machines", admin.machine(image, volumeTemplates=[entry]), Prefer="wait=30")
    assert answer.status == 201, answer.text
    [attached] = (await admin.document(f"{answer.location}/volumes"))["machineVolumes"]
    assert kind_of(driver, attached["volume"]["href"], tmp_path) == "ext4"


async def test_a_volume_of_a_system_has_it(admin: ApiClient, driver: MemoryDriver, tmp_path: Path) -> None:
    config = {"capacity": CAPACITY, "format": "vfat"}
    component = {"name": "data", "type": TERM, "volumeTemplate": {"volumeConfig": config}}
    template = await admin.post("systemTemplates", {"componentDescriptors": [component]})
    assert template.status == 201, template.text
    answer = await admin.post("systems", {"systemTemplate": {"href": template.location}}, Prefer="wait=30")
    assert answer.status == 201, answer.text
    [volume] = (await admin.document("volumes"))["volumes"]
    assert kind_of(driver, volume["id"], tmp_path) == "vfat"


# When it fails


async def test_a_failed_one_leaves_nothing_behind(
    admin: ApiClient, driver: MemoryDriver, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_given: object) -> None:
        raise DriverFailed("the pool burns")

    monkeypatch.setattr(driver.storage, "upload_volume", broken)
    before = set(driver.state.volumes)
    answer = await admin.post("volumes", create("ext4"), Prefer="wait=30")
    assert answer.status >= 500, answer.text
    assert (await admin.document("volumes"))["count"] == 0
    assert set(driver.state.volumes) == before
    assert not any(Path(gateway.settings.images.staging).glob("*"))  # noqa: ASYNC240 - a look into a test's folder


async def test_it_is_made_anew_when_the_step_is_done_again(
    admin: ApiClient, driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    upload, tries = driver.storage.upload_volume, 0

    async def interrupted(*given: Any) -> Any:
        nonlocal tries
        tries += 1
        await upload(*given)
        if tries == 1:
            raise DriverUnavailable("the daemon was restarted")
        return driver.state.volumes[given[0], given[1]]

    monkeypatch.setattr(driver.storage, "upload_volume", interrupted)
    volume = await made(admin, create("ext4"))
    assert tries == 2
    assert kind_of(driver, volume, tmp_path) == "ext4"


async def test_it_is_deleted_as_every_volume(admin: ApiClient, driver: MemoryDriver) -> None:
    volume = await made(admin, create("ext4"))
    assert (await admin.delete(volume)).status == 200
    assert content(driver, volume) == b""

"""A pool on a real volume group: by the driver's own calls, and through a gateway whose only pool it is."""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from drivers.base import (
    BaseVolume,
    DriverNoSpace,
    DriverNotFound,
    DriverUnsupported,
    Hole,
    HypervisorSettings,
    NewVolume,
    PoolSettings,
    VolumeContent,
)
from drivers.libvirt.driver import LibvirtDriver
from tests import hypervisor, lvm_host
from tests.cimi_client import CimiClient
from tests.gateway_process import GatewayProcess
from tests.lvm_host import GROUP, LvmHost
from tests.web_server import WebServer
from tests.web_server import running as serving

pytestmark = [pytest.mark.qemu, pytest.mark.timeout(600)]
MIB = 1024**2
POOL = "group"
FILES = "files"
SETTINGS = PoolSettings(POOL, kind="logical", source=GROUP, path=f"/dev/{GROUP}")
DISK = b"\xfa" * 510 + b"\x55\xaa" + os.urandom(8 * MIB - 512)
CONFIG = f"""
[[hypervisor.pools]]
name = "{POOL}"
kind = "logical"
source = "{GROUP}"
path = "/dev/{GROUP}"
"""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LvmHost]:
    hypervisor.quiet()
    with lvm_host.running(tmp_path_factory.mktemp("lvm")) as started:
        yield started


@pytest.fixture
async def driver(host: LvmHost) -> AsyncIterator[LibvirtDriver]:
    """Its pools are a described one on the volume group, and one of files beside it."""
    opened = LibvirtDriver(HypervisorSettings("local", host.uri, "none", "default", "qemu"))
    await opened.open()
    await opened.storage.ensure_pool(SETTINGS)
    await opened.storage.ensure_pool(PoolSettings(FILES, kind="dir", path="/var/lib/files"))
    yield opened
    for pool in (POOL, FILES):
        for volume in await opened.storage.list_volumes(pool):
            await opened.storage.delete_volume(pool, volume.name)
    await opened.close()


def ignore(_done: int, _total: int) -> None:
    """Progress that nobody looks at."""


async def pieces(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 65536):
        yield data[start : start + 65536]


async def read(driver: LibvirtDriver, name: str, length: int, offset: int = 0) -> bytes:
    return b"".join([piece async for piece in driver.storage.download_volume(POOL, name, offset, length)])


async def test_a_volume_takes_all_its_room_at_once(driver: LibvirtDriver) -> None:
    """A sparse one breaks when a guest has written more than libvirt set aside for it."""
    before = (await driver.storage.read_pool(POOL)).available
    made = await driver.storage.create_volume(POOL, "a.raw", "raw", 16 * MIB)
    assert (made.format, made.capacity, made.allocation) == ("raw", 16 * MIB, 16 * MIB)
    assert made.path == f"/dev/{GROUP}/a.raw"
    assert before - (await driver.storage.read_pool(POOL)).available == 16 * MIB


async def test_creating_and_deleting_twice_is_as_once(driver: LibvirtDriver) -> None:
    before = (await driver.storage.read_pool(POOL)).available
    first = await driver.storage.create_volume(POOL, "a.raw", "raw", 8 * MIB)
    assert await driver.storage.create_volume(POOL, "a.raw", "raw", 8 * MIB) == first
    await driver.storage.delete_volume(POOL, "a.raw")
    await driver.storage.delete_volume(POOL, "a.raw")
    with pytest.raises(DriverNotFound):
        await driver.storage.read_volume(POOL, "a.raw")
    assert (await driver.storage.read_pool(POOL)).available == before


async def test_an_upload_arrives_byte_for_byte_with_its_zeros(driver: LibvirtDriver) -> None:
    data = DISK[: 4 * MIB] + bytes(4 * MIB) + DISK[4 * MIB :]
    await driver.storage.upload_volume(POOL, "a.raw", VolumeContent("raw", len(data), pieces(data)), ignore)
    assert await read(driver, "a.raw", len(data)) == data


async def test_a_hole_is_zeros_also_where_somebody_left_other_bytes(driver: LibvirtDriver, host: LvmHost) -> None:
    async def sparse() -> AsyncIterator[bytes | Hole]:
        yield DISK[:MIB]
        yield Hole(6 * MIB)
        yield DISK[:MIB]

    await driver.storage.upload_volume(POOL, "others.raw", VolumeContent("raw", len(DISK), pieces(DISK)), ignore)
    with hypervisor.connection(host.uri) as opened:
        opened.storagePoolLookupByName(POOL).storageVolLookupByName("others.raw").delete(0)
    await driver.storage.upload_volume(POOL, "a.raw", VolumeContent("raw", 8 * MIB, sparse()), ignore)
    assert await read(driver, "a.raw", 8 * MIB) == DISK[:MIB] + bytes(6 * MIB) + DISK[:MIB]


async def test_what_a_deleted_volume_held_is_not_in_the_next_one(driver: LibvirtDriver) -> None:
    await driver.storage.upload_volume(POOL, "a.raw", VolumeContent("raw", len(DISK), pieces(DISK)), ignore)
    await driver.storage.delete_volume(POOL, "a.raw")
    await driver.storage.create_volume(POOL, "b.raw", "raw", len(DISK))
    assert await read(driver, "b.raw", len(DISK)) == bytes(len(DISK))


async def test_an_upload_is_whole_where_somebody_left_other_bytes(driver: LibvirtDriver, host: LvmHost) -> None:
    data = DISK[: 2 * MIB] + bytes(4 * MIB) + DISK[2 * MIB : 4 * MIB]
    await driver.storage.upload_volume(POOL, "others.raw", VolumeContent("raw", len(DISK), pieces(DISK)), ignore)
    with hypervisor.connection(host.uri) as opened:
        opened.storagePoolLookupByName(POOL).storageVolLookupByName("others.raw").delete(0)
    await driver.storage.upload_volume(POOL, "a.raw", VolumeContent("raw", len(data), pieces(data)), ignore)
    assert await read(driver, "a.raw", len(data)) == data


async def test_a_sparse_volume_that_others_made_can_be_deleted(driver: LibvirtDriver, host: LvmHost) -> None:
    xml = f"<volume><name>sparse</name><capacity>{16 * MIB}</capacity><allocation>{4 * MIB}</allocation></volume>"
    with hypervisor.connection(host.uri) as opened:
        opened.storagePoolLookupByName(POOL).createXML(xml, 0)
    await driver.storage.delete_volume(POOL, "sparse")
    assert await driver.storage.list_volumes(POOL) == ()


async def test_a_clone_is_as_large_as_asked_and_holds_the_bytes(driver: LibvirtDriver) -> None:
    await driver.storage.upload_volume(POOL, "a.raw", VolumeContent("raw", len(DISK), pieces(DISK)), ignore)
    made = await driver.storage.clone_volume(
        NewVolume(POOL, "b.raw", "raw", 16 * MIB), BaseVolume("a.raw", format="raw"), ignore
    )
    assert (made.capacity, made.allocation) == (16 * MIB, 16 * MIB)
    assert await read(driver, "b.raw", 16 * MIB) == DISK + bytes(8 * MIB)


async def test_a_qcow2_file_of_another_pool_is_cloned_as_raw(driver: LibvirtDriver) -> None:
    await driver.storage.upload_volume(POOL, "a.raw", VolumeContent("raw", len(DISK), pieces(DISK)), ignore)
    await driver.storage.clone_volume(
        NewVolume(FILES, "a.qcow2", "qcow2", len(DISK)), BaseVolume("a.raw", POOL, "raw"), ignore
    )
    made = await driver.storage.clone_volume(
        NewVolume(POOL, "b.raw", "raw", 16 * MIB), BaseVolume("a.qcow2", FILES, "qcow2"), ignore
    )
    assert made.capacity == 16 * MIB
    assert await read(driver, "b.raw", len(DISK)) == DISK


async def test_more_than_the_group_has_is_no_space_and_leaves_nothing(driver: LibvirtDriver) -> None:
    with pytest.raises(DriverNoSpace):
        await driver.storage.create_volume(POOL, "a.raw", "raw", (lvm_host.GROUP_MIB + 8) * MIB)
    assert await driver.storage.list_volumes(POOL) == ()


async def test_growing_is_not_offered_and_libvirt_indeed_cannot(driver: LibvirtDriver) -> None:
    await driver.storage.create_volume(POOL, "a.raw", "raw", 8 * MIB)
    assert not driver.storage.can_grow(await driver.storage.read_pool(POOL))
    with pytest.raises(DriverUnsupported):
        await driver.storage.grow_volume(POOL, "a.raw", "raw", 16 * MIB)


# Through a gateway


@pytest.fixture(scope="module")
def gateway(host: LvmHost, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    home = tmp_path_factory.mktemp("gateway")
    process = GatewayProcess(home, POOL, home, uri=host.uri, hypervisor=CONFIG)
    process.image_settings = 'private_networks = ["127.0.0.0/8"]'
    process.prepare()
    process.start()
    yield process
    process.kill()


@pytest.fixture(scope="module")
def admin(gateway: GatewayProcess) -> CimiClient:
    return gateway.client()


def create(capacity: int = 16_000, **template: Any) -> dict[str, Any]:
    return {"volumeTemplate": {"volumeConfig": {"capacity": capacity}, **template}}


def in_group(host: LvmHost) -> dict[str, int]:
    """Names and sizes in bytes, as libvirt tells them."""
    with hypervisor.connection(host.uri) as opened:
        pool = opened.storagePoolLookupByName(POOL)
        pool.refresh(0)
        return {volume.name(): volume.info()[1] for volume in pool.listAllVolumes()}


def test_a_volume_comes_and_goes(admin: CimiClient, host: LvmHost) -> None:
    volume = admin.added("volumes", create())
    assert (volume["state"], volume["capacity"]) == ("AVAILABLE", 16_000)
    name = f"cimi-volume-{volume['id'].rpartition('/')[2]}.raw"
    assert in_group(host) == {name: 16 * MIB}
    admin.remove(volume["id"])
    assert in_group(host) == {}


def test_formats_and_sizes_that_the_group_cannot_are_refused(admin: CimiClient, host: LvmHost) -> None:
    config = {"capacity": 16_000, "format": "qcow2"}
    answer = admin.request("POST", "volumes", {"volumeTemplate": {"volumeConfig": config}})
    assert (answer.status, "volumeConfig.format" in answer.json["statusMessage"]) == (400, True)
    answer = admin.request("POST", "volumes", create(2 * lvm_host.GROUP_MIB * 1000))
    assert (answer.status, "volumeConfig.capacity" in answer.json["statusMessage"]) == (400, True)
    assert in_group(host) == {}


def test_a_volume_does_not_grow_and_says_so(admin: CimiClient, host: LvmHost) -> None:
    volume = admin.added("volumes", create())["id"]
    answer = admin.request("PUT", f"{volume}?$select=capacity", {"capacity": 32_000})
    assert (answer.status, "capacity" in answer.json["statusMessage"]) == (501, True)
    assert list(in_group(host).values()) == [16 * MIB]
    admin.remove(volume)


def test_a_volume_image_and_a_larger_volume_of_it_hold_the_bytes(admin: CimiClient, host: LvmHost) -> None:
    with serving(WebServer(DISK)) as server:
        by_value = admin.added("volumes", {"volumeTemplate": {"volumeImage": {"imageLocation": server.url}}})
    image = admin.added("volumeImages", {"imageLocation": by_value["id"]})
    assert admin.request("GET", f"{image['id']}/download").body[: len(DISK)] == DISK
    copy = admin.added("volumes", create(16_000, volumeImage={"href": image["id"]}))
    again = admin.added("volumeImages", {"imageLocation": copy["id"]})
    found = admin.request("GET", f"{again['id']}/download").body
    assert found == DISK + bytes(len(found) - len(DISK))
    for made in (copy, by_value, again, image):
        admin.remove(made["id"])
    assert in_group(host) == {}


def test_of_volumes_that_do_not_all_fit_some_are_made_and_the_others_are_507(admin: CimiClient) -> None:
    asked = [admin.request("POST", "volumes", create(100_000)) for _ in range(3)]
    assert [answer.status for answer in asked][2:] == [507]
    for answer in asked[:2]:
        admin.succeed(answer.job)
        admin.remove(answer.headers["location"])


def test_what_an_admin_makes_and_removes_with_lvm_shows(admin: CimiClient, host: LvmHost) -> None:
    volume, name = admin.added("volumes", create())["id"], f"foreign-{uuid.uuid4().hex[:6]}"
    xml = f"<volume><name>{name}</name><capacity>{8 * MIB}</capacity><allocation>{8 * MIB}</allocation></volume>"
    with hypervisor.connection(host.uri) as opened:
        pool = opened.storagePoolLookupByName(POOL)
        pool.createXML(xml, 0)
        pool.storageVolLookupByName(f"cimi-volume-{volume.rpartition('/')[2]}.raw").delete(0)
        failed = admin.wait_state(volume, "ERROR", 60)
        assert "no storage volume" in failed["statusMessage"]
        assert admin.get(f"volumes?$filter=name='{name}'")["count"] == 1
        pool.storageVolLookupByName(name).delete(0)
    admin.remove(volume)

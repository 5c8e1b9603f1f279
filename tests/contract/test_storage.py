"""Volumes on real pools: exact bytes, no leftovers, clear errors."""

from __future__ import annotations

import asyncio
import os
import subprocess
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path

import libvirt
import pytest

from drivers.base import (
    BaseVolume,
    DriverConflict,
    DriverInvalid,
    DriverNoSpace,
    DriverNotFound,
    Hole,
    HypervisorSettings,
    NewVolume,
    PoolSettings,
    VolumeContent,
)
from drivers.libvirt.driver import LibvirtDriver
from tests import hypervisor

pytestmark = pytest.mark.qemu
MIB = 1024**2


@pytest.fixture
def pool() -> Iterator[str]:
    name = f"cimi-storage-{uuid.uuid4().hex[:8]}"
    hypervisor.quiet()
    hypervisor.make_pool(name)
    yield name
    hypervisor.drop_pool(name)


@pytest.fixture
def small_pool() -> Iterator[str]:
    """A pool on a file system of 8 MiB of its own."""
    name = f"cimi-small-{uuid.uuid4().hex[:8]}"
    hypervisor.quiet()
    with hypervisor.small_pool(name):
        yield name


@pytest.fixture
async def driver() -> AsyncIterator[LibvirtDriver]:
    opened = LibvirtDriver(HypervisorSettings("local", "qemu:///system", "none", "default", "qemu"))
    await opened.open()
    yield opened
    await opened.close()


async def pieces(data: bytes, size: int = 65536) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def ignore(_done: int, _total: int) -> None:
    """Progress that nobody looks at."""


async def test_an_upload_arrives_byte_for_byte_and_tells_its_progress(driver: LibvirtDriver, pool: str) -> None:
    data = bytes(range(256)) * 4096
    told: list[int] = []
    made = await driver.storage.upload_volume(
        pool, "a.raw", VolumeContent("raw", len(data), pieces(data)), lambda done, _: told.append(done)
    )
    assert (hypervisor.POOLS / pool / "a.raw").read_bytes() == data
    assert made.capacity == len(data)
    assert told == sorted(told)
    assert told[-1] == len(data)


@pytest.mark.parametrize("first", [b"", b"x" * 4096])
async def test_a_hole_of_a_hundred_gibibytes_takes_no_room(driver: LibvirtDriver, pool: str, first: bytes) -> None:
    size = 100 * 1024 * MIB

    async def sparse() -> AsyncIterator[bytes | Hole]:
        if first:
            yield first
        yield Hole(size - len(first) - 4096)
        yield b"y" * 4096

    made = await driver.storage.upload_volume(pool, "a.raw", VolumeContent("raw", size, sparse()), ignore)
    with (hypervisor.POOLS / pool / "a.raw").open("rb") as file:
        assert file.read(4096) == (first or bytes(4096))
        file.seek(-4096, os.SEEK_END)
        assert file.read() == b"y" * 4096
        assert os.fstat(file.fileno()).st_blocks * 512 < MIB
    assert made.capacity == size


async def test_a_volume_that_ends_in_a_hole_is_whole(driver: LibvirtDriver, pool: str) -> None:
    async def sparse() -> AsyncIterator[bytes | Hole]:
        yield b"x" * 4096
        yield Hole(64 * MIB - 4096)

    await driver.storage.upload_volume(pool, "a.raw", VolumeContent("raw", 64 * MIB, sparse()), ignore)
    assert (hypervisor.POOLS / pool / "a.raw").read_bytes() == b"x" * 4096 + bytes(64 * MIB - 4096)


async def test_more_holes_than_announced_are_refused(driver: LibvirtDriver, pool: str) -> None:
    async def sparse() -> AsyncIterator[bytes | Hole]:
        yield Hole(2 * MIB)

    with pytest.raises(DriverInvalid, match="announced"):
        await driver.storage.upload_volume(pool, "a.raw", VolumeContent("raw", MIB, sparse()), ignore)
    assert hypervisor.files_in(pool) == []


async def test_a_short_upload_is_refused_and_leaves_no_file(driver: LibvirtDriver, pool: str) -> None:
    with pytest.raises(DriverInvalid, match="announced"):
        await driver.storage.upload_volume(pool, "a.raw", VolumeContent("raw", 2 * MIB, pieces(bytes(MIB))), ignore)
    assert hypervisor.files_in(pool) == []


async def test_a_cancelled_upload_leaves_no_file(driver: LibvirtDriver, pool: str) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(65536)
            await asyncio.sleep(0.01)

    upload = asyncio.ensure_future(
        driver.storage.upload_volume(pool, "a.raw", VolumeContent("raw", 1024 * MIB, endless()), ignore)
    )
    while not hypervisor.files_in(pool):
        await asyncio.sleep(0.01)
    upload.cancel()
    await asyncio.gather(upload, return_exceptions=True)
    assert hypervisor.files_in(pool) == []


async def test_a_full_disk_is_no_space_and_leaves_no_file(driver: LibvirtDriver, small_pool: str) -> None:
    data = b"x" * (16 * MIB)
    with pytest.raises(DriverNoSpace):
        await driver.storage.upload_volume(
            small_pool, "a.raw", VolumeContent("raw", len(data), pieces(data, MIB)), ignore
        )
    assert hypervisor.files_in(small_pool) == []


@pytest.mark.parametrize("zeros", [0, MIB])
@pytest.mark.parametrize("surplus", [1, 4096, 100_000])
async def test_a_disk_too_small_for_the_very_end_is_no_space_though_libvirt_keeps_quiet(
    driver: LibvirtDriver, small_pool: str, monkeypatch: pytest.MonkeyPatch, surplus: int, zeros: int
) -> None:
    monkeypatch.setattr("drivers.libvirt.streams.WRITTEN_SOON", 0.5)
    data = b"x" * (8 * MIB + surplus) + bytes(zeros)
    with pytest.raises(DriverNoSpace):
        await driver.storage.upload_volume(
            small_pool, "a.raw", VolumeContent("raw", len(data), pieces(data, MIB)), ignore
        )
    assert hypervisor.files_in(small_pool) == []


async def test_an_overlay_names_its_base_and_format(driver: LibvirtDriver, pool: str) -> None:
    base = await driver.storage.create_volume(pool, "base.qcow2", "qcow2", 8 * MIB)
    made = await driver.storage.overlay_volume(pool, "top.qcow2", "base.qcow2", "qcow2", 16 * MIB)
    assert (made.backing, made.capacity) == (base.path, 16 * MIB)


async def test_a_clone_is_as_large_as_asked(driver: LibvirtDriver, pool: str) -> None:
    await driver.storage.create_volume(pool, "base.qcow2", "qcow2", 8 * MIB)
    made = await driver.storage.clone_volume(
        NewVolume(pool, "copy.qcow2", "qcow2", 16 * MIB), BaseVolume("base.qcow2"), ignore
    )
    assert (made.backing, made.capacity) == (None, 16 * MIB)


async def test_creating_and_deleting_twice_is_as_once(driver: LibvirtDriver, pool: str) -> None:
    first = await driver.storage.create_volume(pool, "a.qcow2", "qcow2", MIB)
    assert await driver.storage.create_volume(pool, "a.qcow2", "qcow2", MIB) == first
    await driver.storage.delete_volume(pool, "a.qcow2")
    await driver.storage.delete_volume(pool, "a.qcow2")
    with pytest.raises(DriverNotFound):
        await driver.storage.read_volume(pool, "a.qcow2")


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".hidden", "a\tb", "x" * 200])
async def test_names_that_are_none_never_reach_libvirt(driver: LibvirtDriver, pool: str, name: str) -> None:
    with pytest.raises(DriverInvalid):
        await driver.storage.create_volume(pool, name, "qcow2", MIB)


async def test_volumes_are_made_beside_another_clients_refreshes(driver: LibvirtDriver, pool: str) -> None:
    def refresh() -> None:
        with hypervisor.connection() as host:
            for _ in range(30):
                try:
                    host.storagePoolLookupByName(pool).refresh(0)
                except libvirt.libvirtError as error:
                    assert "asynchronous jobs" in str(error)

    refreshing = asyncio.create_task(asyncio.to_thread(refresh))
    await asyncio.gather(*(driver.storage.create_volume(pool, f"v{n}.qcow2", "qcow2", MIB) for n in range(20)))
    await refreshing
    assert len(hypervisor.files_in(pool)) == 20


@pytest.fixture
def other_pool() -> Iterator[str]:
    name = f"cimi-other-{uuid.uuid4().hex[:8]}"
    hypervisor.make_pool(name)
    yield name
    hypervisor.drop_pool(name)


@pytest.mark.parametrize("format", ["raw", "qcow2"])
async def test_a_volume_grows_and_is_never_shrunk(driver: LibvirtDriver, pool: str, format: str) -> None:
    await driver.storage.create_volume(pool, "a", format, 8 * MIB)
    assert (await driver.storage.grow_volume(pool, "a", format, 16 * MIB)).capacity == 16 * MIB
    assert (await driver.storage.grow_volume(pool, "a", format, 4 * MIB)).capacity == 16 * MIB


async def test_growing_keeps_the_bytes(driver: LibvirtDriver, pool: str) -> None:
    data = bytes(range(256)) * 4096
    await driver.storage.upload_volume(pool, "a.raw", VolumeContent("raw", len(data), pieces(data)), ignore)
    await driver.storage.grow_volume(pool, "a.raw", "raw", 4 * len(data))
    assert (hypervisor.POOLS / pool / "a.raw").read_bytes() == data + bytes(3 * len(data))


async def test_a_header_that_a_guest_wrote_into_its_raw_disk_is_followed_by_nobody(
    driver: LibvirtDriver, pool: str, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret" * 1000)
    await driver.storage.create_volume(pool, "a.raw", "raw", 8 * MIB)
    forged = hypervisor.POOLS / pool / "a.raw"
    command = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", str(secret), str(tmp_path / "f.qcow2")]
    await asyncio.to_thread(subprocess.run, command, check=True)
    with forged.open("r+b") as file:
        file.write((tmp_path / "f.qcow2").read_bytes())
    before = forged.read_bytes()
    with hypervisor.connection() as host:
        host.storagePoolLookupByName(pool).refresh(0)
    with pytest.raises(DriverConflict, match="its guest wrote"):
        await driver.storage.grow_volume(pool, "a.raw", "raw", 16 * MIB)
    with pytest.raises(DriverConflict, match="its guest wrote"):
        await driver.storage.clone_volume(
            NewVolume(pool, "b.raw", "raw", 8 * MIB), BaseVolume("a.raw", format="raw"), ignore
        )
    assert hypervisor.files_in(pool) == ["a.raw"]
    assert forged.read_bytes() == before


async def test_a_clone_may_come_from_another_pool_in_another_format(
    driver: LibvirtDriver, pool: str, other_pool: str
) -> None:
    data = bytes(range(256)) * 4096
    await driver.storage.upload_volume(pool, "base.raw", VolumeContent("raw", len(data), pieces(data)), ignore)
    made = await driver.storage.clone_volume(
        NewVolume(other_pool, "copy.qcow2", "qcow2", 4 * MIB), BaseVolume("base.raw", pool, "raw"), ignore
    )
    assert (made.pool, made.format, made.capacity) == (other_pool, "qcow2", 4 * MIB)
    back = await driver.storage.clone_volume(
        NewVolume(pool, "back.raw", "raw", MIB), BaseVolume("copy.qcow2", other_pool), ignore
    )
    assert (hypervisor.POOLS / pool / back.name).read_bytes()[: len(data)] == data


async def test_a_clone_that_fills_the_disk_is_no_space_and_leaves_no_file(
    driver: LibvirtDriver, pool: str, small_pool: str
) -> None:
    data = b"x" * (16 * MIB)
    await driver.storage.upload_volume(pool, "base.raw", VolumeContent("raw", len(data), pieces(data, MIB)), ignore)
    with pytest.raises(DriverNoSpace):
        await driver.storage.clone_volume(
            NewVolume(small_pool, "a.raw", "raw", MIB), BaseVolume("base.raw", pool), ignore
        )
    assert hypervisor.files_in(small_pool) == []


async def test_a_described_pool_is_defined_started_and_made_once(driver: LibvirtDriver) -> None:
    name = f"cimi-described-{uuid.uuid4().hex[:8]}"
    settings = PoolSettings(name, kind="dir", path=str(hypervisor.POOLS / name))
    hypervisor.quiet()
    try:
        for _ in range(2):
            await driver.storage.ensure_pool(settings)
            assert (await driver.storage.read_pool(name)).active
        with hypervisor.connection() as host:
            host.storagePoolLookupByName(name).destroy()
        await driver.storage.ensure_pool(settings)
        assert (await driver.storage.read_pool(name)).active
    finally:
        hypervisor.drop_pool(name)


async def test_a_volume_that_is_still_being_filled_is_deleted_when_it_can_be(driver: LibvirtDriver, pool: str) -> None:
    """As after a crash in the middle of a copy, which libvirt goes on with."""
    data = b"x" * (64 * MIB)
    await driver.storage.upload_volume(pool, "base.raw", VolumeContent("raw", len(data), pieces(data, MIB)), ignore)

    def copy() -> None:
        xml = "<volume><name>a.raw</name><capacity>67108864</capacity><target><format type='raw'/></target></volume>"
        with hypervisor.connection() as host:
            held = host.storagePoolLookupByName(pool)
            held.createXMLFrom(xml, held.storageVolLookupByName("base.raw"), 0)

    copying = asyncio.create_task(asyncio.to_thread(copy))
    while "a.raw" not in hypervisor.files_in(pool):
        await asyncio.sleep(0.005)
    await driver.storage.delete_volume(pool, "a.raw")
    await copying
    assert hypervisor.files_in(pool) == ["base.raw"]


async def test_an_upload_of_many_holes_arrives_while_libvirt_still_writes(driver: LibvirtDriver, pool: str) -> None:
    for _ in range(5):
        data = b"".join(os.urandom(size) + bytes(MIB) for size in (MIB, 5, 300_000, 4 * MIB, 70_000))
        await driver.storage.upload_volume(pool, "a.raw", VolumeContent("raw", len(data), pieces(data, MIB)), ignore)
        async with aclosing(driver.storage.download_volume(pool, "a.raw", 0, len(data))) as found:
            assert b"".join([piece async for piece in found]) == data


async def test_zeros_of_an_upload_become_holes(driver: LibvirtDriver, pool: str) -> None:
    data = b"a" * MIB + bytes(16 * MIB) + b"z" * MIB
    made = await driver.storage.upload_volume(pool, "a.raw", VolumeContent("raw", len(data), pieces(data, MIB)), ignore)
    file = hypervisor.POOLS / pool / "a.raw"
    assert file.read_bytes() == data
    assert file.stat().st_blocks * 512 < 4 * MIB
    assert made.physical == len(data)


async def test_a_download_gives_the_stored_bytes_from_any_place(driver: LibvirtDriver, pool: str) -> None:
    data = os.urandom(12 * MIB + 17)
    await driver.storage.upload_volume(pool, "a.raw", VolumeContent("raw", len(data), pieces(data)), ignore)
    for begin, length in ((0, len(data)), (5 * MIB + 3, 7), (len(data) - 1, 1)):
        found = [piece async for piece in driver.storage.download_volume(pool, "a.raw", begin, length)]
        assert b"".join(found) == data[begin : begin + length]


async def test_a_download_that_is_left_early_harms_nothing(driver: LibvirtDriver, pool: str) -> None:
    data = bytes(range(256)) * 65536
    await driver.storage.upload_volume(pool, "a.raw", VolumeContent("raw", len(data), pieces(data)), ignore)
    for _ in range(10):
        async with aclosing(driver.storage.download_volume(pool, "a.raw", 0, len(data))) as download:
            async for piece in download:
                assert piece == data[: len(piece)]
                break
    await driver.storage.delete_volume(pool, "a.raw")
